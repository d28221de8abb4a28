"""Says when nothing has happened for too long."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Watchdog(wiring.Component):
    """`expired`, one clock: while `running`, `limit` clocks have passed without `progress`.

    It comes two clocks behind the last of these, and never if `limit` is 0. `limit` stands still
    from the clock before `running` on.
    """

    def __init__(self):
        super().__init__({
            "limit": In(32), "running": In(1), "progress": In(1), "expired": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        left, restart, enabled = Signal(32), Signal(init=1), Signal()
        m.d.sync += [
            restart.eq(self.progress | ~self.running),
            enabled.eq(self.limit != 0),
            left.eq(left - 1),
            self.expired.eq(enabled & ~restart & (left == 1)),
        ]
        with m.If(restart):
            m.d.sync += left.eq(self.limit)
        return m
