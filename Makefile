# Everything runs in .venv, which `make` builds by itself; nothing outside this folder is changed.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help book pdf quick test weekly lowest lab refresh format experiments bench
.PHONY: pins clean style everything slow on-lowest python gone

VENV := .venv/bin/python
# The first Python on the path that the pinned packages support.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
    && { echo $$p; break; }; done)
READY := .venv/.ready
# $(VENV), unless it is missing or leads to a Python that is gone.
RUNNABLE = $(shell test -x $(VENV) && echo $(VENV))
# Within .venv: an environment with the lowest versions that pyproject.toml allows.
LOWEST := .venv/lowest
# For what has to run alone in this folder. At first, .venv does not exist yet.
ALONE = $(or $(RUNNABLE),$(PYTHON)) -m tools.single_instance \
  $(MAKE) --no-print-directory
# Files only: Binder has links for the old names of chapters (tools/link_old_names.py).
NOTEBOOKS := $(sort $(shell find book -maxdepth 1 -name "*.ipynb" -type f))
# One of them is for whoever has a GPU.
EXPERIMENTS := $(filter-out attention_on_gpu,\
  $(sort $(basename $(notdir $(wildcard experiments/[a-z]*.py)))))
# Its stored outputs come from UCI's reviews, so they are compared only where those are
# available.
REVIEWS := book/04_sentiment.ipynb
NBVAL := $(VENV) -m pytest -v --nbval-current-env --nbval-cell-timeout=300 \
  --nbval-sanitize-with tests/nbval.cfg
# No browser, no build of the book, no long training, no notebook.
QUICK := $(addprefix tests/test_,$(addsuffix .py,floors arguments reference reference_luong \
  additive luong local pooling search metrics vocabulary numbers dates results \
  provenance plots tables quiz checking_exercise exercises project binder plain_notebooks \
  pack_attnlib run_kernel watchdog))

# Notebooks run in book/, so a relative path would not do.
ifdef ATTNLIB_DATA
override export ATTNLIB_DATA := $(shell cd "$(ATTNLIB_DATA)" && pwd)
endif
# Without a writable home folder, Jupyter starts no kernel, and Matplotlib warns in the
# first cell.
ifneq ($(shell test -d "$$HOME" -a -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.venv/home
endif

help:  ## say what can be made (this list)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

book: $(READY)  ## build the book and say where it is
	@$(VENV) -m tools.build_book

pdf: $(READY)  ## print the chapters to book/_build/pdf, with Chromium
	@$(VENV) -m tools.print_book

quick test weekly lowest: export ATTNLIB_OFFLINE := 1
quick: style  ## style and the fast unit tests, for use while you write
	$(VENV) -m pytest -q $(QUICK)

test: python  ## check everything: style, unit tests, exercises, pages in a browser, notebooks
	@$(ALONE) everything

style: $(READY)
	$(VENV) -m ruff format --check .
	$(VENV) -m ruff check .

everything: style
	@$(VENV) -m tools.build_book
	$(VENV) -m pytest tests
	$(NBVAL) --nbval $(filter-out $(REVIEWS),$(NOTEBOOKS))
	@if $(VENV) -c "from attnlib.tasks import reviews; reviews.archive()" 2>/dev/null; then \
	  $(NBVAL) --nbval $(REVIEWS); \
	else \
	  echo "The UCI reviews are not available: $(REVIEWS) runs on the book's own reviews," \
	    "and its outputs are not compared."; \
	  $(NBVAL) --nbval-lax $(REVIEWS); \
	fi

weekly: python  ## run the tests that take too long for every change
	@$(ALONE) slow

slow: $(READY)
	$(VENV) -m pytest tests/weekly
	ATTNLIB_EXAMPLES=60 $(VENV) -m pytest tests/test_properties.py

lowest: python  ## run the chapters on the lowest versions that pyproject.toml allows
	@$(ALONE) on-lowest

# Text that NumPy prints differs between its versions, so outputs are not compared. The
# tests of the project's files need what the pins bring.
on-lowest: $(LOWEST)/.ready
	$(LOWEST)/bin/python -m pytest -q $(filter-out %project.py %binder.py %plain_notebooks.py,$(QUICK)) \
	  tests/test_layers_keras.py tests/test_call_forms.py
	$(LOWEST)/bin/python -m pytest -v --nbval-lax --nbval-current-env \
	  --nbval-cell-timeout=300 $(NOTEBOOKS)

$(LOWEST)/.ready: $(READY) pyproject.toml tools/lowest_versions.py
	$(VENV) -m venv --clear $(LOWEST)
	$(VENV) -m tools.lowest_versions > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c $(LOWEST)/constraints.txt -e ".[tensorflow,test]"
	@touch $@

lab: $(READY)  ## open the chapters in JupyterLab
	$(VENV) -m jupyter lab --notebook-dir=.

refresh: $(READY)  ## execute every chapter again and store its outputs
	$(VENV) -m tools.execute_notebooks

format: $(READY)  ## sort the imports and format the code
	$(VENV) -m ruff check --fix .
	$(VENV) -m ruff format .

experiments: $(READY)  ## run the long experiments whose results the chapters plot (hours)
	@set -e; for name in $(EXPERIMENTS); do \
	  echo "== $$name"; $(VENV) -m experiments.$$name; done

bench: $(READY)  ## measure speed and memory against baselines (15 minutes)
	$(VENV) -m benchmarks.bench
	$(VENV) -m benchmarks.transformer
	$(VENV) -m benchmarks.page

pins: $(READY)  ## choose the newest versions again and write them to requirements.txt
	$(VENV) -m pip install --quiet uv
	$(VENV) -m uv pip compile --universal --fork-strategy fewest --python-version 3.11 \
	  --extra tensorflow --extra book --extra test --no-emit-index-url --no-annotate --no-header --upgrade \
	  --quiet -o requirements.txt pyproject.toml
	printf "./tools/lab\n-e .\n" >> requirements.txt

clean:  ## remove what was built (.venv stays: remove it by hand)
	rm -rf book/_build .pytest_cache .ruff_cache .hypothesis
	find attnlib benchmarks experiments tests tools book -name __pycache__ -type d \
	  -prune -exec rm -rf {} +

python:
	@test -x $(VENV) -o -n "$(PYTHON)" \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed, and none is on the path." >&2; exit 1; }

# What the Python of the page is made by.
ENGINE := $(addprefix tools/,engine.lock.json engine.py engine_recipe.py \
  engine_compile.py engine_compile.mjs)

# JupyterLab's settings, which requirements.txt installs.
LAB := $(wildcard tools/lab/*.py tools/lab/*.json tools/lab/*.toml)

$(READY): requirements.txt pyproject.toml $(LAB) $(ENGINE) $(if $(RUNNABLE),,gone) | python
	@test -w . \
	  || { echo "This folder cannot be written to, and .venv does not exist or is out of" \
	    "date: copy the folder." >&2; exit 1; }
	@$(or $(PYTHON),$(VENV)) -m tools.make_environment
	@$(VENV) -m tools.engine || true   # the book can be built without it
	@touch $(READY)
