# `make demo` and `make test` set up a fresh clone by themselves.

PY := .venv/bin/python
SHAPE ?= 16x16

.PHONY: setup faults test test-slow test-networks demo train-demo bench synthesis lint lint-verilog clean

setup: .venv/.set-up

.venv/.set-up: pyproject.toml constraints.txt .ci/setup
	@.ci/setup

test: setup
	$(PY) -m pytest -m "not slow"

test-slow: .venv/.synth
	$(PY) -m pytest -m slow

test-networks: setup
	$(PY) -m sim.networks --json build/networks.json

# SCALESIM=PYTHON compares with SCALE-Sim too: an interpreter with `pip install scalesim "numpy<2"`.
bench: setup
	$(PY) -m hfn_accel.bench sequence
	$(PY) -m hfn_accel.bench codec
	$(PY) -m hfn_accel.bench train
	$(PY) -m hfn_accel.bench estimate $(if $(SCALESIM),--scalesim $(SCALESIM))

.venv/.synth: .venv/.set-up
	@$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[synth]'
	@touch $@

# Faults against the core and mutated files against the package (docs/faults.md); minutes.
faults: setup
	@mkdir -p build
	$(PY) -m sim.faults --json build/faults.json

# Brings the measured areas up to date with the RTL; minutes to hours a design.
synthesis: .venv/.synth
	$(PY) -m sim.synthesis --out hfn_accel/data/synthesis.csv

demo: setup
	$(PY) -m hfn_accel.demo

# Finds a ticket for scikit-learn's digits, and runs it on the RTL.
train-demo: setup
	$(PY) -m hfn_accel.train_demo

lint: setup
	$(PY) -m ruff check
	$(PY) -m ruff format --check

lint-verilog: setup
	$(PY) -m hfn_accel.gen --pe $(SHAPE) --out build/lint
	$(PY) -m sim.verilator build/lint/hfn_accel_$(SHAPE).v

clean:
	rm -rf build
