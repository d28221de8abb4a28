"""The modules of a design's Verilog: its blocks, each alone, with and without registered ports."""

import re

EXPANDED = ("datapath", "control")
"""Modules whose parts are blocks themselves."""

_MODULE = re.compile(r"^module (\\\S+|\w+)\s*\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\\\S+|\w+) ?;", re.MULTILINE)


def split(verilog: str) -> dict[str, str]:
    """Text of every module by its hierarchical name, such as `hfn_accel.datapath.array`."""
    return {m[1].lstrip("\\"): m[0] for m in _MODULE.finditer(verilog)}


def blocks(modules: dict[str, str], top: str) -> list[str]:
    """Names below the top of the parts that it consists of, those of EXPANDED by their own."""
    names = [name.removeprefix(f"{top}.").split(".") for name in modules if name != top]
    found = {".".join(n[:2] if n[0] in EXPANDED else n[:1]) for n in names}
    return sorted(found - set(EXPANDED))


def alone(modules: dict[str, str], name: str) -> str:
    """Verilog of a module and of what it consists of."""
    return "".join(text for n, text in modules.items() if n == name or n.startswith(f"{name}."))


def registered(modules: dict[str, str], name: str, top: str) -> str:
    """`alone`, and a module `top` in which each of its ports but `clk` has a register before or
    behind it: so place and route see every path of the block, and no path that is not its own."""
    ports, body, links = ["clk"], ["  input clk;"], ["    .clk(clk)"]
    for direction, last, port in _PORT.findall(modules[name]):
        if port == "clk":
            continue
        size, plain = f"[{last or 0}:0] ", port.lstrip("\\")
        inside, outside, register = (f"\\{kind}.{plain} " for kind in ("at", "pad", "io"))
        ports.append(outside)
        body += [f"  {direction} {size}{outside};", f"  wire {size}{inside};",
                 f"  reg {size}{register};"]  # fmt: skip
        source, sink = (outside, inside) if direction == "input" else (inside, outside)
        body += [
            f"  always @(posedge clk) {register} <= {source};",
            f"  assign {sink} = {register};",
        ]
        links.append(f"    .{port} ({inside})")
    parts = ",\n".join(links)
    return (f"{alone(modules, name)}module {top}({', '.join(ports)});\n" + "\n".join(body)
            + f"\n  \\{name} block (\n{parts}\n  );\nendmodule\n")  # fmt: skip
