"""Counters of a loop nest: what number of what loop is at its last."""

from amaranth.hdl import Module, Mux, Signal


class Nest:
    """Loops, one within the other, that take a step of the innermost with each `step`.

    numbers: how many times each loop runs, at least 1; innermost first; they stand. `first` (which
    wins) goes to the beginning. `last[name]`: that loop is at its last, two clocks after a `step`
    or `first`, in which none may come. `ends[name]`, combinational: this step ends the loop and all
    within it; the next loop steps too.
    """

    def __init__(self, m: Module, numbers: dict, step, first):
        self.last, self.ends = {}, {}
        for name, number in numbers.items():
            counter = Signal.like(number, name=f"{name}_counter")
            self.last[name] = last = Signal(name=f"last_{name}")
            self.ends[name] = end = Signal(name=f"end_{name}")
            m.d.sync += last.eq(counter == number)
            m.d.comb += end.eq(step & last)
            with m.If(step):
                m.d.sync += counter.eq(Mux(last, 1, counter + 1))
            with m.If(first):
                m.d.sync += counter.eq(1)
            step = end
