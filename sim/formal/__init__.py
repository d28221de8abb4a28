"""Formal verification of the RTL: `python -m sim.formal` (docs/formal.md)."""
