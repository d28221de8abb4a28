"""The files that the package reads: their readers, good ones, and how they are damaged."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from hfn_accel import check, images, listing, topology, topology_network
from hfn_accel.config import Config
from hfn_accel.exploration import sweep
from hfn_accel.modes import Mode
from hfn_accel.network import Architecture
from hfn_accel.program import Program, Signs
from hfn_accel.random_ticket import random_ticket
from hfn_accel.recipe import Recipe
from hfn_accel.ticket import file as ticket_file
from hfn_accel.ticket import load as load_ticket
from hfn_accel.ticket import show

from . import mutate
from .damage import altered, damaged
from .target import PLAIN


@dataclass(frozen=True)
class Format:
    """name: of the format; reader: takes a path; suffix: of its files; share: of all inputs; make:
    good files; also: a mutation of the format's own, used half of the time."""

    name: str
    reader: Callable
    suffix: str
    share: int
    make: Callable[[], list[bytes]]
    also: Callable | None = None

    @cached_property
    def good(self) -> list[bytes]:
        return self.make()

    def mutate(self, rng, good: list[bytes]) -> bytes:
        data = good[int(rng.integers(len(good)))]
        if self.also and rng.random() < 0.5:
            return self.also(rng, data)
        return damaged(rng, data, good)


def _written(write: Callable[[Path], object], name: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="hfn-accel-") as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def _shipped(folder: str) -> list[bytes]:
    here = Path(str(resources.files("hfn_accel"))) / "data" / folder
    return [path.read_bytes() for path in sorted(here.glob("*.toml"))]


# ---- tickets
def _read_ticket(path: Path):
    ticket = load_ticket(path)
    show.text(show.describe(ticket, path)).encode()


def _tickets() -> list[bytes]:
    modes = (Mode(), Mode(coats=2, signs=Signs.EXCEPTIONS), Mode(pruned=3, locked=2))
    made = []
    for i, mode in enumerate(modes):
        arch = Architecture.parse("4x1,4x1f", classes=3, in_channels=1, image_size=4)
        ticket = random_ticket(arch, i, bits=1 + i, modes=mode, bipolar=not i)
        made.append(_written(ticket.save, "t.safetensors"))
    return made


def _sealed_ticket(rng, data: bytes) -> bytes:
    """What a ticket says changed, or one of its arrays, with the checksum that fits."""
    head, _ = ticket_file.header(data)
    tensors, about = load_tensors(data), head["__metadata__"]
    said = json.loads(about["ticket"])
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.6:
            said = altered(rng, said)
            continue
        name = sorted(tensors)[int(rng.integers(len(tensors)))] if tensors else "x"
        tensors = {k: v for k, v in tensors.items() if k != name} | _array(rng, name, tensors)
    text = json.dumps(said)
    about = about | {"ticket": text, "crc32": ticket_file.checksum(text, tensors)}
    return save_tensors(tensors, about)


def _array(rng, name: str, tensors: dict) -> dict:
    """Another array of that name, or none."""
    old = np.array(tensors.get(name, np.zeros(3, np.uint8)))
    kind = int(rng.integers(5))
    if kind == 0:
        return {}
    if kind == 1:
        return {name: old.astype(rng.choice(["u1", "i2", "i4", "f4", "i8"]))}
    if kind == 2:
        return {name: np.resize(old, (int(rng.integers(2 * old.size + 2)), *old.shape[1:]))}
    flat = old.reshape(-1).copy()
    if flat.size:
        info = np.iinfo(old.dtype) if old.dtype.kind in "iu" else np.iinfo(np.int8)
        values = [info.min, info.max, 0, 1, 9, 17]
        flat[int(rng.integers(flat.size))] = values[int(rng.integers(len(values)))]
    return {name: flat.reshape(old.shape)}


# ---- programs
def _read_program(path: Path):
    program = Program.parse(path.read_bytes())
    program.check(PLAIN.config)
    check.check(program.descriptors, PLAIN.config)
    listing.listing(program)


# ---- samples
def _samples() -> list[bytes]:
    rng = np.random.default_rng(1)
    fields = {"images": rng.integers(0, 256, (3, 4, 4, 1)).astype(np.uint8),
              "labels": np.array([0, 1, 1]), "class_names": np.array(["a", "b"])}  # fmt: skip
    made = []
    for save in (np.savez, np.savez_compressed):
        save(buffer := io.BytesIO(), **fields)
        made.append(buffer.getvalue())
    return made


def _sealed_sample(rng, data: bytes) -> bytes:
    """Members of other shapes and types, or with headers that lie, in a sound archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    name = sorted(members)[int(rng.integers(len(members)))]
    members[name] = damaged(rng, members[name], [members[name]])
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        for member, content in members.items():
            file.writestr(member, content)
    return target.getvalue()


# ---- texts
def _configs() -> list[bytes]:
    given = Config(rows=8, columns=8).to_dict()
    return ["".join(f"{k} = {v}\n" for k, v in given.items()).encode(), b"rows = 4\ncolumns = 4\n"]


def _topologies() -> list[bytes]:
    arch = Architecture.parse("4x1,8x1f", classes=3, in_channels=1, image_size=8)
    network = topology.of_network(arch)
    gemm = b"Layer, M, N, K,\nfirst, 10, 20, 30,\nsecond, 1, 2, 3, 1:1,\n"
    return [_written(lambda path: topology.write(path, network), "t.csv"), gemm]


FORMATS = (
    Format("ticket", _read_ticket, ".safetensors", 25, _tickets, _sealed_ticket),
    Format("program", _read_program, ".bin", 15, lambda: [PLAIN.program.image],
           lambda rng, data: mutate.program(rng, PLAIN)[0]),
    Format("configuration", lambda path: Config.parse(file=str(path)), ".toml", 20, _configs),
    Format("topology", topology.read, ".csv", 15, _topologies),
    Format("topology-estimate", lambda path: topology_network.report(topology.read(path), Config()),
           ".csv", 1, _topologies),
    Format("sweep", sweep.read, ".toml", 5, lambda: _shipped("sweeps")),
    Format("recipe", Recipe.from_toml, ".toml", 10, lambda: _shipped("recipes")),
    Format("sample", images.load, ".npz", 10, _samples, _sealed_sample),
)  # fmt: skip
