"""The FuseSoC core (CAPI2) of one configuration."""

from .. import __version__
from ..config import Config

_CORE = """\
CAPI=2:
# SPDX-License-Identifier: Apache-2.0
name: {vlnv}
description: Hidden-Fold Network accelerator, array of {config.name}
license: Apache-2.0

filesets:
  rtl:
    files: [{stem}.v]
    file_type: verilogSource-2005
  registers:
    files:
      - hfn_accel_regs.vh: {{is_include_file: true}}
    file_type: verilogSource-2005
  waivers:
    files: [{stem}.vlt]
    file_type: vlt
  testbench:
    files: [hfn_accel_tb.v]
    file_type: systemVerilogSource

parameters:
  BUS_BITS:
    datatype: int
    default: {config.axi_data_width}
    description: width of the memory bus
    paramtype: vlogparam

targets:
  default: &default
    filesets: [waivers, registers, rtl]
    toplevel: hfn_accel

  lint:
    <<: *default
    description: Verilator's lint, all warnings
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]

  sim:
    description: self-checking smoke test
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2012]
    filesets: [registers, rtl, testbench]
    parameters: [BUS_BITS]
    toplevel: hfn_accel_tb
"""


def core(config: Config, stem: str, vlnv: str | None = None) -> str:
    """The text of `stem`.core, beside `stem`.v. vlnv: its name, by default with shape and version.

    Targets: default (for an SoC that depends on it), lint and sim.
    """
    vlnv = vlnv or f"hfn:accel:{stem}:{__version__}"
    return _CORE.format(vlnv=vlnv, config=config, stem=stem)
