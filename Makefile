# One line a task, each a call of hatch; the first call makes .venv, and hatch makes its environments in .hatch.
export HATCH_DATA_DIR := $(CURDIR)/.hatch
PYTHON ?= python3
HATCH = .venv/bin/hatch

.PHONY: demo test test-without-compiler lint types contracts conformance bench docs clean

$(HATCH):
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check "hatch==1.18.2"

demo: $(HATCH)
	@$(HATCH) run demo

test: $(HATCH)
	@$(HATCH) run test

# What a machine without a C++ compiler has: array code only.
test-without-compiler: $(HATCH)
	@FACULA_NATIVE=0 $(HATCH) run test packages

lint: $(HATCH)
	@$(HATCH) run lint

types: $(HATCH)
	@$(HATCH) run types

contracts: $(HATCH)
	@$(HATCH) run contracts

conformance: $(HATCH)
	@$(HATCH) run conformance:run

bench: $(HATCH)
	@$(HATCH) run conformance:bench

docs: $(HATCH)
	@$(HATCH) run docs:build

clean:
	rm -rf packages/core/native/build packages/core/src/facula/_native
	rm -rf .venv .hatch dist site demo-output .pytest_cache .mypy_cache .ruff_cache
