"""From a ticket and a configuration to a program image.

The plan, layer by layer: a bank for every tensor (by liveness), strips that fit the partial-sum
buffer, a place in the mask buffer (a folded block's masks stay there for all its iterations if
they fit together). The compiler proves that accumulators cannot overflow, and refuses what the
configuration cannot hold. Layouts: docs/architecture.md; image: docs/program.md.
"""

import zlib
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from . import sequence
from .arithmetic import signed_bits
from .config import Config
from .errors import HfnError
from .images import PIXEL_BYTES
from .network import Conv
from .program import (
    DESCRIPTOR_BYTES,
    Opcode,
    Program,
    encode,
    pack_parameters,
    shape_fields,
)
from .ticket import IMAGE_BITS, Ticket

BANKS = 3
REGION_ALIGNMENT = 64  # of masks and parameters in the image


def compile(ticket: Ticket, config: Config) -> Program:
    """The ticket's program for one configuration.

    Raises HfnError, naming layer, figure and limit, for a network that the configuration's
    buffers or the descriptors' fields cannot hold, or whose accumulators could overflow.
    """
    arch = ticket.arch
    need = _Needs(config)
    pixels = arch.image_size**2
    need.bank("image", arch.in_channels, pixels, IMAGE_BITS)
    masks = [pack_mask(mask, config) for mask in ticket.masks]
    places = place_masks(arch.layers, [len(m) // config.bus_bytes for m in masks], config)
    banks = allocate_banks(arch.layers)
    image = _Image(descriptors=len(arch.layers) + 3)
    mask_at = [image.add(mask) for mask in masks]
    extremes = [_extremes(ticket.weights(conv.tensor)) for conv in arch.tensors]

    load = encode(Opcode.LOAD, dst_bank=banks[-1], channels=arch.in_channels,
                  granules=-(-arch.in_channels // config.columns), pixels=pixels,
                  group_stride=pixels * IMAGE_BITS)  # fmt: skip
    descriptors, notes = [load], ["BEGIN", "LOAD image"]
    for conv, place in zip(arch.layers, places, strict=True):
        shape = _shape_fields(conv, ticket, config)
        need.layer(conv, ticket, shape, place, extremes[conv.tensor])
        norm = {}
        if not conv.classifier:
            n = ticket.norms[conv.norm]
            norm = {
                "shift": n.shift, "out_bits": n.bits,
                "out_group_stride": conv.out_size**2 * n.bits,
                "parameter_address": image.add(pack_parameters(n.multiplier, n.residual, n.bias)),
            }  # fmt: skip
        if conv.residual is not None:
            bits = ticket.bits_of(conv.residual)
            norm |= {"residual": 1, "res_bank": banks[conv.residual], "res_bits": bits,
                     "res_group_stride": conv.out_size**2 * bits}  # fmt: skip
        try:
            descriptors.append(encode(
                Opcode.CONV, **shape, **norm,
                src_bank=banks[conv.source], dst_bank=banks[conv.norm],
                raw=int(conv.classifier), pool=int(conv.classifier),
                fetch_mask=int(place.fetch), mask_base=place.base, mask_beats=place.beats,
                mask_address=mask_at[conv.tensor],
                sign_state=sequence.tensor_state(ticket.state, conv.tensor),
            ))  # fmt: skip
        except HfnError as error:
            raise HfnError(f"{conv.name}: {error}") from None
        notes.append(f"CONV {conv.name}: {place.note}")
    descriptors.append(encode(Opcode.END))
    notes.append("END")

    body = image.finish(descriptors)
    begin = encode(
        Opcode.BEGIN, **shape_fields(config), **need.fields,
        image_bytes=DESCRIPTOR_BYTES + len(body), crc32=zlib.crc32(body),
        input_bytes=-(-pixels * PIXEL_BYTES // config.bus_bytes) * config.bus_bytes,
        output_bytes=4 * arch.classes, descriptors=len(descriptors) + 1,
    )  # fmt: skip
    return Program(begin + body, tuple(notes))


def pack_mask(mask: np.ndarray, config: Config) -> bytes:
    """Mask stream of a tensor, from bool (cout, fan_in) in address order.

    Output tile after output tile, each padded to whole bus beats; within a tile, a row of C bits
    for each k, least significant bit first. Channels beyond cout have 0. R has no influence:
    a tile's rows follow each other in address order.
    """
    columns, (cout, fan_in) = config.columns, mask.shape
    tiles = -(-cout // columns)
    padded = np.zeros((tiles * columns, fan_in), bool)
    padded[:cout] = mask
    rows = padded.reshape(tiles, columns, fan_in).transpose(0, 2, 1).reshape(tiles, -1)
    packed = np.packbits(rows, axis=1, bitorder="little")
    beats = tile_beats(fan_in, config)
    stream = np.zeros((tiles, beats * config.bus_bytes), np.uint8)
    stream[:, : packed.shape[1]] = packed
    return stream.tobytes()


def tile_beats(fan_in, config):
    """Bus beats of one output tile's masks (arrays too, with `designs.Designs`)."""
    return -(-fan_in * config.columns // config.axi_data_width)


def allocate_banks(layers: tuple[Conv, ...]) -> dict[int, int]:
    """Bank of every tensor by `norm` index (-1: the image, in bank 0), by liveness.

    A layer's output takes the first bank that holds no tensor which this layer or a later one
    reads. Raises HfnError if more than three tensors live at once.
    """
    last_use = {}
    for conv in layers:
        last_use |= {t: conv.norm for t in (conv.source, conv.residual) if t is not None}
    bank = {-1: 0}
    for conv in layers:
        live = {b for tensor, b in bank.items() if last_use.get(tensor, -1) >= conv.norm}
        free = [b for b in range(BANKS) if b not in live]
        if not free:
            raise HfnError(f"{conv.name}: {len(live) + 1} tensors live, the limit is {BANKS} banks")
        bank[conv.norm] = free[0]
    return bank


@dataclass(frozen=True)
class MaskPlace:
    """Where a layer's mask lies in the mask buffer (bus beats), and whether it is fetched."""

    base: int
    beats: int
    fetch: bool
    note: str


def place_masks(layers, beats: list[int], config: Config) -> list[MaskPlace]:
    """One place per executed layer; `beats[t]`: length of tensor t's mask.

    The masks of a folded block lie behind each other and stay for all iterations if they fit
    together; else every layer begins at 0 and is fetched each time.
    """
    places = []
    for folded, run in groupby(layers, key=lambda conv: conv.folded):
        run = list(run)
        block = {conv.tensor: beats[conv.tensor] for conv in run}
        together = sum(block.values())
        stays = folded and together <= config.mask_words
        base, held = {}, 0
        for tensor, count in block.items():
            base[tensor] = held
            held += count
        resident = set()
        for conv in run:
            fetch = not stays or conv.tensor not in resident
            resident.add(conv.tensor)
            if stays:
                note = "mask fetched, stays" if fetch else "mask still on chip"
            else:
                note = "mask fetched"
                if folded:
                    note += (f" (the folded block's {together} beats exceed the mask buffer's "
                             f"{config.mask_words})")  # fmt: skip
            at = base[conv.tensor] if stays else 0
            places.append(MaskPlace(at, beats[conv.tensor], fetch, note))
    return places


def _extremes(weights: np.ndarray) -> tuple[int, int]:
    """Largest count of negative and of positive weights of an output channel."""
    return int((weights < 0).sum(1).max()), int((weights > 0).sum(1).max())


def _shape_fields(conv: Conv, ticket: Ticket, config: Config) -> dict[str, int]:
    """Descriptor fields that follow from the layer's shape."""
    bits, size, out = ticket.bits_of(conv.source), conv.in_size, conv.out_size
    in_tiles = -(-conv.cin // config.rows)
    if conv.classifier:
        strip_rows = out  # all pixels add to one partial sum
    else:
        strip_rows = min(config.psum_depth // out, out)
        if strip_rows == 0:
            raise HfnError(
                f"{conv.name}: a row of {out} output pixels exceeds the partial sums' "
                f"psum_depth {config.psum_depth}"
            )
    strips = -(-out // strip_rows)
    row_stride = size * bits
    return {
        "in_bits": bits, "kernel": conv.kernel, "stride": conv.stride, "pad": conv.pad,
        "in_height": size, "in_width": size, "out_width": out,
        "in_tiles": in_tiles, "last_rows": conv.cin - (in_tiles - 1) * config.rows,
        "out_tiles": -(-conv.cout // config.columns), "out_channels": conv.cout,
        "strips": strips, "strip_rows": strip_rows,
        "last_strip_rows": out - (strips - 1) * strip_rows,
        "row_stride": row_stride, "origin": conv.pad * (row_stride + bits),
        "in_group_stride": size * row_stride,
        "strip_stride": strip_rows * conv.stride * row_stride,
    }  # fmt: skip


class _Needs:
    """BEGIN's requirement fields: the largest need of every buffer, each within its limit."""

    def __init__(self, config: Config):
        self.config = config
        self.fields = dict.fromkeys(
            ("bank_words", "mask_words", "psum_depth", "parameter_channels", "result_words",
             "accumulator_bits"), 0)  # fmt: skip

    def _need(self, name: str, field: str, figure: int, limit: int, what: str, option: str):
        if figure > limit:
            raise HfnError(f"{name}: {what} {figure}, the limit is {limit}: enlarge {option}")
        self.fields[field] = max(self.fields[field], figure)

    def bank(self, name: str, channels: int, pixels: int, bits: int):
        """A tensor must fit one activation bank."""
        words = -(-channels // self.config.group) * pixels * bits
        self._need(name, "bank_words", words, self.config.bank_words,
                   "activation words", "activation_bytes")  # fmt: skip

    def layer(self, conv: Conv, ticket: Ticket, shape: dict[str, int], place: MaskPlace, extremes):
        """Everything that a layer needs. `extremes`: see `_extremes`."""
        config, channels = self.config, shape["out_tiles"] * self.config.columns
        self._need(conv.name, "mask_words", place.base + place.beats, config.mask_words,
                   "mask beats", "mask_bytes")  # fmt: skip
        if conv.classifier:
            self._need(conv.name, "psum_depth", 1, config.psum_depth, "partial sums", "psum_depth")
            self._need(conv.name, "result_words", channels, config.result_words,
                       "logits in whole column tiles", "result_words")  # fmt: skip
        else:
            self._need(conv.name, "psum_depth", shape["strip_rows"] * shape["out_width"],
                       config.psum_depth, "partial sums", "psum_depth")  # fmt: skip
            self._need(conv.name, "parameter_channels", channels, config.parameter_channels,
                       "output channels in whole column tiles", "parameter_channels")  # fmt: skip
            self.bank(conv.name, conv.cout, conv.out_size**2, ticket.bits_of(conv.norm))
        largest = (1 << shape["in_bits"]) - 1
        if conv.classifier:
            largest *= conv.out_size**2
        negative, positive = extremes
        bits = signed_bits(-negative * largest, positive * largest)
        self._need(conv.name, "accumulator_bits", bits, config.accumulator_bits,
                   "bits of accumulator for a sum of up to "
                   f"{max(negative, positive) * largest}:", "accumulator_bits")  # fmt: skip


class _Image:
    """Regions behind the descriptors, each at a multiple of REGION_ALIGNMENT."""

    def __init__(self, descriptors: int):
        self.size = descriptors * DESCRIPTOR_BYTES
        self.regions = []

    def add(self, data: bytes) -> int:
        """Append a region; its byte offset in the image."""
        address = self.size
        self.regions.append(data + bytes(-len(data) % REGION_ALIGNMENT))
        self.size += len(self.regions[-1])
        return address

    def finish(self, descriptors: list[bytes]) -> bytes:
        """Everything behind BEGIN."""
        return b"".join(descriptors + self.regions)
