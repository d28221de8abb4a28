"""Legality of decoded descriptors: fields that agree with each other and stay within buffers.

Where maps, masks and parameters lie is free, but what a descriptor touches must exist. Whether
the tokens order everything that must be is the compiler's affair; here they must only be possible.
"""

from .check_layer import conv, demand, pool
from .config import Config
from .errors import HfnError
from .images import LOGIT_BYTES, MAX_TAPS, PIXEL_BYTES, logits_stride
from .program import BANKS, Opcode
from .ticket import IMAGE_BITS

_TOKENS = 1 << 16  # counts of what is complete are modulo this


def check(descriptors: list[tuple[Opcode, dict[str, int]]], config: Config):
    """Raise HfnError, naming descriptor and field, for a program that means nothing."""
    codes = [code for code, _ in descriptors]
    if codes[:1] != [Opcode.BEGIN] or codes[-1:] != [Opcode.END] or {
            Opcode.BEGIN, Opcode.END} & set(codes[1:-1]):  # fmt: skip
        raise HfnError("illegal program: it must be BEGIN, ..., END")
    header = descriptors[0][1]
    demand(0, header, _begin(header))
    images = [f for code, f in descriptors if code == Opcode.IMAGE]
    executed = stored = 0
    left = None  # output tiles whose pooled sums the CONV before left
    for index, (code, f) in enumerate(descriptors[1:], 1):
        demand(index, f, _tokens(f, executed, stored))
        if code == Opcode.IMAGE:
            demand(index, f, _image(f, images[0], header, config))
        elif code in (Opcode.LOAD, Opcode.STORE):
            demand(index, f, _transfer(f, header, config))
        elif code == Opcode.POOL:
            pool(index, f, header, config)
        elif code == Opcode.CONV:
            conv(index, f, header, config)
            if f["pool"]:
                demand(index, f, {"open": f["open"] or left == f["out_tiles"]})
            left = f["out_tiles"] if f["pool"] and not f["close"] else None
        executed += code in (Opcode.CONV, Opcode.POOL)
        stored += code == Opcode.STORE


def _begin(header) -> dict[str, bool]:
    last = (header["batch"] - 1) * logits_stride(header["classes"])
    return {
        "batch": header["batch"] >= 1,
        "classes": 1 <= header["classes"],
        "output_bytes": header["output_bytes"] >= last + LOGIT_BYTES * header["classes"],
    }


def _tokens(f, executed: int, stored: int) -> dict[str, bool]:
    """A token is not above what there was before the descriptor."""

    def past(name: str, count: int) -> bool:
        return (count - f[name]) % _TOKENS < _TOKENS // 2

    return {
        "wait_executed": past("wait_executed", executed),
        "wait_stored": past("wait_stored", stored),
        "hold_stored": past("hold_stored", stored),
    }


def _image(f, first, header, config: Config) -> dict[str, bool]:
    lanes, pixels = f["taps"] * f["channels"], f["rows"] * f["out_width"]
    groups, bus = -(-lanes // config.group), config.bus_bytes
    beats = -(-f["rows"] * f["width"] * PIXEL_BYTES // bus)
    end = f["base"] + (groups - 1) * f["group_stride"] + pixels * IMAGE_BITS
    return {
        "bank": f["bank"] < BANKS,
        "channels": 1 <= f["channels"] <= PIXEL_BYTES and f["channels"] == first["channels"],
        "taps": 1 <= f["taps"] <= MAX_TAPS,
        "stride": f["stride"] in (1, 2),
        "rows": f["rows"] >= 1,
        "width": f["width"] >= 1 and f["width"] == first["width"],
        "pad": f["pad"] < f["taps"],
        "out_width": f["out_width"] >= 1
        and (f["out_width"] - 1) * f["stride"] - f["pad"] < f["width"],
        "granules": f["granules"] == -(-lanes // config.columns),
        "address": f["address"] % bus == 0 and f["address"] + beats * bus <= header["input_bytes"],
        "group_stride": groups == 1 or f["group_stride"] >= pixels * IMAGE_BITS,
        "base": end <= header["bank_words"],
    }


def _transfer(f, header, config: Config) -> dict[str, bool]:
    bus = config.bus_bytes
    beats = -(-header["bank_words"] * config.group // config.axi_data_width)
    last = f["bank_beat"] + (f["groups"] - 1) * f["bank_stride"] + f["beats"]
    end = f["address"] + (f["groups"] - 1) * f["memory_stride"] + f["beats"] * bus
    return {
        "bank": f["bank"] < BANKS,
        "groups": f["groups"] >= 1,
        "beats": f["beats"] >= 1,
        "bank_beat": last <= beats,
        "memory_stride": f["memory_stride"] % bus == 0,
        "address": f["address"] % bus == 0 and end <= header["workspace_bytes"],
    }
