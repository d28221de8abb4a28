"""Arithmetic blocks at small sizes: for all inputs they equal their integer functions."""

from amaranth.hdl import Cat, Mux, Signal, Value, signed

from hfn_accel.config import Config
from rtl.accumulate import PlaneAccumulator
from rtl.array import Array
from rtl.psum import PartialSums
from rtl.requantise import Requantiser

from .bench import Bench

TINY = Config(rows=1, columns=1, requantisers=1, accumulator_bits=12, psum_depth=16)


def later(b: Bench, value, clocks: int):
    """A value of some clocks before."""
    for i in range(clocks):
        value = b.past(value, name=f"later_{i}")
    return value


def column(b: Bench, rows: int, columns: int):
    bipolar = b.constant(1, "bipolar")
    dut = b.block(Array(rows, columns), bipolar=bipolar)
    m = b.m
    written = Signal(rows)  # since the last clear
    hits = [dut.row_en & (dut.row_index == r) for r in range(rows)]
    m.d.sync += written.eq(Mux(dut.clear, 0, written) | Cat(hits))
    b.assume(dut.clear | ((written & Cat(hits)) == 0))
    late = b.since(1, dut.LATENCY) == dut.LATENCY
    for c in range(columns):
        weights = []
        for r in range(rows):
            mask, sign, used_mask, used_sign = (
                Signal(name=f"{n}_{r}_{c}") for n in ("mask", "sign", "used_mask", "used_sign")
            )
            with m.If(hits[r]):
                m.d.sync += [mask.eq(dut.row_mask[c]), sign.eq(dut.row_sign[c])]
            with m.Elif(dut.clear):
                m.d.sync += mask.eq(0)
            now = Mux(dut.swap, mask, used_mask), Mux(dut.swap, sign, used_sign)
            m.d.sync += [used_mask.eq(now[0]), used_sign.eq(now[1])]
            weights.append(now)
        total = Signal(signed(rows.bit_length() + 1), name=f"total_{c}")
        products = (
            Mux(mask, Mux(sign ^ (bipolar & ~x), -1, 1) & Mux(bipolar | x, -1, 0), 0)
            for (mask, sign), x in zip(weights, dut.x, strict=True)
        )
        m.d.comb += total.eq(Mux(dut.blank, 0, sum(products)))
        b.claim(f"column {c} is its sum", ~late | (dut.sums[c] == later(b, total, dut.LATENCY)))
        b.reach(f"column {c} at its largest", dut.sums[c] == rows)
        b.reach(f"column {c} at its least", dut.sums[c] == -rows)


def column_4x2(b: Bench):
    column(b, 4, 2)


def column_8x1(b: Bench):
    column(b, 8, 1)


def accumulator(b: Bench):
    dut = b.block(PlaneAccumulator(4, 1, 24))
    planes, value = Signal(range(10)), Signal(signed(16))
    sums = dut.i_sums[0]
    b.assume((sums <= 4) & (sums >= -4))
    with b.m.If(dut.i_valid):
        b.m.d.sync += [
            planes.eq(Mux(dut.i_first, 1, planes + 1)),
            value.eq(Mux(dut.i_first, 0, value * 2) + sums),
        ]
    b.assume(~dut.i_valid | dut.i_first | ((planes != 0) & (planes < 8)))
    b.claim("value is 2 * value + sum, plane by plane", (planes == 0) | (dut.o_values[0] == value))
    b.claim("valid behind the last plane", dut.o_valid == b.past(dut.i_valid & dut.i_last))
    b.reach("eight planes", dut.o_valid & (planes == 8))


def partial_sums(b: Bench):
    """Of any one address, by a model of that address alone."""
    dut = b.block(PartialSums(TINY, 4))
    place = b.constant(len(dut.i_address), "place")
    total = Signal(signed(12))
    begun = Signal()
    here = dut.i_valid & (dut.i_address == place)
    after = Signal(signed(12))
    b.m.d.comb += after.eq(Mux(dut.i_first, 0, total) + dut.i_values[0])
    with b.m.If(here):
        b.m.d.sync += [total.eq(after), begun.eq(1)]
    b.assume(~here | begun | dut.i_first)
    clocks = PartialSums.LATENCY
    b.claim(
        "the sum so far", ~later(b, here, clocks) | (dut.o_values[0] == later(b, after, clocks))
    )
    b.claim("sums leave where told", dut.o_valid == later(b, dut.i_valid & dut.i_emit, clocks))
    b.reach("the same address in neighbouring clocks", b.past(b.past(here) & here) & here)


def requantiser(b: Bench):
    dut = b.block(Requantiser(TINY))
    steady = [dut.shift, dut.bits]
    b.assume(*((b.past(s) == s) | (b.since(1, 1) == 0) for s in steady))
    b.assume((dut.shift >= 1) & (dut.shift <= 47) & (dut.bits >= 1) & (dut.bits <= 8))
    clocks = Requantiser.LATENCY
    acc, residual = (
        later(b, Value.cast(v), clocks) for v in (dut.i_accumulators[0], dut.i_residuals[0])
    )
    multiplier, branch, bias = (
        later(b, Value.cast(getattr(dut.i_parameters[0], n)), clocks)
        for n in ("multiplier", "residual", "bias")
    )
    total = Signal(signed(49))
    b.m.d.comb += total.eq(
        acc.as_signed() * multiplier.as_signed()
        + residual * branch.as_signed()
        + bias.as_signed()
        + (1 << (dut.shift - 1)[:6])
    )
    scaled = total >> dut.shift
    top = (1 << dut.bits) - 1
    valid = later(b, dut.i_valid, clocks)
    b.claim("valid LATENCY clocks later", dut.o_valid == valid)
    b.claim(
        "clamp((acc*M + r*Mr + B + 2^(S-1)) >> S)",
        ~valid | (dut.o_values[0] == Mux(scaled < 0, 0, Mux(scaled > top, top, scaled))),
    )
    b.reach("a value inside the range", valid & (dut.o_values[0] == 100))
