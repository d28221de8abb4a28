"""A network as tables: its steps and the maps between them, its tensors and their mask streams."""

from itertools import groupby

import numpy as np

from ..config import Config
from ..network import Architecture, Conv, Graph
from ..streams import Streams
from ..ticket import IMAGE_BITS
from .records import MAP, STEP, TENSOR

POOL_KERNEL, POOL_STRIDE, POOL_PAD = 3, 2, 1
_NONE = -1


def lower(arch: Architecture | Graph, bits, bipolar=None) -> tuple[np.recarray, np.recarray]:
    """The steps of a network in order, and its maps with their given columns.

    Map 0 is the image. bits: of the activations that every layer but the classifier leaves;
    bipolar: whether they mean -1 and +1 (default: nowhere).
    """
    bipolar = bipolar or (False,) * len(bits)
    steps, maps, meanings = [], [], []
    numbers = {}  # layer -> the map that its readers see

    def new(layer: int, channels: int, size: int, a: int, meaning: bool, **more) -> int:
        shape = {"channels": channels, "height": size, "width": size, "bits": a}
        maps.append(shape | {"image": 0, "outside": 0, "image_width": 0} | more)
        meanings.append(int(meaning))
        numbers[layer] = len(maps) - 1
        return numbers[layer]

    stem = arch.layers[0]
    new(-1, stem.kernel * stem.cin, arch.image_size, IMAGE_BITS, False,
        width=stem.out_size, image=1, image_width=arch.image_size)  # fmt: skip
    for conv in arch.layers:
        source, output = numbers[conv.source], _NONE
        residual = _NONE if conv.residual is None else numbers[conv.residual]
        if not conv.classifier:
            a, meaning = int(bits[conv.norm]), bipolar[conv.norm]
            output = new(conv.norm, conv.cout, conv.out_size, a, meaning)
        own = {"layer": conv.norm, "classifier": int(conv.classifier), "folded": int(conv.folded),
               "cout": conv.cout}  # fmt: skip
        steps.append(own | {
            "tensor": conv.tensor, "pooled": 0, "source": source, "residual": residual,
            "output": output, "kernel": conv.kernel, "kernel_width": conv.kernel,
            "stride": conv.stride, "pad": conv.pad, "rows": conv.out_size, "width": conv.out_size,
            "bipolar": meanings[source], "cin": conv.cin, "fan_in": conv.fan_in,
            "image_pad": conv.pad if source == 0 else 0,
        })  # fmt: skip
        if conv.max_pool:
            pooled = new(conv.norm, conv.cout, conv.map_size, a, meaning)
            steps.append(own | {
                "tensor": _NONE, "pooled": 1, "source": output, "residual": _NONE,
                "output": pooled, "kernel": POOL_KERNEL, "kernel_width": POOL_KERNEL,
                "stride": POOL_STRIDE, "pad": POOL_PAD, "rows": conv.map_size,
                "width": conv.map_size, "bipolar": meanings[output], "cin": conv.cout,
                "fan_in": 0, "image_pad": 0,
            })  # fmt: skip
    for number, run in enumerate(_runs(steps)):
        for step in run:
            step["run"] = number
    return _filled(STEP, steps), _filled(MAP, maps)


def _runs(steps: list[dict]) -> list[list[dict]]:
    """Steps that share masks: the iterations of a folded block; else every step alone."""
    found = []
    for _, same in groupby(enumerate(steps), lambda s: -1 if s[1]["folded"] else s[0]):
        run = [step for _, step in same]
        again = len({step["tensor"] for step in run}) < len(run)
        found += [run] if again else [[step] for step in run]
    return found


def tensor_table(streams: Streams, tensors: tuple[Conv, ...],
                 config: Config) -> tuple[np.recarray, np.ndarray]:  # fmt: skip
    """The tensors (given as the first layers that they are of) and `ends` of their mask streams.

    Both depend on columns and bus of `config` alone.
    """
    rows, parts, first_end = [], [], 0
    alike: dict[tuple, int] = {}
    for number, conv in enumerate(tensors):
        mode, codes = streams.mode(number), streams.codes(number)
        ends = np.asarray(streams.ends(number), np.int64)
        row = {"fan_in": conv.fan_in, "cout": conv.cout, "coats": mode.coats,
               "signs": int(mode.signs), "pruned": mode.pruned, "locked": mode.locked,
               "code": codes[0], "sign_code": codes[1], "planes": mode.planes}  # fmt: skip
        same = alike.setdefault((*row.values(), ends.tobytes()), number)
        rows.append(row | {"first_end": first_end, "alike": same})
        parts.append(ends)
        first_end += len(ends)
    return _filled(TENSOR, rows), np.concatenate(parts)


def _filled(kind: np.dtype, rows: list[dict]) -> np.recarray:
    """A table of these rows; columns that they have not are 0."""
    filled = np.zeros(len(rows), kind).view(np.recarray)
    for name in rows[0]:
        filled[name] = [row[name] for row in rows]
    return filled
