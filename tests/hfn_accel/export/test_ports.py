"""The table of the top's ports: document, head of the Verilog, and the Verilog itself."""

import re
from pathlib import Path

import pytest

from hfn_accel import gen
from hfn_accel.config import Config
from hfn_accel.export import ports

DOCUMENT = Path(__file__).parents[3] / "docs" / "ports.md"


@pytest.fixture(scope="module")
def component():
    return gen.accelerator(Config(rows=4, columns=2, axi_data_width=128))


@pytest.fixture(scope="module")
def text(component):
    return gen.verilog(component)


def test_document():
    listed = gen.ports(gen.accelerator(Config()))
    assert DOCUMENT.read_text() == ports.markdown(listed), (
        "run `python -m hfn_accel.export.ports > docs/ports.md`"
    )


def test_every_port_is_described(component):
    """Also those of simulation; in the order of the table, each once."""
    listed = ports.ordered(gen.ports(gen.accelerator(Config(), trace=True)))
    assert len({p["name"] for p in listed}) == len(listed)
    assert [p["name"] for p in listed[:3]] == ["clk", "rst", "irq"]
    descriptions = [ports.describe(p["name"]) for p in listed]
    assert all(descriptions)
    with pytest.raises(StopIteration):
        ports.describe("unknown")


def test_head(component, text):
    """The comment before the first module: licence, configuration, and each port with its width."""
    head = text[: text.index("*/")]
    assert head.startswith("/*\n * SPDX-License-Identifier: Apache-2.0\n")
    for name, value in component.config.to_dict().items():
        assert re.search(rf"^ \*   {name} +{value}$", head, re.MULTILINE), name
    rows = re.findall(r"^ \*   (\w+) +(input|output) +(\d+)  \S", head, re.MULTILINE)
    listed = {(p["name"], p["direction"], str(p["width"])) for p in gen.ports(component)}
    assert set(rows) == listed and len(rows) == len(listed)


def test_top_lists_ports_in_order(component, text):
    module = re.search(r"^module hfn_accel \(\n(.*?)\n\);", text, re.MULTILINE | re.DOTALL)[1]
    names = [name.strip() for name in module.split(",")]
    assert names == [p["name"] for p in ports.ordered(gen.ports(component))]


def test_instances_are_named(text):
    """The top consists of the blocks by their names, connected by name."""
    top = re.search(r"^module hfn_accel \(.*?^endmodule", text, re.MULTILINE | re.DOTALL)[0]
    instances = re.findall(r"^  \\hfn_accel\.(\w+)  (\w+) \($", top, re.MULTILINE)
    assert instances and all(module == name for module, name in instances)
    assert {"registers", "control", "datapath", "mask_decoder", "banks"} <= dict(instances).keys()
