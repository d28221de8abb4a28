"""From finished partial sums to the planes of the next layer's input."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2

from .descriptor import CONV
from .requantise import PARAMETER, Requantiser


class PostProcessor(wiring.Component):
    """Adds the residual, requantises U channels a clock, and writes output planes.

    Three stages, each of which takes at most the layer's `period` clocks a pixel, so that nothing
    ever waits: (1) gather the residual's planes, (2) send N = C / U groups of channels through the
    requantiser, (3) write the output's planes, most significant first. With n = res_bits (1 without
    residual), a pixel whose sums are valid at clock e enters stage 2 at clock e + n and its last
    plane is written at clock e + n + N + 3 + out_bits (`WRITE_LATENCY`); in a `raw` layer its last
    accumulator is written to the result buffer at clock e + n + N - 1.

    `start` (with `layer`, held until `done`) sets the addresses for a new layer. `i_*` come from
    PartialSums. Ports `residual_*` and `write_*` go to activation banks (linear addresses in units
    of C lanes), `parameter_*` and `result_*` to their buffers (units of U records or words); a
    layer's results begin at result address 0. `done` is high in the clock of the layer's last
    write. A pooling layer without `close` passes like any other, but its results are not written:
    they stay in PartialSums, which have them all by then.
    """

    WRITE_LATENCY = Requantiser.LATENCY - 1

    def __init__(self, config: Config):
        self.config = config
        self.parts = config.group // config.columns
        self.groups = config.columns // config.units
        c, u = config.columns, config.units
        address = log2(config.bank_words * self.parts)
        sums = data.ArrayLayout(signed(config.accumulator_bits), c)
        super().__init__({
            "layer": In(CONV), "start": In(1), "done": Out(1),
            "i_early": In(1), "i_early_end": In(1),
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
        config, layer = self.config, self.layer
        c, u, n = config.columns, config.units, self.groups
        m.submodules.requantiser = requantiser = Requantiser(config)

        # ---- stage 1: gather the residual
        residual_walk = self.walk(m, layer.res_base, layer.res_group_stride)
        gathering, left = Signal(), Signal(4)
        gathered = Signal(data.ArrayLayout(8, c))
        complete = Signal(data.ArrayLayout(8, c))  # with the plane that arrives now
        steps = Mux(layer.residual, layer.res_bits, 1)
        launch = Signal()  # the last clock of stage 1
        first = Signal()  # the clock of i_valid
        m.d.comb += [
            first.eq(self.i_valid),
            launch.eq(Mux(first, steps == 1, gathering & (left == 1))),
            self.residual_address.eq(residual_walk.address),
        ]
        with m.If(first):
            m.d.sync += [gathering.eq(steps != 1), left.eq(steps - 1)]
        with m.Elif(gathering):
            m.d.sync += left.eq(left - 1)
            with m.If(left == 1):
                m.d.sync += gathering.eq(0)
        reading = Signal(4)  # planes still to be asked for, after this clock's
        m.d.comb += residual_walk.plane_step.eq(self.i_early | (reading != 0))
        with m.If(self.i_early):
            m.d.sync += reading.eq(steps - 1)
        with m.Elif(reading != 0):
            m.d.sync += reading.eq(reading - 1)
        closing = Signal()  # the residual being read is the last of its output tile
        with m.If(self.i_early):
            m.d.sync += closing.eq(self.i_early_end)
        m.d.comb += residual_walk.tile_step.eq(
            Mux(self.i_early, (steps == 1) & self.i_early_end, (reading == 1) & closing)
        )
        before = [Mux(first, 0, gathered[lane])[:7] for lane in range(c)]
        arriving = self.residual_data & layer.residual.replicate(c)
        m.d.comb += complete.as_value().eq(Cat(Cat(arriving[i], before[i]) for i in range(c)))
        m.d.sync += gathered.eq(complete)

        # ---- stage 2: groups through the requantiser
        sums = Signal.like(self.i_values)
        residuals = Signal.like(gathered)
        groups_left = Signal(range(n + 1))
        sending = Signal()
        ends, finals = Signal(), Signal()
        base = Signal.like(self.parameter_address)  # output tile * N
        group = Signal(range(n + 1))
        m.d.comb += [
            sending.eq(groups_left != 0),
            self.parameter_address.eq(base + Mux(launch, 0, group)),
        ]
        with m.If(sending):
            m.d.sync += [groups_left.eq(groups_left - 1), group.eq(group + 1)]
            m.d.sync += [sums[i].eq(sums[i + u]) for i in range(c - u)]
            m.d.sync += [residuals[i].eq(residuals[i + u]) for i in range(c - u)]
        with m.If(launch):
            m.d.sync += [sums.eq(self.i_values), residuals.eq(complete), groups_left.eq(n),
                         group.eq(1), ends.eq(self.i_end), finals.eq(self.i_final)]  # fmt: skip
        last_group = Signal()
        m.d.comb += last_group.eq(groups_left == 1)
        m.d.comb += [
            requantiser.shift.eq(layer.shift),
            requantiser.bits.eq(layer.out_bits),
            requantiser.i_valid.eq(sending & ~layer.raw),
            requantiser.i_parameters.eq(self.parameter_data),
        ]
        m.d.comb += [
            requantiser.i_accumulators.as_value().eq(Cat(sums[i] for i in range(u))),
            requantiser.i_residuals.as_value().eq(Cat(residuals[i] for i in range(u))),
        ]

        result = Signal.like(self.result_address)
        leaves = layer.close | ~layer.pool
        m.d.comb += [self.result_en.eq(sending & layer.raw & leaves),
                     self.result_address.eq(result)]  # fmt: skip
        m.d.comb += [self.result_data[i].eq(sums[i]) for i in range(u)]
        with m.If(self.result_en):
            m.d.sync += result.eq(result + 1)

        # ---- stage 3: planes out
        write_walk = self.walk(m, layer.dst_base, layer.out_group_stride)
        count = Signal(range(n + 1))  # groups that came out of the requantiser for this pixel
        collected = Signal(data.ArrayLayout(8, c))
        whole = Signal(data.ArrayLayout(8, c))  # with the group that arrives now
        m.d.comb += whole.as_value().eq(
            Cat(*(collected[i + u] for i in range(c - u)), requantiser.o_values)
        )
        values = Signal(data.ArrayLayout(8, c))
        bit, writing = Signal(3), Signal()
        tags = Signal(2 * Requantiser.LATENCY)  # (end, final) of the group in each stage
        m.d.sync += tags.eq(Cat(ends & last_group, finals & last_group, tags))
        closes, ends_layer = Signal(), Signal()
        with m.If(writing):
            m.d.sync += bit.eq(bit - 1)
            with m.If(bit == 0):
                m.d.sync += writing.eq(0)
        with m.If(requantiser.o_valid):
            m.d.sync += [collected.eq(whole), count.eq(count + 1)]
            with m.If(count == n - 1):
                m.d.sync += [count.eq(0), values.eq(whole), writing.eq(1),
                             bit.eq(layer.out_bits - 1),
                             closes.eq(tags[-2]), ends_layer.eq(tags[-1])]  # fmt: skip
        m.d.comb += [
            self.write_en.eq(writing),
            self.write_address.eq(write_walk.address),
            write_walk.plane_step.eq(writing),
            write_walk.tile_step.eq(writing & (bit == 0) & closes),
            self.done.eq(Mux(layer.raw, sending & last_group & finals,
                             writing & (bit == 0) & ends_layer)),
        ]  # fmt: skip
        m.d.comb += self.write_data.eq(Cat(values[i].bit_select(bit, 1) for i in range(c)))

        # ---- output tiles: the base moves on once the pixel's last parameters are asked for
        with m.If(launch & self.i_end if n == 1 else sending & (groups_left == 2) & ends):
            m.d.sync += base.eq(base + n)
        with m.If(self.start):
            m.d.sync += [base.eq(layer.parameter_base >> log2(u)), result.eq(0)]
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
