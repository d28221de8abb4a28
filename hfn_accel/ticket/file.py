"""The .safetensors file around a ticket: its name, its bits, its bytes, its checksum.

See docs/ticket.md.
"""

import json
import os
import zlib
from importlib import resources
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from ..errors import HfnError
from ..files import atomic_write, read_bytes
from ..network import Conv

FORMAT = "hfn-ticket"
VERSION = 2
READABLE = (1, 2)
METADATA = ("format", "version", "ticket", "crc32")
OF_VERSION_1 = ("coats", "frozen")  # names of its JSON object that are no more


def find(name: str | Path) -> Path:
    """A file's path, or the path of a shipped file given by bare name (with or without suffix)."""
    path = Path(name)
    if os.path.exists(path) or path.parent != Path("."):
        return path
    shipped = Path(str(resources.files("hfn_accel") / "tickets"))
    for candidate in (path.name, f"{path.name}.safetensors", f"{path.name}.npz"):
        if os.path.isfile(shipped / candidate):
            return shipped / candidate
    return path


def write(path: str | Path, about: dict, tensors: dict[str, np.ndarray]):
    """Write JSON data and arrays, atomically. The same content always gives the same bytes."""
    text = json.dumps(about)
    metadata = {"format": FORMAT, "version": str(VERSION), "ticket": text,
                "crc32": checksum(text, tensors)}  # fmt: skip
    atomic_write(path, _ordered(save_tensors(tensors, metadata)))


def read(path: Path) -> tuple[int, str, dict[str, np.ndarray]]:
    """A ticket file's version, JSON text and arrays.

    Raises HfnError for a missing, damaged, truncated or foreign file.
    """
    data = read_bytes(path)
    try:
        tensors, metadata = load_tensors(data), header(data)[0].get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, AttributeError):
        raise HfnError(f"{path} is not a ticket: damaged, truncated or no safetensors") from None
    if metadata.get("format") != FORMAT:
        raise HfnError(f"{path} is a safetensors file but not a ticket")
    if metadata.get("version") not in [str(version) for version in READABLE]:
        raise HfnError(f"{path} has ticket version {metadata.get('version')}, not 1 or {VERSION}")
    text = metadata.get("ticket", "")
    if metadata.get("crc32") != checksum(text, tensors):
        raise HfnError(f"{path}: damaged ticket (CRC-32 differs)")
    return int(metadata["version"]), text, tensors


def header(data: bytes) -> tuple[dict, bytes]:
    """A safetensors file's JSON header, and the bytes behind it."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def _ordered(data: bytes) -> bytes:
    """The same file with sorted metadata, whose order safetensors draws at random."""
    head, rest = header(data)
    head["__metadata__"] = dict(sorted(head["__metadata__"].items()))
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + rest


def checksum(about: str, tensors: dict[str, np.ndarray]) -> str:
    """CRC-32 of the JSON text, then of every tensor's bytes in order of name; decimal."""
    crc = zlib.crc32(about.encode())
    for _, tensor in sorted(tensors.items()):
        crc = zlib.crc32(tensor.tobytes(), crc)
    return str(crc)


def packed(planes: list[np.ndarray]) -> np.ndarray:
    """Bits 8 a byte, the first in bit 0; every plane begins at a new byte."""
    parts = [np.packbits(plane, bitorder="little") for plane in planes]
    return np.concatenate([np.zeros(0, np.uint8), *parts])


def packed_bytes(conv: Conv) -> int:
    """Bytes of a plane of that tensor."""
    return -(-conv.weights // 8)


def unpacked(data: np.ndarray, convs: list[Conv]):
    """A bool (cout, fan_in) for each of `convs`, the inverse of `packed`."""
    position = 0
    for conv in convs:
        part = data[position : position + packed_bytes(conv)]
        bits = np.unpackbits(part, bitorder="little", count=conv.weights)
        yield bits.view(bool).reshape(conv.cout, conv.fan_in)
        position += packed_bytes(conv)
