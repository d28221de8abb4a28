"""The accelerator in a LiteX SoC: AXI4 master, AXI4-Lite slave, interrupt.

Needs LiteX (`pip install 'hfn-accel[soc]'`). `HfnAccel` is the core as a LiteX module,
`HfnAccel.add_to` connects it to a SoC's bus, `example` is a whole SoC without a processor.
"""

import json
from pathlib import Path

from litex.build.generic_platform import GenericPlatform, Pins
from litex.gen import LiteXModule
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import axi
from migen import ClockDomain, ClockSignal, Instance, Record, ResetSignal, Signal

from .. import gen
from ..config import Config
from ..files import atomic_write, make_folder

REGISTER_BYTES = 4096


class HfnAccel(LiteXModule):
    """The core of one configuration; its Verilog is written to `folder` and added to `platform`.

    memory: the AXI4 master, `config.axi_data_width` bits. registers: the AXI4-Lite slave, 32 bits,
    of which 12 address bits count. irq: the interrupt, a level.
    """

    def __init__(self, platform, config: Config, folder: str | Path = "build/hfn_accel"):
        self.config = config
        self.memory = axi.AXIInterface(data_width=config.axi_data_width, address_width=32,
                                       id_width=1)  # fmt: skip
        self.registers = axi.AXILiteInterface(data_width=32, address_width=32)
        self.ev = Record([("irq", 1)])  # where LiteX looks for a module's interrupt
        self.irq = self.ev.irq
        verilog, description = gen.write(config, make_folder(folder))
        platform.add_source(str(verilog.absolute()))
        self.specials += Instance(gen.TOP, **{
            f"{port['direction'][0]}_{port['name']}": self._signal(port["name"], port["width"])
            for port in json.loads(description.read_text())["ports"]
        })  # fmt: skip

    def _signal(self, name: str, width: int):
        """What a port of the core is connected with."""
        plain = {"clk": ClockSignal("sys"), "rst": ResetSignal("sys"), "irq": self.irq}
        if name in plain:
            return plain[name]
        bus, rest = ((self.memory, name.removeprefix("m_axi_")) if name.startswith("m_axi_")
                     else (self.registers, name.removeprefix("s_axil_")))  # fmt: skip
        channel = next(c for c in ("aw", "ar", "w", "r", "b") if rest.startswith(c))
        signal = getattr(getattr(bus, channel), rest.removeprefix(channel), None)
        if signal is None:  # AXI4-Lite's `prot`, which LiteX leaves out
            return Signal(width)
        return signal[:width] if len(signal) > width else signal

    def add_to(self, soc, origin: int, name: str = "hfn_accel"):
        """Map the registers at `origin`, let the core read and write the SoC's main bus, and
        connect the interrupt where a processor takes one. `name`: the SoC's attribute for it.

        Bursts are split before the width is adapted, because a burst of 256 beats has no narrower
        equal. LiteX's bridge answers every transfer with OKAY: the core does not see bus errors.
        """
        lite = axi.AXILiteInterface(data_width=self.config.axi_data_width, address_width=32)
        self.submodules += axi.AXI2AXILite(self.memory, lite)
        soc.bus.add_master(name, master=lite)
        region = SoCRegion(origin=origin, size=REGISTER_BYTES, cached=False)
        soc.bus.add_slave(name, slave=self.registers, region=region)
        if soc.irq.enabled:
            soc.irq.add(name, use_loc_if_exists=True)


class _Clock(LiteXModule):
    """The system's clock and reset from pins."""

    def __init__(self, platform):
        self.cd_sys = ClockDomain()
        self.comb += [self.cd_sys.clk.eq(platform.request("clk")),
                      self.cd_sys.rst.eq(platform.request("rst"))]  # fmt: skip


class Example(SoCMini):
    """A SoC around the core: RAM, the core's registers, and a host (whatever the user has: a
    processor, PCI Express, a debug link) as an AXI4-Lite master on the pins `s_axil_*`.

    ram: its contents, words of 32 bits. standard: of the main bus, `wishbone` or `axi-lite`.
    folder: where `write` puts the Verilog, the core's included.
    """

    NAME = "hfn_accel_soc"
    RAM, REGISTERS = 0x4000_0000, 0xE000_0000

    def __init__(self, config: Config, folder: Path, ram: list[int], standard: str = "wishbone"):
        self.folder = folder
        host = axi.AXILiteInterface(data_width=32, address_width=32)
        pins = [(name, 0, Pins(1)) for name in ("clk", "rst", "irq")] + host.get_ios("s_axil")
        platform = GenericPlatform("", pins, name=self.NAME)
        super().__init__(platform, clk_freq=100_000_000, bus_standard=standard, bus_timeout=None,
                         with_timer=False, ident="")  # fmt: skip
        self.crg = _Clock(platform)
        self.comb += host.connect_to_pads(platform.request("s_axil"), mode="slave")
        self.bus.add_master("host", master=host)
        self.add_ram("ram", origin=self.RAM, size=4 * len(ram), contents=ram)
        self.hfn_accel = HfnAccel(platform, config, folder)
        self.hfn_accel.add_to(self, self.REGISTERS)
        self.comb += platform.request("irq").eq(self.hfn_accel.irq)

    def write(self) -> list[Path]:
        """Elaborate, and write the SoC's Verilog and its memories' contents; the Verilog files."""
        self.finalize()
        top = self.platform.get_verilog(self, name=self.NAME)
        for name, text in {f"{self.NAME}.v": top.main_source, **top.data_files}.items():
            atomic_write(self.folder / name, text.encode())
        return [
            self.folder / f"{self.NAME}.v",
            *(Path(source) for source, *_ in self.platform.sources),
        ]
