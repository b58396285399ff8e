# make demo    set up everything and explain a real photo: gradline-demo.html, gradline-demo.png
# make test    set up everything and run the tests
# make lint    ruff and mypy
#
# PYTHON=python3.11      the interpreter to use
# TORCH_INDEX=URL        another source of torch, such as https://download.pytorch.org/whl/cpu

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint clean

demo: .venv/ready
	@$(BIN)/gradline demo

test: .venv/ready-test
	$(BIN)/python -m pytest

lint: .venv/ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf .venv gradline-demo.html gradline-demo.png

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) --editable '.[all]'
	@touch $@

.venv/ready-test: .venv/ready
	$(PIP) --editable '.[all,test]'
	@touch $@

.venv/ready-lint: .venv/ready-test
	$(PIP) --editable '.[all,test,lint]'
	@touch $@
