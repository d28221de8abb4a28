"""What stands beside the core in an SoC: C driver, FuseSoC core, testbench, LiteX module."""
