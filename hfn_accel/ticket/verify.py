"""Whether a ticket is what it says, runs, and computes the same in every model: a line a check."""

import json
from collections.abc import Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .. import rooms
from ..check import check
from ..compare import differences
from ..compiler import check_accumulators, compile
from ..config import Config
from ..errors import HfnError
from ..estimator import DEFAULT_LATENCY, estimate
from ..files import read_bytes
from ..functional import execute
from ..program import Signs
from . import file
from .contents import Ticket
from .reading import load

DENSITY_TOLERANCE = 0.02
IMAGE_SEED = 1


class Verification:
    """The checks of one ticket on one configuration, with `images` random images.

    Iterating gives a line a check; the first that fails raises HfnError. Reading the file checks
    its checksum and that all parts belong together (`Ticket`); on top of that it holds nothing
    else, keeps the weights that it says, and no accumulator overflows; it compiles, the functional
    simulator's logits equal those of PyTorch's integer golden model where there is one, and with
    `rtl` the RTL computes, moves and takes what simulator and estimator say.
    """

    def __init__(self, path: Path, config: Config, images: int = 2, rtl: bool = False):
        self.path, self.config, self.images, self.rtl = path, config, images, rtl

    def __iter__(self) -> Iterator[str]:
        yield self.of_file()
        yield self.architecture()
        yield from self.modes()
        yield self.density()
        yield self.norms()
        yield self.accumulators()
        yield self.compiles()
        yield self.golden()
        if self.rtl:
            yield self.on_rtl()

    @cached_property
    def ticket(self) -> Ticket:
        return load(self.path)

    def of_file(self) -> str:
        about, tensors = self.ticket.parts()
        version, text, found = file.read(self.path)
        for name, array in found.items():
            if name not in tensors or not np.array_equal(array, tensors[name]):
                raise HfnError(f"{self.path}: its tensor {name} holds what no ticket needs")
        needed = set(about) | (set(file.OF_VERSION_1) if version == 1 else set())
        metadata = file.header(read_bytes(self.path))[0]["__metadata__"]
        more = json.loads(text).keys() - needed | metadata.keys() - set(file.METADATA)
        if more:
            raise HfnError(f"{self.path}: its metadata {min(more)!r} is what no ticket needs")
        return (f"file: {self.path.stat().st_size:,} bytes of version {version}, "
                "checksum right, nothing else in it")  # fmt: skip

    def architecture(self) -> str:
        arch = self.ticket.arch
        return (f"architecture: {arch}, {len(arch.tensors)} tensors for {len(arch.layers)} "
                f"executed layers, {len(self.ticket.class_names)} classes named")  # fmt: skip

    def modes(self) -> Iterator[str]:
        """What reading has checked, for the modes that the ticket has."""
        modes = self.ticket.modes
        if coats := [m.coats for m in modes if m.coats > 1]:
            yield f"coats: up to {max(coats)}, nested in {len(coats)} tensors"
        if frozen := [t for t, m in enumerate(modes) if m.frozen]:
            numbers = {t: self.ticket.pattern(t) for t in frozen}
            share = np.mean(np.concatenate([
                n.ravel() < modes[t].frozen for t, n in numbers.items() if n is not None
            ]))  # fmt: skip
            yield (f"frozen: {share:.1%} of {len(frozen)} tensors' weights, as the sequence's "
                   "pattern says")  # fmt: skip
        if stored := [t for t, m in enumerate(modes) if m.signs != Signs.SEQUENCE]:
            planes = [p for p in self.ticket.sign_planes if p is not None]
            kept = sum(np.count_nonzero(self.ticket.masks[t]) for t in stored)
            yield (f"signs: stored for {len(stored)} tensors, set at "
                   f"{sum(np.count_nonzero(p) for p in planes) / max(kept, 1):.1%} of the kept "
                   "weights, nowhere else")  # fmt: skip

    def density(self) -> str:
        masks, said = self.ticket.masks, self.ticket.density
        shares = [np.count_nonzero(mask) / mask.size for mask in masks]
        size = sum(mask.size for mask in masks)
        kept = sum(map(np.count_nonzero, masks)) / size
        # a search keeps at least one weight of every tensor, and rounds in each
        if abs(kept - said) > DENSITY_TOLERANCE + len(masks) / size:
            raise HfnError(f"{self.path}: masks keep {kept:.4f} of the weights, not {said:.4f}")
        return (f"density: masks keep {kept:.4f} of the weights, {kept - said:+.4f} against what "
                f"is said; tensors from {min(shares):.4f} to {max(shares):.4f}")  # fmt: skip

    def norms(self) -> str:
        norms = self.ticket.norms
        for conv, norm in zip(self.ticket.arch.layers, norms, strict=False):  # but the classifier
            if conv.residual is None and norm.residual.any():
                raise HfnError(f"{self.path}: {conv.name} has no residual to multiply")
        shifts, bits = [n.shift for n in norms], sorted({n.bits for n in norms})
        still = sum(int(np.count_nonzero(n.multiplier == 0)) for n in norms)
        return (f"norms: {sum(len(n.bias) for n in norms):,} channels in range, shifts from "
                f"{min(shifts)} to {max(shifts)}, activations of {', '.join(map(str, bits))} bits, "
                f"{still} channels without a multiplier")  # fmt: skip

    def accumulators(self) -> str:
        need = check_accumulators(self.ticket, self.config)
        return f"accumulators: {max(need)} bits at most of {self.config.accumulator_bits}"

    @cached_property
    def program(self):
        return compile(self.ticket, self.config)

    @cached_property
    def estimate(self):
        return estimate(self.program, self.config, DEFAULT_LATENCY, self.ticket.arch)

    def compiles(self) -> str:
        program = self.program
        check(program.descriptors, self.config)
        return (f"compiles: for {self.config.name}, {len(program.descriptors)} descriptors, "
                f"{len(program.image):,} bytes; {self.estimate.total_cycles:,} cycles and "
                f"{self.estimate.bytes_by_class['total']:,} bytes an image")  # fmt: skip

    @cached_property
    def pictures(self) -> np.ndarray:
        arch = self.ticket.arch
        shape = (self.images, arch.image_size, arch.image_size, arch.in_channels)
        return np.random.default_rng(IMAGE_SEED).integers(0, 256, shape, dtype=np.uint8)

    @cached_property
    def functional(self):
        return execute(self.program, self.config, self.pictures)

    def golden(self) -> str:
        if find_spec("torch") is None:
            return "integer golden model: not checked: no PyTorch"
        integer = rooms.load("golden.integer", "train", rooms=("golden",))
        logits = integer.IntegerResNet(self.ticket)(self.pictures.transpose(0, 3, 1, 2).copy())
        if not np.array_equal(logits.numpy(), self.functional.logits):
            raise HfnError(f"{self.path}: the functional simulator's logits are not those of the "
                           "integer golden model")  # fmt: skip
        return (f"integer golden model: logits of {self.images} random images equal the "
                "functional simulator's")  # fmt: skip

    def on_rtl(self) -> str:
        backend = rooms.load("sim.backend", "sim")
        estimate = self.estimate
        counted = backend.run(self.program, self.config, self.pictures, keep=True,
                              latency=DEFAULT_LATENCY, progress=estimate.total_cycles)  # fmt: skip
        if wrong := differences(self.program, counted, self.functional, estimate,
                                self.ticket.arch):  # fmt: skip
            raise HfnError(f"{self.path}: the RTL differs: {wrong[0]}")
        return (f"RTL: every layer and the logits of {self.images} images equal the functional "
                f"simulator's; {counted.cycles['total']:,} cycles, by cause, and bytes, by class, "
                "the estimate's")  # fmt: skip
