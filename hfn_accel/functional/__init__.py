"""The functional simulator: executes a program image, bit for bit what the RTL computes.

It follows the program, never the network: descriptors are executed one after the other on the
state of `machine.Machine`, over all images at once. Tokens only order what overlaps in the
hardware; here nothing does.
"""

from dataclasses import dataclass, field

import numpy as np

from ..check import check
from ..config import Config
from ..errors import HfnError
from ..images import LOGIT_BYTES, PIXEL_BYTES, image_stride, pack_runs, unpack_logits
from ..program import DESCRIPTOR_BYTES, PARAMETER_BYTES, Opcode, Origin, Program, Signs
from ..shape import LayerShape, output_channels
from .machine import Machine

TRAFFIC = ("descriptor", "mask", "parameter", "activation", "weight")
_GROUP_BITS = 1 << 28  # of simulated banks: runs are taken in groups that fit


@dataclass(frozen=True)
class Result:
    """What the runs of a program compute, and what a run counts.

    logits: int64 (N, classes). activations: per CONV that writes a bank and per POOL, in order,
    uint8 (runs, channels, height, width); empty if not kept. bytes: moved over the bus, by class
    (`count_bytes`). macs: useful multiply-accumulates. planes: that enter the array.
    """

    logits: np.ndarray
    activations: list[np.ndarray] = field(repr=False)
    bytes: dict[str, int]
    macs: int
    planes: int

    @property
    def predictions(self) -> np.ndarray:
        """Class index of each image; the first of equal logits."""
        return self.logits.argmax(1)


def execute(program: Program, config: Config, images: np.ndarray, keep: bool = True,
            workspace: np.ndarray | None = None) -> Result:  # fmt: skip
    """Run the program on images, uint8 (N, height, width, channels).

    N is cut into runs of the program's batch; the last is filled up with the last image. `keep`:
    keep every intermediate activation. `workspace`: its bytes before every run, zeros if not
    given. Raises HfnError for a program of another configuration, images of another shape, or
    descriptors that contradict themselves.
    """
    program.check(config)
    check(program.descriptors, config)
    check_images(program, images)
    header, channels = program.header, output_channels(program)
    memory = pack_runs(images, header["batch"])
    size = max(1, _GROUP_BITS // (3 * header["bank_words"] * config.group))
    output: list[np.ndarray] = []
    activations: list[list[np.ndarray]] = [[] for _ in channels]
    for start in range(0, len(memory), size):
        machine = Machine(program, config, memory[start : start + size], workspace)
        kept = 0
        for index, (opcode, f) in enumerate(program.descriptors):
            made = machine.step(opcode, f)
            if index in channels:
                if keep and made is not None:
                    activations[kept].append(made[:, : channels[index]])
                kept += 1
        output.append(machine.output)
    return Result(
        logits=unpack_logits(
            np.concatenate(output), header["batch"], header["classes"], len(images)
        ),
        activations=[np.concatenate(a) for a in activations if a],
        bytes=count_bytes(program, config),
        macs=macs(program),
        planes=sum(shape.planes for shape in shapes(program)),
    )


def state_before(program: Program, config: Config, images: np.ndarray, index: int,
                 workspace: np.ndarray | None = None) -> Machine:  # fmt: skip
    """The machine as descriptor `index` finds it; all runs at once, arguments as of `execute`."""
    program.check(config)
    check(program.descriptors, config)
    check_images(program, images)
    machine = Machine(program, config, pack_runs(images, program.header["batch"]), workspace)
    for opcode, f in program.descriptors[:index]:
        machine.step(opcode, f)
    return machine


def check_images(program: Program, images: np.ndarray):
    """Raise HfnError for no image, or images of another shape than a legal program's."""
    if not len(images):
        raise HfnError("there must be at least one image")
    loads = [f for opcode, f in program.descriptors if opcode == Opcode.IMAGE]
    if not loads:
        return
    width, batch = loads[0]["width"], program.header["batch"]
    end = max(f["address"] + f["rows"] * width * PIXEL_BYTES for f in loads)
    height = next(
        h
        for h in range(1, end + 1)
        if (batch - 1) * image_stride(h * width) + h * width * PIXEL_BYTES >= end
    )
    want = (height, width, loads[0]["channels"])
    if images.shape[1:] != want:
        raise HfnError(f"images must be {want} (height, width, channels), not {images.shape[1:]}")


def layers(program: Program, activations: list[np.ndarray]) -> dict[tuple[int, bool], np.ndarray]:
    """Whole maps from what each descriptor computed, by the program's `origins`.

    (layer, pooled) -> uint8 (N, channels, height, width), with N = runs * batch. Raises
    AssertionError if a map's parts leave a gap.
    """
    parts: dict[tuple[int, bool], list[tuple[Origin, np.ndarray]]] = {}
    for index, values in zip(output_channels(program), activations, strict=True):
        origin = program.origins[index]
        assert origin is not None  # it computes a part of a map
        parts.setdefault((origin.layer, origin.pooled), []).append((origin, values))
    return {key: _whole(found, program.header["batch"]) for key, found in parts.items()}


def _whole(parts, batch: int) -> np.ndarray:
    channels = max(o.channel + values.shape[1] for o, values in parts)
    height = max(o.row + values.shape[2] for o, values in parts)
    runs, width = len(parts[0][1]), parts[0][1].shape[3]
    whole = np.zeros((runs, batch, channels, height, width), np.uint8)
    covered = np.zeros((batch, channels, height), bool)
    for o, values in parts:
        channel = slice(o.channel, o.channel + values.shape[1])
        row = slice(o.row, o.row + values.shape[2])
        whole[:, o.image, channel, row] = values
        covered[o.image, channel, row] = True
    assert covered.all(), f"parts of layer {parts[0][0].layer} are missing"
    return whole.reshape(-1, channels, height, width)


def count_bytes(program: Program, config: Config) -> dict[str, int]:
    """Bytes that a run moves over the bus: the classes of TRAFFIC, and `activation` split into
    `activation_read` and `activation_write`.

    Reads and spilled activations count whole beats, logits 4 bytes each. The mask stream of a
    CONV with explicit signs is `weight`.
    """
    bus = config.bus_bytes
    moved = dict.fromkeys((*TRAFFIC, "activation_read", "activation_write"), 0)
    for opcode, f in program.descriptors:
        moved["descriptor"] += DESCRIPTOR_BYTES
        if opcode == Opcode.IMAGE:
            size = f["rows"] * f["width"] * PIXEL_BYTES
            moved["activation_read"] += -(-size // bus) * bus
        elif opcode == Opcode.LOAD:
            moved["activation_read"] += f["groups"] * f["beats"] * bus
        elif opcode == Opcode.STORE:
            moved["activation_write"] += f["groups"] * f["beats"] * bus
        elif opcode == Opcode.CONV:
            kind = "weight" if f["signs"] == Signs.EXPLICIT else "mask"
            moved[kind] += f["mask_beats"] * bus * f["fetch_mask"]
            size = -(-f["out_channels"] * PARAMETER_BYTES // bus) * bus
            moved["parameter"] += size * f["fetch_parameters"]
            moved["activation_write"] += LOGIT_BYTES * f["out_channels"] * (f["raw"] & f["close"])
    moved["activation"] = moved["activation_read"] + moved["activation_write"]
    return moved


def shapes(program: Program) -> list[LayerShape]:
    """Shapes of the executed CONVs."""
    convs = (f for opcode, f in program.descriptors if opcode == Opcode.CONV)
    header = program.header
    return [LayerShape.of(header, f) for f in convs]


def macs(program: Program) -> int:
    """Useful multiply-accumulates of a run; weights count once, however many coats they have."""
    return sum(s.macs for s in shapes(program))


def work(program: Program) -> int:
    """Bit-planes times weights, coat by coat: what R*C positions do one of each clock."""
    return sum(s.macs * s.in_bits * s.coats for s in shapes(program))
