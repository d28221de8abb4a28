"""Fault campaigns against the core, and mutated inputs against the package (docs/faults.md)."""
