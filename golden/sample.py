"""`python -m golden.sample`: a small labelled sample of a data set's test images, as .npz."""

import io

import numpy as np

from hfn_accel import cli
from hfn_accel.errors import HfnError
from hfn_accel.files import atomic_write

from . import data


def main(argv: list[str] | None = None):
    """Write the first N test images, channels last, with labels, class names and provenance."""
    p = cli.Parser(prog="golden.sample", description="Sample of a data set's test images.")
    p.add_argument("--dataset", required=True, choices=data.DATASETS, help="what to sample")
    p.add_argument("--data", metavar="DIR", help="folder of the data set's original files")
    p.add_argument("--count", type=int, default=100, metavar="N", help="images (default 100)")
    p.add_argument("--out", required=True, metavar="F.npz", help="file to write")
    args = p.parse_args(argv)
    source = data.load(args.dataset, args.data)
    if not 1 <= args.count <= len(source.test_images):
        raise HfnError(f"--count must be from 1 to {len(source.test_images)}, not {args.count}")
    images = source.test_images[: args.count].transpose(0, 2, 3, 1)
    where = data.SOURCES.get(args.dataset, "scikit-learn's load_digits")
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, images=np.ascontiguousarray(images), labels=source.test_labels[: args.count],
        class_names=np.array(source.class_names),
        provenance=np.array(f"the first {len(images)} test images of {args.dataset}: {where}"),
    )  # fmt: skip
    atomic_write(args.out, buffer.getvalue())
    print(f"{args.out}: {len(images)} images, {len(buffer.getvalue())} bytes")


if __name__ == "__main__":
    cli.run(main)
