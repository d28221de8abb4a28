"""The core in a LiteX SoC: it elaborates, and classifies images from the SoC's RAM."""

import re
import subprocess

import numpy as np
import pytest

from hfn_accel import functional, images
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.files import make_folder
from hfn_accel.network import Architecture
from sim import backend, build, runner, verilator
from tests.tickets import random_images, random_ticket

litex = pytest.importorskip("hfn_accel.soc.litex", exc_type=ImportError)

LINT = re.compile(r"%(Error|Warning-(PIN|LATCH|MULTIDRIVEN|UNDRIVEN|IMPLICIT))")


@pytest.mark.parametrize("standard, width", [("wishbone", 64), ("axi-lite", 128)])
def test_soc(standard, width):
    """On either bus and width: registers, a program that spills, interrupt and logits."""
    config = Config(rows=4, columns=4, activation_bytes=512, mask_bytes=2048, psum_depth=64,
                    parameter_channels=64, result_words=64, axi_data_width=width)  # fmt: skip
    rng = np.random.default_rng(4)
    found = random_ticket(rng, Architecture.parse("4x1", classes=3, image_size=12), bits=(8, 8))
    program, pictures = compile(found, config), random_images(rng, found.arch, 1)
    header = program.header
    assert header["workspace_bytes"]
    layout = backend.Layout.of(program, images.pack_runs(pictures, 1))
    places = (0, layout.inputs[0], layout.outputs[0], layout.workspace)
    words = np.frombuffer(bytes(layout.memory), "<u4").tolist()
    folder = make_folder(build.build_folder() / "sim" / f"litex-{standard}-{width}")
    soc = litex.Example(config, folder, words, standard)
    sources = soc.write()
    assert [m for m in messages(sources, soc.NAME) if LINT.match(m)] == []
    text = "\n".join(path.read_text() for path in sources)
    text = text.replace('$readmemh("', f'$readmemh("{folder}/')
    text = re.sub("^//.*$", "", text, flags=re.MULTILINE)  # LiteX's date: the build is kept
    result = folder / "logits.npy"
    result.unlink(missing_ok=True)
    runner.run(
        text, "sim.benches.soc", name="litex", simulator="verilator", top=soc.NAME,
        result=str(result),
        config=config.to_dict(), registers=soc.REGISTERS,
        places=[soc.RAM + place for place in places],
        sizes=[header["output_bytes"], header["workspace_bytes"]],
    )  # fmt: skip
    expected = functional.execute(program, config, pictures).logits[0]
    assert np.load(result).astype("<u4").view("<i4")[:3].tolist() == expected.tolist()


def messages(sources, top: str) -> list[str]:
    """What Verilator says of the whole SoC."""
    done = subprocess.run(
        [verilator.find().executable, "--lint-only", "-Wall", "-Wno-fatal", "--top-module", top,
         str(verilator.WAIVERS), *map(str, sources)],
        capture_output=True, text=True, env=verilator.environment(),
    )  # fmt: skip
    return done.stderr.splitlines()
