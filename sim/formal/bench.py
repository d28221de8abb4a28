"""A bench: blocks of the RTL, free inputs, and what is assumed and claimed about them."""

from amaranth.hdl import Assert, Assume, ClockDomain, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In

STEP_CLOCK = "step_clock"
"""The register of `module` that starts at 0 in an induction's step, where others start free."""


class Bench:
    """Blocks in a module `m` whose inputs a prover may choose freely, clock by clock.

    Every register starts at its reset value. With `reset`, the prover may also reset blocks and
    monitors together, in any clock; `self.reset` is that input, else 0.

    `assumed` are conditions that hold in every clock; `claims`, by name, are to be shown to do so;
    `goals`, by name, are to be shown reachable: a bench whose assumptions contradict each other
    would prove anything, but reaches nothing.
    """

    def __init__(self, reset: bool = False):
        self.m = Module()
        self.inputs: list[Signal] = []
        self.assumed: list[Value] = []
        self.claims: dict[str, Signal] = {}
        self.goals: dict[str, Signal] = {}
        self.m.domains.sync = self.domain = ClockDomain("sync", reset_less=not reset)
        self.reset = Const(0)
        if reset:
            self.inputs.append(self.domain.rst)
            self.reset = self.domain.rst

    def free(self, shape, name: str) -> Signal:
        """An input, any value in every clock."""
        signal = Signal(shape, name=name)
        self.inputs.append(Value.cast(signal))
        return signal

    def constant(self, shape, name: str) -> Value:
        """An unknown that never changes."""
        first, kept = self.free(shape, name), Signal(shape, name=f"{name}_kept", reset_less=True)
        begun = Signal(name=f"{name}_begun", reset_less=True)
        self.m.d.sync += [begun.eq(1), Value.cast(kept).eq(Mux(begun, kept, first))]
        return Mux(begun, kept, first)

    def block(self, component, name: str = "dut", within=lambda component: component, **driven):
        """Add a component, `within` a transformer; inputs that are not among `driven` (name ->
        value) are free."""
        self.m.submodules[name] = within(component)
        for path, member, port in component.signature.flatten(component):
            if member.flow is not In:
                continue
            [port_name] = path
            if port_name in driven:
                self.m.d.comb += Value.cast(port).eq(driven.pop(port_name))
            else:
                self.inputs.append(Value.cast(port))
        if driven:
            raise ValueError(f"{type(component).__name__} has no input {min(driven)!r}")
        return component

    def past(self, value, init: int = 0, name: str = "past") -> Signal:
        """The value of the clock before; `init` in the first and behind a reset."""
        value = Value.cast(value)
        before = Signal(value.shape(), name=name, init=init)
        self.m.d.sync += before.eq(value)
        return before

    def count(self, event, bits: int, clear=0, name: str = "count") -> Signal:
        """Clocks before this one with `event`, since `clear` (which wins), modulo 2^bits."""
        counter = Signal(bits, name=name)
        self.m.d.sync += counter.eq(Mux(clear, 0, counter + event))
        return counter

    def since(self, event, limit: int, name: str = "since") -> Signal:
        """Clocks with `event` in a row before this one, at most `limit`."""
        counter = Signal(range(limit + 1), name=name)
        self.m.d.sync += counter.eq(Mux(event, Mux(counter == limit, limit, counter + 1), 0))
        return counter

    def assume(self, *conditions):
        self.assumed += [Value.cast(c) for c in conditions]

    def claim(self, name: str, condition):
        self.claims[name] = self._named(name, condition)

    def reach(self, name: str, condition):
        self.goals[name] = self._named(name, condition)

    def _named(self, name, condition):
        if name in self.claims or name in self.goals:
            raise ValueError(f"{name!r} stands twice")
        signal = Signal(name=name.replace(" ", "_"))
        self.m.d.comb += signal.eq(Value.cast(condition).bool())
        return signal

    def stable(self, valid, ready, *payload, unless=0) -> Value:
        """The handshake rule: what is offered stays, unchanged, until it is taken."""
        m, held = self.m, Signal()
        m.d.sync += held.eq(Value.cast(valid).bool() & ~Value.cast(ready).bool() & ~self.reset)
        result = Value.cast(valid).bool()
        for value in payload:
            result &= self.past(value) == value
        return ~held | unless | result

    def module(self, claims, step: int = 0) -> Module:
        """For a prover: the bench with its assumptions, and with assertions of `claims`. With
        `step`, those are assumed in the first so many clocks, and asserted in the next."""
        m = self.m
        m.d.comb += [Assume(condition) for condition in self.assumed]
        if step:
            clock = Signal(range(step + 1), name=STEP_CLOCK)
            with m.If(clock != step):
                m.d.sync += clock.eq(clock + 1)
            m.d.comb += [Assume(claim | (clock == step)) for claim in claims]
            claims = [claim | (clock != step) for claim in claims]
        m.d.comb += [Assert(claim) for claim in claims]
        return m
