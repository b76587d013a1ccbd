# Everything runs in .venv, which `make` builds by itself; nothing outside this folder is changed.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help book pdf test lab refresh experiments bench pins clean
.PHONY: everything weekly slow python

VENV := .venv/bin/python
# The first Python on the path that the pinned packages support.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
READY := .venv/.ready
# Whatever has to run alone here; the first time .venv is not there yet.
ALONE = $(or $(wildcard $(VENV)),$(PYTHON)) tools/single_instance.py $(MAKE) --no-print-directory
NOTEBOOKS := $(sort $(wildcard book/*.ipynb))
EXPERIMENTS := $(sort $(wildcard experiments/[a-z]*.py))
# Its stored outputs come from UCI's reviews, which have to be at hand for comparing.
REVIEWS := book/04_sentiment.ipynb
NBVAL := $(VENV) -m pytest -v --nbval-current-env --nbval-cell-timeout=300 --nbval-sanitize-with tests/nbval.cfg

# Notebooks run in book/: the folder's whole name.
ifdef ATTNLIB_DATA
override export ATTNLIB_DATA := $(shell cd "$(ATTNLIB_DATA)" && pwd)
endif
# Without a home that can be written to, Jupyter starts no kernel, and matplotlib warns in the first cell.
ifneq ($(shell test -d "$$HOME" -a -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.venv/home
endif

help:  ## say what can be made (this list)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

book: $(READY)  ## build the book and say where it is
	@$(VENV) tools/build_book.py

pdf: $(READY)  ## print the chapters to book/_build/pdf, with Chromium
	@$(VENV) tools/print_book.py

test weekly: export ATTNLIB_OFFLINE := 1
test: python  ## everything that must hold: style, unit tests, exercises, pages in a browser, every notebook
	@$(ALONE) everything

everything: $(READY)
	$(VENV) -m ruff check .
	@$(VENV) tools/build_book.py
	$(VENV) -m pytest tests
	$(NBVAL) --nbval $(filter-out $(REVIEWS),$(NOTEBOOKS))
	@if $(VENV) -c "from attnlib.tasks import reviews; reviews.archive()" 2>/dev/null; then $(NBVAL) --nbval $(REVIEWS); \
	else echo "UCI's reviews are not at hand: $(REVIEWS) runs on the book's own, its outputs are not compared."; \
	  $(NBVAL) --nbval-lax $(REVIEWS); fi

weekly: python  ## the tests that take too long for every change: odd places to run in, and many more inputs
	@$(ALONE) slow

slow: $(READY)
	$(VENV) -m pytest tests/weekly
	ATTNLIB_EXAMPLES=60 $(VENV) -m pytest tests/test_properties.py

lab: $(READY)  ## open the chapters in JupyterLab
	$(VENV) -m jupyter lab --notebook-dir=. --LabApp.app_settings_dir=tools/lab --LabApp.default_url=/lab/tree/book/index.md

refresh: $(READY)  ## run every chapter again and store its outputs
	$(VENV) tools/execute_notebooks.py

experiments: $(READY)  ## run the long experiments whose results the chapters plot (hours)
	@set -e; for script in $(EXPERIMENTS); do echo "== $$script"; $(VENV) $$script; done

bench: $(READY)  ## measure speed and memory against peers (10 minutes; PyTorch: pip install -r requirements-bench.txt)
	$(VENV) benchmarks/bench.py

pins: $(READY)  ## choose the newest versions again and write them to requirements.txt
	$(VENV) -m pip install --quiet uv
	$(VENV) -m uv pip compile --universal --fork-strategy fewest --python-version 3.11 --extra book --extra test \
	  --no-emit-index-url --no-annotate --no-header --upgrade --quiet -o requirements.txt pyproject.toml
	echo "-e ." >> requirements.txt

clean:  ## remove what was built (.venv stays: remove it by hand)
	rm -rf book/_build .pytest_cache .ruff_cache .hypothesis
	find attnlib benchmarks experiments tests tools book -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@test -x $(VENV) -o -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed, and none is on the path." >&2; exit 1; }

$(READY): requirements.txt pyproject.toml | python
	@test -w . || { echo "This folder cannot be written to, and .venv is not there, or out of date: copy the folder." >&2; exit 1; }
	@test -x $(VENV) || $(PYTHON) -m venv .venv
	$(VENV) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $(READY)
