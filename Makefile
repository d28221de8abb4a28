# `make demo` and `make test` set up a fresh clone by themselves.

PY := .venv/bin/python
SHAPE ?= 16x16

.PHONY: setup test test-slow test-networks demo train-demo bench synth formal faults docs lint \
	lint-verilog wheel-test clean

setup: .venv/.set-up

.venv/.set-up: pyproject.toml constraints.txt .ci/setup
	@.ci/setup

test: lint
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

# Area, checks and clock of the project's designs: an hour at most on 2 cores, less where little has
# changed. LIBERTY=F.lib maps to standard cells too; LARGE=1 maps large arrays to every target.
synth: .venv/.synth
	$(PY) -m sim.synthesis --out hfn_accel/data/synthesis.json $(if $(LIBERTY),--liberty $(LIBERTY)) \
		$(if $(LARGE),--large)

# Proofs of the RTL's blocks (docs/formal.md).
formal: .venv/.formal
	$(PY) -m sim.formal

.venv/.formal: .venv/.set-up
	@$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[formal]'
	@touch $@

# Faults against the core and mutated files against the package (docs/faults.md); minutes.
faults: setup
	@mkdir -p build
	$(PY) -m sim.faults --json build/faults.json

demo: setup
	$(PY) -m hfn_accel.demo

# Finds a ticket for scikit-learn's digits, and runs it on the RTL.
train-demo: setup
	$(PY) -m hfn_accel.train_demo

# The documentation as a site in build/site.
docs: .venv/.docs
	@$(PY) -m sim.waveforms --out docs/images
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --site-dir build/site
	@$(PY) -m tests.docs

.venv/.docs: .venv/.set-up
	@$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

lint: setup
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy --python-executable $(PY)

lint-verilog: setup
	$(PY) -m hfn_accel.gen --pe $(SHAPE) --out build/lint
	$(PY) -m sim.verilator build/lint/hfn_accel_$(SHAPE).v

# sdist and wheel, the wheel in an environment with nothing but its dependencies.
wheel-test: setup
	$(PY) -m pytest -m "slow or not slow" tests/test_release.py

clean:
	rm -rf build
