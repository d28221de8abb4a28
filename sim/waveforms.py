"""`python -m sim.waveforms --out docs/images`: the interfaces' waveforms, drawn from simulation.

Each picture is a short run of a block in Amaranth's simulator: what its ports did, clock by clock.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amaranth.sim import Simulator

from hfn_accel import cli
from hfn_accel.config import Config
from hfn_accel.errors import HfnError
from hfn_accel.files import atomic_write, make_folder
from hfn_accel.registers import OFFSETS, encode
from rtl.read_dma import ReadDma
from rtl.registers import Registers
from rtl.write_dma import WriteDma

CONFIG = Config()
LATENCY = 2  # clocks between the last address or beat and the memory's answer


@dataclass(frozen=True)
class Picture:
    """A block, its bench (an async function of simulator context and block), and what is shown:
    groups of ports, each a name and its ports, single bits drawn as levels, others as values."""

    make: Callable
    bench: Callable
    groups: dict[str, tuple[str, ...]]
    clocks: int


async def _read(ctx, dut):
    """A transfer of five beats that crosses a boundary: bursts of two and of three beats."""
    start = CONFIG.burst_bytes - 2 * CONFIG.bus_bytes
    ctx.set(dut.start, 1)
    ctx.set(dut.address, start)
    ctx.set(dut.beats, 5)
    ctx.set(dut.m_axi_arready, 1)
    ctx.set(dut.o_ready, 1)
    due = []
    for clock in range(40):
        if ctx.get(dut.m_axi_arvalid):
            count = ctx.get(dut.m_axi_arlen) + 1
            due += [(max(clock + LATENCY, due[-1][0] if due else 0) + i, i == count - 1)
                    for i in range(1, count + 1)]  # fmt: skip
        beat = due[0] if due and due[0][0] <= clock else None
        ctx.set(dut.m_axi_rvalid, beat is not None)
        ctx.set(dut.m_axi_rlast, bool(beat and beat[1]))
        ctx.set(dut.m_axi_rdata, 0xA0 + clock if beat else 0)
        if beat:
            due.pop(0)
        await ctx.tick()
        ctx.set(dut.start, 0)


async def _write(ctx, dut):
    """A transfer of four beats: bursts of one and of three; the memory is busy for a clock."""
    ctx.set(dut.start, 1)
    ctx.set(dut.size, CONFIG.burst_bytes * 2)
    ctx.set(dut.offset, CONFIG.burst_bytes - CONFIG.bus_bytes)
    ctx.set(dut.bytes, 4 * CONFIG.bus_bytes)
    ctx.set(dut.m_axi_awready, 1)
    ctx.set(dut.i_valid, 1)
    ctx.set(dut.i_strb, -1)
    answers, sent = [], 0
    for clock in range(40):
        ctx.set(dut.i_data, 0xD0 + sent)
        ctx.set(dut.m_axi_wready, clock != 7)
        ctx.set(dut.m_axi_bvalid, bool(answers and answers[0] <= clock))
        if ctx.get(dut.m_axi_wvalid) and ctx.get(dut.m_axi_wready):
            sent += 1
            if ctx.get(dut.m_axi_wlast):
                answers.append(clock + 1 + LATENCY)
        if ctx.get(dut.m_axi_bvalid) and ctx.get(dut.m_axi_bready):
            answers.pop(0)
        await ctx.tick()
        ctx.set(dut.start, 0)


async def _registers(ctx, dut):
    """CONTROL is written (start), STATUS is read; the run ends; IRQ_STATUS is cleared."""

    async def write(name, value):
        for port, content in (("awaddr", OFFSETS[name]), ("wdata", value), ("wstrb", 15)):
            ctx.set(getattr(dut, f"s_axil_{port}"), content)
        for port in ("awvalid", "wvalid", "bready"):
            ctx.set(getattr(dut, f"s_axil_{port}"), 1)
        await ctx.tick()
        for port in ("awvalid", "wvalid"):
            ctx.set(getattr(dut, f"s_axil_{port}"), 0)
        await ctx.tick().until(dut.s_axil_bvalid)
        ctx.set(dut.s_axil_bready, 0)

    await ctx.tick()
    await write("CONTROL", encode("CONTROL", start=1, irq_enable=1))
    ctx.set(dut.busy, 1)
    ctx.set(dut.s_axil_araddr, OFFSETS["STATUS"])
    ctx.set(dut.s_axil_arvalid, 1)
    ctx.set(dut.s_axil_rready, 1)
    await ctx.tick()
    ctx.set(dut.s_axil_arvalid, 0)
    await ctx.tick().until(dut.s_axil_rvalid)
    ctx.set(dut.s_axil_rready, 0)
    ctx.set(dut.done, 1)
    ctx.set(dut.busy, 0)
    await ctx.tick()
    ctx.set(dut.done, 0)
    await ctx.tick()
    await write("IRQ_STATUS", encode("IRQ_STATUS", done=1))
    await ctx.tick().repeat(3)


def _prefixed(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for name in names)


PICTURES = {
    "read": Picture(
        lambda: ReadDma(CONFIG), _read,
        {"AR": _prefixed("m_axi_ar", "valid", "ready", "addr", "len"),
         "R": _prefixed("m_axi_r", "valid", "ready", "data", "last")}, 14,
    ),
    "write": Picture(
        lambda: WriteDma(CONFIG), _write,
        {"AW": _prefixed("m_axi_aw", "valid", "ready", "addr", "len"),
         "W": _prefixed("m_axi_w", "valid", "ready", "data", "last"),
         "B": _prefixed("m_axi_b", "valid", "ready", "resp")}, 16,
    ),
    "registers": Picture(
        lambda: Registers(CONFIG), _registers,
        {"write": _prefixed("s_axil_", "awvalid", "awready", "awaddr", "wvalid", "wready", "wdata",
                            "bvalid", "bready"),
         "read": _prefixed("s_axil_", "arvalid", "arready", "araddr", "rvalid", "rready", "rdata"),
         "interrupt": ("irq",)}, 20,
    ),
}  # fmt: skip


def record(picture: Picture, dut) -> dict[str, list[int]]:
    """Port -> its value at the end of every clock."""
    ports = [port for group in picture.groups.values() for port in group]
    seen = {port: [] for port in ports}

    async def bench(ctx):
        await picture.bench(ctx, dut)

    async def watch(ctx):
        async for _, _, *values in ctx.tick().sample(*(getattr(dut, port) for port in ports)):
            for port, value in zip(ports, values, strict=True):
                seen[port].append(int(value))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench, background=True)
    simulator.add_process(watch)
    simulator.run_until(1e-6 * (picture.clocks + 0.25))
    return seen


def wavejson(picture: Picture) -> dict:
    """A picture in WaveJSON, the format of WaveDrom."""
    dut = picture.make()
    seen = record(picture, dut)
    clocks = min(len(values) for values in seen.values())
    lanes = [{"name": "clk", "wave": "p" + "." * (clocks - 1)}]
    for name, ports in picture.groups.items():
        group = [name]
        for port in ports:
            valid = [seen[p] for p in ports if p.endswith("valid") and port.startswith(p[:-5])]
            group.append(_lane(port, len(getattr(dut, port)), seen[port], *valid))
        lanes += [{}, group]
    return {"signal": lanes, "config": {"hscale": 1}}


def _lane(name: str, width: int, values: list[int], valid: list[int] | None = None) -> dict:
    """One signal; a value of several bits is shown where its channel is valid."""
    if width == 1:
        marks = ["." if i and values[i] == values[i - 1] else str(v) for i, v in enumerate(values)]
        return {"name": name, "wave": "".join(marks)}
    shown = [v if valid is None or ok else None
             for v, ok in zip(values, valid or values, strict=True)]  # fmt: skip
    wave, data = "", []
    for i, value in enumerate(shown):
        if i and value == shown[i - 1]:
            wave += "."
        elif value is None:
            wave += "x"
        else:
            wave += "="
            data.append(f"{value:x}")
    return {"name": name, "wave": wave, "data": data}


def svg(picture: Picture) -> bytes:
    """The drawing. Raises HfnError without the package `wavedrom`."""
    try:
        import wavedrom
    except ImportError:
        raise HfnError("sim.waveforms needs the Python package 'wavedrom': "
                       "pip install 'hfn-accel[docs]'") from None  # fmt: skip
    return (wavedrom.render(json.dumps(wavejson(picture))).tostring() + "\n").encode()


def main(argv: list[str] | None = None):
    """Write wave-NAME.svg for every picture."""
    p = cli.Parser(prog="sim.waveforms", description=__doc__.splitlines()[0], allow_abbrev=False)
    p.add_argument("--out", required=True, metavar="DIR", help="folder of the drawings")
    folder = make_folder(p.parse_args(argv).out)
    for name, picture in PICTURES.items():
        path = Path(folder) / f"wave-{name}.svg"
        atomic_write(path, svg(picture))
        print(path)


if __name__ == "__main__":
    cli.run(main)
