"""A counterexample in Amaranth's simulator: which claims break, and a waveform."""

from contextlib import nullcontext
from pathlib import Path

from amaranth.sim import Simulator

from .prover import new


def replay(make, trace, waves: Path | None = None) -> list[tuple[int, str]]:
    """(clock, name) of every broken claim or assumption, in order, of a bench with these inputs.

    The prover's word is not needed for it: the simulator runs the design itself.
    """
    bench = new(make)
    found = []

    async def drive(ctx):
        for clock, values in enumerate(trace):
            for signal in bench.inputs:
                ctx.set(signal, values[signal.name])
            await ctx.delay(0.4e-6)
            for index, condition in enumerate(bench.assumed):
                if not ctx.get(condition):
                    found.append((clock, f"assumption {index}"))
            found.extend((clock, name) for name, s in bench.claims.items() if not ctx.get(s))
            await ctx.tick()

    sim = Simulator(bench.m)
    sim.add_clock(1e-6)
    sim.add_testbench(drive)
    with sim.write_vcd(str(waves)) if waves else nullcontext():
        sim.run()
    return found
