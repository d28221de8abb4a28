"""Programs made by hand: one CONV of random geometry in full banks, and what it must compute.

Shares no code with compiler and functional simulator but the descriptor table, the codec and the
weight sequence; for their tests and for the benches of the RTL.
"""

from dataclasses import dataclass

import numpy as np

from hfn_accel import codec, sequence
from hfn_accel.config import Config
from hfn_accel.modes import Mode
from hfn_accel.program import (
    DESCRIPTOR_BYTES,
    Opcode,
    Program,
    Signs,
    available,
    encode,
    pack_parameters,
    seal,
    shape_fields,
)

SEED = 0x9E3779B97F4A7C15  # seed state of the weights


class Builder:
    """Descriptors, and regions at multiples of 64 bytes behind room for ROOM of them."""

    ROOM = 64

    def __init__(self, config: Config):
        self.config = config
        self.descriptors, self.body = [], bytearray()

    def add(self, opcode: Opcode, **fields: int) -> int:
        """Append a descriptor; its index."""
        self.descriptors.append(encode(opcode, **fields))
        return len(self.descriptors)

    def region(self, data: bytes) -> int:
        """Place data; its address in the program image."""
        address = self.ROOM * DESCRIPTOR_BYTES + len(self.body)
        self.body += data + bytes(-len(data) % 64)
        return address

    def program(self, **header: int) -> Program:
        """What was added, between BEGIN and END; BEGIN asks for all that there is."""
        listed = b"".join([*self.descriptors, encode(Opcode.END)])
        room = (self.ROOM - 1) * DESCRIPTOR_BYTES
        assert len(listed) <= room
        rest = listed + bytes(room - len(listed)) + bytes(self.body)
        fields = {
            **shape_fields(self.config), **available(self.config), "batch": 1, "classes": 1,
            "output_bytes": 64, "image_bytes": DESCRIPTOR_BYTES + len(rest),
            "descriptors": len(self.descriptors) + 2,
        }  # fmt: skip
        return Program(seal(encode(Opcode.BEGIN, **(fields | header)) + rest))


def rebuilt(program: Program, changes: dict[int, dict[str, int]]) -> Program:
    """The program with fields of descriptors changed, and CRCs that fit."""

    def encoded(index, fields):
        opcode, old = program.descriptors[index]
        return encode(opcode, **{k: v for k, v in (old | fields).items() if k != "opcode"})

    image = bytearray(program.image)
    for index, fields in changes.items():
        at = index * DESCRIPTOR_BYTES
        image[at : at + DESCRIPTOR_BYTES] = encoded(index, fields)
    return Program.parse(seal(bytes(image)))


def put(bank: np.ndarray, group: int, values: np.ndarray, bits: int, base: int, row_stride: int,
        group_stride: int, first_lane: int = 0):  # fmt: skip
    """Store a map (height, width, channels) in a bank's bits as docs/architecture.md says."""
    for y, x, c, b in np.ndindex(*values.shape, bits):
        g, lane = divmod(first_lane + c, group)
        word = base + g * group_stride + y * row_stride + x * bits + b
        bank[word * group + lane] = values[y, x, c] >> (bits - 1 - b) & 1


@dataclass
class Case:
    """One CONV: `fields` of its descriptor but the addresses in the image; `banks` before it, uint8
    bits (3, bank bits); `stream` and `parameters` (bytes) to fetch; `weights` int64 (cout, ky, kx,
    cin); `planes` bool (cout, fan_in) in the mask buffer; `after`: the output bank's bits; `lanes`:
    which of them are determined; `outputs` (cout, height, width), or `logits` (cout,) if raw.
    """

    config: Config
    fields: dict[str, int]
    banks: np.ndarray
    stream: bytes
    parameters: bytes
    weights: np.ndarray
    planes: list[np.ndarray]
    outputs: np.ndarray | None = None
    logits: np.ndarray | None = None
    after: np.ndarray | None = None
    lanes: np.ndarray | None = None

    def add_to(self, builder: Builder, **changes: int) -> int:
        """Append the CONV and what it fetches; its index."""
        fields = {"fetch_mask": 1, "mask_address": builder.region(self.stream)}
        if not self.fields["raw"]:
            fields |= {"fetch_parameters": 1,
                       "parameter_address": builder.region(self.parameters)}  # fmt: skip
        return builder.add(Opcode.CONV, **(self.fields | fields | changes))


def random_conv(rng, config: Config, *, mode: Mode | None = None, raw: bool = False,
                bipolar: bool = False, coded: bool = True, **fixed: int) -> Case:  # fmt: skip
    """A CONV over some rows of a map and some channels of a tensor, wherever they may lie.

    `fixed`: any of cin, cout, kernel_height, kernel_width, stride, stride_x, in_bits, out_bits,
    res_bits (0: no residual), height, width (of the map).
    """

    def draw(name, low, high):
        return int(fixed.get(name, rng.integers(low, high + 1)))

    r, c, group = config.rows, config.columns, config.group
    cin, cout = draw("cin", 1, 3 * r), draw("cout", 1, 3 * c)
    kernel_height, kernel_width = draw("kernel_height", 1, 3), draw("kernel_width", 1, 3)
    stride, stride_x = draw("stride", 1, 2), draw("stride_x", 1, 2)
    in_bits = 1 if bipolar else draw("in_bits", 1, 8)
    out_bits, res_bits = draw("out_bits", 1, 8), 0 if raw else draw("res_bits", 0, 8)
    height, width = draw("height", 3, 6), draw("width", 3, 6)
    pad_y, pad_x = int(rng.integers(kernel_height)), int(rng.integers(kernel_width))
    out_width = (width + 2 * pad_x - kernel_width) // stride_x + 1
    all_rows = (height + 2 * pad_y - kernel_height) // stride + 1
    first_row = int(rng.integers(all_rows))  # a band
    out_height = int(rng.integers(1, all_rows - first_row + 1))
    y_first = first_row * stride - pad_y
    pixels = out_height * out_width

    banks = rng.integers(0, 2, (3, config.bank_words * group)).astype(np.uint8)
    src, dst, res = (int(b) for b in rng.permutation(3))
    row_stride = width * in_bits + int(rng.integers(3))
    in_group_stride = height * row_stride + int(rng.integers(5))
    base = int(rng.integers(20))
    x = rng.integers(0, 1 << in_bits, (height, width, cin))
    put(banks[src], group, x, in_bits, base, row_stride, in_group_stride)

    # a tensor of more channels than these, and their weights
    tensor, first_channel = int(rng.integers(5)), int(rng.integers(10))
    fan_in = kernel_height * kernel_width * cin
    chosen = slice(first_channel, first_channel + cout)
    mode = mode or Mode()
    mask = rng.integers(0, mode.coats + 1, (cout, fan_in)).astype(np.uint8)
    pattern = None
    if mode.frozen:
        pattern = sequence.pattern(SEED, tensor, chosen.stop, fan_in)[chosen]
        mask[pattern < mode.frozen] = 1
        mask[pattern < mode.pruned] = 0
    signs = sequence.signs(SEED, tensor, chosen.stop, fan_in)[chosen].astype(np.int64)
    sign_plane = None
    if mode.signs != Signs.SEQUENCE:
        sign_plane = (mask > 0) & (rng.random(mask.shape) < 0.3)
        signs = (1 if mode.signs == Signs.EXPLICIT else signs) * np.where(sign_plane, -1, 1)
    weights = (signs * mask).reshape(cout, kernel_height, kernel_width, cin)
    planes = [mask > coat for coat in range(mode.coats)]
    planes += [] if sign_plane is None else [sign_plane]
    code = sign_code = 0
    if coded and c >= codec.UNIT:
        code = 0 if mode.frozen else int(rng.integers(len(codec.TABLES) + 1))
        sign_code = 0 if sign_plane is None else int(rng.integers(len(codec.TABLES) + 1))
    stream = codec.encode(mask, sign_plane, mode, pattern, code, sign_code, config)

    # accumulators, from the definition
    acc = np.zeros((out_height, out_width, cout), np.int64)
    meaning = 2 * x - 1 if bipolar else x
    for oy, ox, ky, kx in np.ndindex(out_height, out_width, kernel_height, kernel_width):
        at_y, at_x = y_first + oy * stride + ky, ox * stride_x + kx - pad_x
        if 0 <= at_y < height and 0 <= at_x < width:
            acc[oy, ox] += weights[:, ky, kx] @ meaning[at_y, at_x]

    tiles, parts = -(-cout // c), group // c
    beats = tiles * -(-fan_in * c // config.axi_data_width)
    in_tiles = -(-cin // r)
    strip_rows = int(rng.integers(1, min(out_height, config.psum_depth // out_width) + 1))
    strips = -(-out_height // strip_rows)
    plane_beats = beats + int(rng.integers(3))
    fields = {
        "src_bank": src, "dst_bank": dst, "res_bank": res, "raw": int(raw), "pool": int(raw),
        "open": 1, "close": 1, "bipolar": int(bipolar), "signs": int(mode.signs),
        "coats": mode.coats, "pruned": mode.pruned, "locked": mode.locked, "in_bits": in_bits,
        "kernel_height": kernel_height, "kernel_width": kernel_width, "stride": stride,
        "stride_x": stride_x, "pad_x": pad_x, "y_first": y_first % (1 << 16),
        "in_height": height, "in_width": width, "out_width": out_width,
        "in_tiles": in_tiles, "last_rows": cin - (in_tiles - 1) * r, "out_tiles": tiles,
        "out_channels": cout, "strips": strips, "strip_rows": strip_rows,
        "last_strip_rows": out_height - (strips - 1) * strip_rows, "row_stride": row_stride,
        "strip_stride": strip_rows * stride * row_stride,
        "src_base": (base + y_first * row_stride - pad_x * in_bits) % (1 << 24),
        "in_group_stride": in_group_stride, "fan_in": fan_in,
        "sign_state": sequence.tensor_state(SEED, tensor, first_channel),
        "pattern_state": sequence.pattern_state(SEED, tensor, first_channel),
        "mask_base": int(rng.integers(10)), "plane_beats": plane_beats,
        "mask_beats": len(stream) // config.bus_bytes, "code": code, "sign_code": sign_code,
    }  # fmt: skip
    case = Case(config, fields, banks, stream, b"", weights, planes)
    if raw:
        case.logits = acc.sum((0, 1))
        return case

    # normalisation that spreads the accumulators over the outputs
    first_part = int(rng.integers(parts))
    shift = int(rng.integers(8, 20))
    spread = max(1, int(np.abs(acc).max()))
    factor = (1 << shift) * (1 << out_bits) / spread
    m = np.clip(rng.uniform(-1, 1, cout) * factor, -32768, 32767).astype(np.int64)
    mr = np.zeros(cout, np.int64)
    b = rng.integers(0, 1 << shift + out_bits, cout)
    total = acc * m + b + (1 << shift - 1)
    if res_bits:
        mr = np.clip(rng.uniform(-1, 1, cout) * 2.0 ** (shift + out_bits - res_bits),
                     -32768, 32767).astype(np.int64)  # fmt: skip
        residual = rng.integers(0, 1 << res_bits, (out_height, out_width, cout))
        res_stride = pixels * res_bits + int(rng.integers(5))
        res_base = int(rng.integers(20))
        put(banks[res], group, residual, res_bits, res_base, out_width * res_bits, res_stride,
            first_part * c)  # fmt: skip
        total += residual * mr
        fields |= {"residual": 1, "res_bits": res_bits, "res_base": res_base,
                   "res_group_stride": res_stride}  # fmt: skip
    y = np.clip(total >> shift, 0, (1 << out_bits) - 1)
    dst_base, dst_stride = int(rng.integers(20)), pixels * out_bits + int(rng.integers(5))
    step = max(c, config.bus_bytes // 8)
    fields |= {
        "out_bits": out_bits, "shift": shift, "first_part": first_part, "dst_base": dst_base,
        "out_group_stride": dst_stride, "parameter_base": step * int(rng.integers(3)),
    }  # fmt: skip
    case.parameters = pack_parameters(m, mr, b)
    case.outputs = y.transpose(2, 0, 1).astype(np.uint8)
    case.after, case.lanes = banks[dst].copy(), np.ones(banks.shape[1], bool)
    row = out_width * out_bits
    put(case.after, group, y, out_bits, dst_base, row, dst_stride, first_part * c)
    beyond = np.zeros_like(banks[dst])  # lanes of the last tile without a channel hold anything
    ones = np.full((out_height, out_width, tiles * c - cout), (1 << out_bits) - 1)
    put(beyond, group, ones, out_bits, dst_base, row, dst_stride, first_part * c + cout)
    case.lanes[beyond == 1] = False
    return case
