"""What a CONV passes through, from a plane of the source bank to planes of the output."""

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hfn_accel.config import Config, log2
from hfn_accel.timing import BANK_CYCLES

from .accumulate import PlaneAccumulator
from .array import Array
from .delay import delayed
from .descriptor import CONV
from .postprocess import PostProcessor
from .psum import PartialSums
from .streamer import Streamer
from .tile_filler import LAYER, TileFiller, mask_address_bits


class Datapath(wiring.Component):
    """Executes `conv` (held from `setup` until `drained`).

    `setup` resets the blocks, `stream` starts them one clock later, with `period`. `active` is high
    in every clock of a tile, `finished` in the last of the last tile, `drained` in that of the last
    write; `plane` in every clock in which a bit-plane enters the array. Masks (rows of C bits),
    parameters (U records), source (R lanes) and residual (C lanes) are read: parameters come one
    clock behind the address, masks MASK_CYCLES, the others BANK_CYCLES; `write_*` goes to the
    output's bank (C lanes), `result_*` to the result buffer.
    """

    def __init__(self, config: Config):
        self.config = config
        lanes = config.activation_bytes * 8
        units, columns = config.units, config.columns
        super().__init__({
            "conv": In(CONV), "period": In(8), "setup": In(1), "stream": In(1),
            "active": Out(1), "finished": Out(1), "drained": Out(1), "plane": Out(1),
            "mask_addr": Out(mask_address_bits(config)), "mask_data": In(columns),
            "parameter_addr": Out(max(1, log2(config.parameter_channels // units))),
            "parameter_data": In(64 * units),
            "source_addr": Out(log2(lanes // config.rows)), "source_data": In(config.rows),
            "residual_addr": Out(log2(lanes // columns)), "residual_data": In(columns),
            "write_en": Out(1), "write_addr": Out(log2(lanes // columns)),
            "write_data": Out(columns),
            "result_en": Out(1),
            "result_address": Out(max(1, log2(max(units, config.result_words) // units))),
            "result_data": Out(data.ArrayLayout(signed(32), units)),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        config, conv = self.config, self.conv
        r, c = config.rows, config.columns
        m.submodules.streamer = streamer = Streamer(config)
        m.submodules.filler = filler = TileFiller(config)
        m.submodules.array = array = Array(r, c)
        m.submodules.planes = planes = PlaneAccumulator(r, c, config.accumulator_bits)
        value_width = planes.o_values.shape().elem_shape.width
        m.submodules.psum = psum = PartialSums(config, value_width)
        m.submodules.post = post = PostProcessor(config)

        # the bank answers; then array, planes, partial sums
        tags = delayed(m, streamer.tag, BANK_CYCLES + array.LATENCY + planes.LATENCY, "tag")
        at_array, at_psum = tags[BANK_CYCLES], tags[-1]
        at_planes = tags[BANK_CYCLES + array.LATENCY]
        m.d.comb += [
            streamer.layer.eq(conv),
            streamer.period.eq(self.period),
            streamer.start.eq(self.stream),
            streamer.filled.eq(filler.ready),
            filler.go.eq(streamer.go),
            filler.setup.eq(self.setup),
            *(getattr(filler, n).eq(conv[n]) for n in LAYER),
            self.mask_addr.eq(filler.mask_addr),
            filler.mask_data.eq(self.mask_data),
            *(getattr(array, n).eq(getattr(filler, n)) for n in (
                "clear", "row_en", "row_index", "row_mask", "row_sign")),
            self.source_addr.eq(streamer.address),
            array.swap.eq(at_array.swap & at_array.valid),
            array.x.eq(self.source_data),
            array.blank.eq(at_array.pad),
            array.bipolar.eq(conv.bipolar),
            planes.i_sums.eq(array.sums),
            planes.i_valid.eq(at_planes.valid),
            planes.i_first.eq(at_planes.first),
            planes.i_last.eq(at_planes.last),
            psum.i_valid.eq(planes.o_valid),
            psum.i_address.eq(at_psum.psum_address),
            psum.i_first.eq(at_psum.psum_first),
            psum.i_emit.eq(at_psum.emit),
            psum.i_end.eq(at_psum.end),
            psum.i_final.eq(at_psum.final),
            psum.i_values.eq(planes.o_values),
            post.layer.eq(conv),
            post.start.eq(self.setup),
            *(getattr(post, f"i_{n}").eq(getattr(psum, f"o_{n}")) for n in (
                "valid", "end", "final", "values")),
            self.parameter_addr.eq(post.parameter_address),
            post.parameter_data.as_value().eq(self.parameter_data),
            self.residual_addr.eq(post.residual_address),
            post.residual_data.eq(self.residual_data),
            self.write_en.eq(post.write_en),
            self.write_addr.eq(post.write_address),
            self.write_data.eq(post.write_data),
            self.result_en.eq(post.result_en),
            self.result_address.eq(post.result_address),
            self.result_data.eq(post.result_data),
            self.active.eq(streamer.active),
            self.finished.eq(streamer.finished),
            self.drained.eq(post.done),
            self.plane.eq(streamer.tag.valid),
        ]  # fmt: skip
        return m
