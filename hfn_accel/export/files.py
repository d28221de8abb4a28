"""The files of an SoC project: what stands beside the core's Verilog."""

from pathlib import Path

_DRIVER = Path(__file__).parent.parent / "driver"
DRIVER = (_DRIVER / "hfn_accel_driver.h", _DRIVER / "hfn_accel_driver.c")
