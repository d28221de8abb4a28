"""The register map and the program's header in the forms that drivers, tools and testbenches take.

Everything derives from `hfn_accel.registers` and `hfn_accel.program`; the bytes are the same from
run to run.
"""
