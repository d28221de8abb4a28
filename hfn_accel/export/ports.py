"""The ports of the top module, described: Markdown (docs/ports.md) and the head of the Verilog.

`python -m hfn_accel.export.ports > docs/ports.md`
"""

from .. import cli

_PLAIN = {
    "clk": "clock of everything",
    "rst": "reset, active high, synchronous; at least one clock",
    "irq": "interrupt, active high, a level: IRQ_STATUS has a cause and CONTROL.irq_enable is 1",
    "trace_valid": "simulation: a write into an activation bank",
    "trace_bank": "simulation: the bank",
    "trace_addr": "simulation: its address, in units of C lanes",
    "trace_data": "simulation: the C bits",
    "trace_layer": "simulation: number of the descriptor",
}
_BUSES = {"s_axil_": "AXI4-Lite slave: registers", "m_axi_": "AXI4 master: memory"}
_CHANNELS = {"aw": "write address", "w": "write data", "b": "write response",
             "ar": "read address", "r": "read data"}  # fmt: skip
_SIGNALS = {
    "valid": "valid",
    "ready": "ready",
    "addr": "byte address",
    "prot": "protection",
    "id": "identifier",
    "len": "beats of the burst, less one",
    "size": "bytes of a beat, as a power of two",
    "burst": "kind of burst: INCR",
    "lock": "lock: none",
    "cache": "cache: normal, non-cacheable, bufferable",
    "qos": "quality of service: none",
    "data": "data",
    "strb": "byte strobes",
    "last": "last beat of the burst",
    "resp": "response",
}
_CONSTANT = {"id": "identifier: 0", "prot": "protection: 0"}
_UNUSED = ("s_axil_awprot", "s_axil_arprot", "m_axi_rid", "m_axi_bid")

_INTRODUCTION = """\
# Ports

Made from the top module by `python -m hfn_accel.export.ports > docs/ports.md`, for the default
configuration; a head comment of every emitted Verilog file has the table of its own widths.
`m_axi_*data` is `axi_data_width` wide and `m_axi_wstrb` an eighth of that; nothing else depends on
the configuration. All ports belong to the clock `clk`.
"""


def describe(name: str) -> str:
    """What a port is, in a line. Raises KeyError for one that the table does not know."""
    if name in _PLAIN:
        return _PLAIN[name]
    prefix = next(p for p in _BUSES if name.startswith(p))
    rest = name.removeprefix(prefix)
    channel = max((c for c in _CHANNELS if rest.startswith(c)), key=len)
    signal = rest.removeprefix(channel)
    text = _SIGNALS[signal]
    if name in _UNUSED:
        text += ", not read"
    elif prefix == "m_axi_":
        text = _CONSTANT.get(signal, text)
    return f"{_CHANNELS[channel]}: {text}"


def group(name: str) -> str:
    """Heading under which a port stands."""
    return next((doc for prefix, doc in _BUSES.items() if name.startswith(prefix)), "Clock, reset, "
                "interrupt")  # fmt: skip


def ordered(ports: list[dict]) -> list[dict]:
    """Clock, reset and interrupt first, then bus after bus; `ports` as `gen.ports` lists them."""
    headings = [group("clk"), *_BUSES.values()]
    return sorted(ports, key=lambda port: headings.index(group(port["name"])))


def markdown(ports: list[dict]) -> str:
    """docs/ports.md."""
    lines, heading = [_INTRODUCTION.rstrip()], None
    for port in ordered(ports):
        if heading != (heading := group(port["name"])):
            lines += ["", f"## {heading}", "", "| port | direction | bits | meaning |",
                      "|---|---|---|---|"]  # fmt: skip
        lines.append(f"| `{port['name']}` | {port['direction']} | {port['width']} "
                     f"| {describe(port['name'])} |")  # fmt: skip
    return "\n".join(lines) + "\n"


def comment(ports: list[dict]) -> list[str]:
    """The table as lines of text."""
    lines, heading = [], None
    for port in ordered(ports):
        if heading != (heading := group(port["name"])):
            lines += ["", heading]
        lines.append(f"  {port['name']:16} {port['direction']:6} {port['width']:4}  "
                     f"{describe(port['name'])}")  # fmt: skip
    return lines


def main():
    """Print docs/ports.md."""
    from .. import gen
    from ..config import Config

    print(markdown(gen.ports(gen.accelerator(Config()))), end="")


if __name__ == "__main__":
    cli.run(main)
