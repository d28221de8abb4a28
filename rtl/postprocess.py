"""From finished partial sums to the planes of the next layer's input."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.timing import BANK_CYCLES, RESIDUAL_CYCLES

from .delay import delayed
from .descriptor import CONV
from .requantise import PARAMETER, Requantiser


class PostProcessor(wiring.Component):
    """Adds the residual, requantises U channels a clock, and writes output planes.

    Three stages, each of which takes at most the layer's `period` clocks a pixel, so that nothing
    ever waits: (1) gather the residual's planes, a pixel ahead; (2) send N = C / U groups of
    channels through the requantiser, D = RESIDUAL_CYCLES behind their sums; (3) write the output's
    planes, most significant first. The last plane of a pixel whose sums are valid at clock e is
    written at clock e + N + WRITE_LATENCY + out_bits; in a `raw` layer its last accumulator is
    written to the result buffer at clock e + N.

    `start` (with `layer`, held until `done`) sets the addresses for a new layer and begins to read
    the first residual: the first sums may come FIRST clocks later. `i_*` come from PartialSums:
    `i_values` are held for N clocks from `i_valid` on. Ports `residual_*` and `write_*` go to
    activation banks (linear addresses in units of C lanes; data BANK_CYCLES behind the address),
    `parameter_*` (data one clock behind) and `result_*` to their buffers (units of U records or
    words); a layer's results begin at result address 0. `done` is high in the clock of the layer's
    last write. A pooling layer without `close` passes like any other, but its results are not
    written: they stay in PartialSums, which have them all by then.
    """

    WRITE_LATENCY = RESIDUAL_CYCLES + Requantiser.LATENCY - 1
    FIRST = 8

    def __init__(self, config: Config):
        self.config = config
        self.parts = config.group // config.columns
        self.groups = config.columns // config.units
        c, u = config.columns, config.units
        address = log2(config.bank_words * self.parts)
        sums = data.ArrayLayout(signed(config.accumulator_bits), c)
        super().__init__({
            "layer": In(CONV), "start": In(1), "done": Out(1),
            "i_valid": In(1), "i_end": In(1), "i_final": In(1), "i_values": In(sums),
            "residual_address": Out(address), "residual_data": In(c),
            "parameter_address": Out(max(1, log2(config.parameter_channels // u))),
            "parameter_data": In(data.ArrayLayout(PARAMETER, u)),
            "write_en": Out(1), "write_address": Out(address), "write_data": Out(c),
            "result_en": Out(1),
            "result_address": Out(max(1, log2(max(u, config.result_words) // u))),
            "result_data": Out(data.ArrayLayout(signed(32), u)),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        layer, c, u, n = self.layer, self.config.columns, self.config.units, self.groups
        m.submodules.requantiser = requantiser = Requantiser(self.config)

        # ---- stage 1: behind a pixel's sums, read and gather the residual of the pixel after it
        go, reading = Signal(), Signal(4)  # planes still to be asked for, after this clock's
        walk = self.walk(m, layer.res_base, layer.res_group_stride)
        m.d.sync += go.eq(self.start | self.i_valid)
        with m.If(go):
            m.d.sync += reading.eq(layer.res_bits - 1)
        with m.Elif(reading != 0):
            m.d.sync += reading.eq(reading - 1)
        m.d.comb += [
            self.residual_address.eq(walk.address),
            walk.plane_step.eq(go | (reading != 0)),
            walk.tile_step.eq(self.i_valid & self.i_end),
        ]
        first = delayed(m, go, BANK_CYCLES, "first")[-1]
        arrives = delayed(m, walk.plane_step, BANK_CYCLES, "arrives")[-1]
        gathered, residuals = (Signal(data.ArrayLayout(8, c), name=name)
                               for name in ("gathered", "residuals"))  # fmt: skip
        with m.If(arrives):
            for lane in range(c):
                m.d.sync += gathered[lane].eq(Cat(self.residual_data[lane], gathered[lane]))
        with m.If(first):
            m.d.sync += residuals.eq(gathered)
            m.d.sync += [gathered[lane][1:].eq(0) for lane in range(c)]
        with m.If(~layer.residual):
            m.d.sync += residuals.eq(0)

        # ---- stage 2: groups through the requantiser
        tag = Signal(data.StructLayout({"valid": 1, "group": log2(n), "end": 1, "final": 1}))
        group, end, final = Signal(log2(n)), Signal(), Signal()
        with m.If(self.i_valid):
            m.d.sync += [end.eq(self.i_end), final.eq(self.i_final)]
        m.d.comb += [
            tag.valid.eq(self.i_valid | (group != 0)),
            tag.group.eq(group),
            tag.end.eq((group == n - 1) & Mux(self.i_valid, self.i_end, end)),
            tag.final.eq((group == n - 1) & Mux(self.i_valid, self.i_final, final)),
        ]
        m.d.sync += group.eq(group + tag.valid)
        tags = delayed(m, tag, RESIDUAL_CYCLES + Requantiser.LATENCY, "tag")
        asking, entering, leaving = tags[RESIDUAL_CYCLES - 1], tags[RESIDUAL_CYCLES], tags[-1]

        def picked(values, group):
            """U of C values."""
            groups = [Cat(values[i : i + u]) for i in range(0, c, u)]
            return Array(groups)[group]

        sums = delayed(m, picked(list(self.i_values), group), RESIDUAL_CYCLES, "sums")
        tile = Signal(len(self.parameter_address) - log2(n))
        with m.If(asking.valid & asking.end):
            m.d.sync += tile.eq(tile + 1)
        with m.If(self.start):
            m.d.sync += tile.eq(layer.parameter_base >> log2(c))
        m.d.comb += [
            self.parameter_address.eq(Cat(asking.group, tile)),
            requantiser.shift.eq(layer.shift),
            requantiser.bits.eq(layer.out_bits),
            requantiser.i_valid.eq(entering.valid & ~layer.raw),
            requantiser.i_parameters.eq(self.parameter_data),
            requantiser.i_accumulators.eq(sums[-1]),
            requantiser.i_residuals.eq(picked(list(residuals), entering.group)),
        ]

        stored = tags[1]
        with m.If(self.result_en):
            m.d.sync += self.result_address.eq(self.result_address + 1)
        with m.If(self.start):
            m.d.sync += self.result_address.eq(0)
        m.d.comb += [
            self.result_en.eq(stored.valid & layer.raw & (layer.close | ~layer.pool)),
            *(self.result_data[i].eq(value) for i, value in enumerate(
                data.View(requantiser.i_accumulators.shape(), sums[1]))),
        ]  # fmt: skip

        # ---- stage 3: planes out
        walk = self.walk(m, layer.dst_base, layer.out_group_stride)
        collected, whole, values = (Signal(data.ArrayLayout(8, c), name=name)
                                    for name in ("collected", "whole", "values"))  # fmt: skip
        bit, writing, closes, finishes = Signal(3), Signal(), Signal(), Signal()
        m.d.comb += whole.eq(Cat(collected.as_value()[8 * u :], requantiser.o_values))
        with m.If(writing):
            m.d.sync += bit.eq(bit - 1)
            with m.If(bit == 0):
                m.d.sync += writing.eq(0)
        with m.If(requantiser.o_valid):
            m.d.sync += collected.eq(whole)
            with m.If(leaving.group == n - 1):
                m.d.sync += [values.eq(whole), writing.eq(1), bit.eq(layer.out_bits - 1),
                             closes.eq(leaving.end), finishes.eq(leaving.final)]  # fmt: skip
        m.d.comb += [
            self.write_en.eq(writing),
            self.write_address.eq(walk.address),
            self.write_data.eq(Cat(value.bit_select(bit, 1) for value in values)),
            walk.plane_step.eq(writing),
            walk.tile_step.eq(writing & (bit == 0) & closes),
            self.done.eq(Mux(layer.raw, stored.valid & stored.final,
                             writing & (bit == 0) & finishes)),
        ]  # fmt: skip
        return m

    def walk(self, m, base, group_stride) -> "Walk":
        return Walk(m, self.config, self.start, base, self.layer.first_part, group_stride)


class Walk:
    """Linear address, in units of C lanes, of the planes of consecutive pixels, output tile after
    output tile.

    `start`: the next address is the first plane of word `base`, part `first_part`. `plane_step`:
    the present plane is used up. `tile_step` (with or after a tile's last `plane_step`): the next
    address is the first plane of the next tile of C channels.
    """

    def __init__(self, m, config: Config, start, base, first_part, group_stride):
        words, parts = log2(config.bank_words), config.group // config.columns
        word, first = Signal(words), Signal(words)
        part = Signal(range(parts))
        self.plane_step, self.tile_step = Signal(), Signal()
        self.address = Cat(part, word) if parts > 1 else word
        with m.If(self.plane_step):
            m.d.sync += word.eq(word + 1)
        with m.If(self.tile_step):
            m.d.sync += [part.eq(part + 1), word.eq(first)]
            with m.If(part == parts - 1):
                m.d.sync += [part.eq(0), *(s.eq(first + group_stride) for s in (first, word))]
        with m.If(start):
            m.d.sync += [part.eq(first_part), word.eq(base), first.eq(base)]
