"""Programs for the campaigns: small, legal, with every kind of descriptor and of mask."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hfn_accel import functional, images
from hfn_accel.compiler import compile
from hfn_accel.config import Config
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.program import DESCRIPTOR_BYTES, Program, Signs
from hfn_accel.random_ticket import random_ticket
from sim import backend

from .image import SPILL, reworked, sealed

SMALL = Config(rows=4, columns=4, activation_bytes=256, mask_bytes=512, psum_depth=16,
               parameter_channels=64, result_words=64)  # fmt: skip
MIDDLE = SMALL.replace(rows=8, columns=8, activation_bytes=512, mask_bytes=1024)
WIDE = SMALL.replace(rows=16, columns=16, activation_bytes=1024, mask_bytes=2048,
                     axi_data_width=128)  # fmt: skip

ROOM = 70  # descriptors
MODES = (Mode(), Mode(coats=3, signs=Signs.EXCEPTIONS), Mode(pruned=5, locked=4),
         Mode(signs=Signs.EXPLICIT), Mode(coats=2))  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A network for a configuration, in memory with an image.

    name: of the target; spec, size: the architecture (`Architecture.parse`) and its image size.
    """

    name: str
    config: Config
    spec: str
    size: int
    bits: int = 3

    @cached_property
    def program(self) -> Program:
        arch = Architecture.parse(self.spec, classes=5, in_channels=1, image_size=self.size)
        modes = [MODES[i % len(MODES)] for i in range(len(arch.tensors))]
        ticket = random_ticket(arch, 1, density=0.5, bits=self.bits, modes=modes)
        return reworked(compile(ticket, self.config), self.config, ROOM)

    @cached_property
    def _picture(self) -> np.ndarray:
        shape = (1, self.size, self.size, 1)
        return np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)

    @cached_property
    def layout(self) -> backend.Layout:
        return backend.Layout.of(self.program, images.pack_runs(self._picture, 1))

    @cached_property
    def logits(self) -> str:
        """What a run writes to the output address, in hexadecimal digits."""
        done = functional.execute(self.program, self.config, self._picture)
        return done.logits[0].astype("<i4").tobytes().hex()

    @property
    def descriptors(self) -> list[bytes]:
        """As they lie in memory."""
        step = DESCRIPTOR_BYTES
        return [self.program.image[i * step : (i + 1) * step]
                for i in range(self.program.header["descriptors"])]  # fmt: skip

    def image(self, descriptors: list[bytes]) -> bytes:
        """What lies at the program address with these descriptors, sealed."""
        parts = b"".join(descriptors[:ROOM])
        image = parts + self.program.image[len(parts) :]
        behind = bytes(self.layout.memory[len(image) :])
        return sealed(image, len(parts) // DESCRIPTOR_BYTES, self.config, behind)

    @property
    def regions(self) -> list[tuple[int, int]]:
        """Bytes that a run may write: (first, end) of the outputs and of the workspace."""
        header = self.program.header
        output, workspace = self.layout.outputs[0], self.layout.workspace
        return [(output, output + header["output_bytes"]),
                (workspace, workspace + header["workspace_bytes"])]  # fmt: skip

    @property
    def used_workspace(self) -> int:
        """Bytes of the workspace up to the last that is written."""
        return (SPILL["address"] + (SPILL["groups"] - 1) * SPILL["memory_stride"]
                + SPILL["beats"] * self.config.bus_bytes)  # fmt: skip


PLAIN = Target("4x4", SMALL, "imagenet:4x1f", 4)
CODED = Target("8x8", MIDDLE, "imagenet:12x1", 4)  # masks in Huffman codes
BROAD = Target("16x16", WIDE, "8x1", 3)
UNCHECKED = Target("4x4, integrity 0", SMALL.replace(integrity=0), PLAIN.spec, PLAIN.size)
TARGETS = (PLAIN, CODED, BROAD, UNCHECKED)
