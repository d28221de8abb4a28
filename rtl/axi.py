"""Flat AXI ports: the members that blocks and top share, by their standard lower-case names.

A component takes `m_axi_*` or `s_axil_*` members into its signature as they are, so that its
Verilog carries the names that bus models and interconnect tools look for; `forward` connects a
block's flat ports with the equally named ports of the component around it.
"""

from amaranth.lib.wiring import In, Out

from hfn_accel.config import log2

INCR = 0b01
OKAY, EXOKAY, SLVERR, DECERR = range(4)
CACHE = 0b0011  # normal, non-cacheable, bufferable
REGISTER_ADDRESS_BITS = 12


def _address_channel(channel: str) -> dict:
    prefix = f"m_axi_a{channel}"
    return {
        f"{prefix}id": Out(1),
        f"{prefix}addr": Out(32),
        f"{prefix}len": Out(8),
        f"{prefix}size": Out(3),
        f"{prefix}burst": Out(2),
        f"{prefix}lock": Out(1),
        f"{prefix}cache": Out(4),
        f"{prefix}prot": Out(3),
        f"{prefix}qos": Out(4),
        f"{prefix}valid": Out(1),
        f"{prefix}ready": In(1),
    }


def read_ports(config) -> dict:
    """Members of an AXI4 read master: channels AR and R, one identifier (0)."""
    return _address_channel("r") | {
        "m_axi_rid": In(1),
        "m_axi_rdata": In(config.axi_data_width),
        "m_axi_rresp": In(2),
        "m_axi_rlast": In(1),
        "m_axi_rvalid": In(1),
        "m_axi_rready": Out(1),
    }


def write_ports(config) -> dict:
    """Members of an AXI4 write master: channels AW, W and B, one identifier (0)."""
    return _address_channel("w") | {
        "m_axi_wdata": Out(config.axi_data_width),
        "m_axi_wstrb": Out(config.bus_bytes),
        "m_axi_wlast": Out(1),
        "m_axi_wvalid": Out(1),
        "m_axi_wready": In(1),
        "m_axi_bid": In(1),
        "m_axi_bresp": In(2),
        "m_axi_bvalid": In(1),
        "m_axi_bready": Out(1),
    }


def register_ports() -> dict:
    """Members of an AXI4-Lite slave with 32-bit data."""
    return {
        "s_axil_awaddr": In(REGISTER_ADDRESS_BITS),
        "s_axil_awprot": In(3),
        "s_axil_awvalid": In(1),
        "s_axil_awready": Out(1),
        "s_axil_wdata": In(32),
        "s_axil_wstrb": In(4),
        "s_axil_wvalid": In(1),
        "s_axil_wready": Out(1),
        "s_axil_bresp": Out(2),
        "s_axil_bvalid": Out(1),
        "s_axil_bready": In(1),
        "s_axil_araddr": In(REGISTER_ADDRESS_BITS),
        "s_axil_arprot": In(3),
        "s_axil_arvalid": In(1),
        "s_axil_arready": Out(1),
        "s_axil_rdata": Out(32),
        "s_axil_rresp": Out(2),
        "s_axil_rvalid": Out(1),
        "s_axil_rready": In(1),
    }


def transfer_bits(config) -> int:
    """Width of a transfer's bytes: 2^24 - 1 beats at most."""
    return 24 + log2(config.bus_bytes)


def forward(m, outer, inner, ports: dict):
    """Connect `inner`'s ports with those of `outer` of the same names, both ways."""
    for name, member in ports.items():
        a, b = getattr(outer, name), getattr(inner, name)
        m.d.comb += a.eq(b) if member.flow is Out else b.eq(a)


def burst_constants(m, component, channel: str, config):
    """What never changes on address channel "r" or "w": whole-beat INCR bursts, identifier 0."""
    prefix = f"m_axi_a{channel}"
    m.d.comb += [
        getattr(component, f"{prefix}size").eq(log2(config.bus_bytes)),
        getattr(component, f"{prefix}burst").eq(INCR),
        getattr(component, f"{prefix}cache").eq(CACHE),
    ]
