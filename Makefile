# Two commands matter:  make search  (set up and run the quick start)   make test  (set up and pass the tests)
PYTHON ?= $(shell for v in 3.11 3.12 3.13 3; do p=$$(command -v python$$v) && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
# The first that there is: on a GPU's machine nothing is installed for it.
GPU_PYTHON ?= $(if $(wildcard $(RUN)),$(RUN),python3)
ON ?= gpu
FAST := not slow and not long and not gpu and not browser and not cluster

# Without bytecode each of pytest's workers compiles all tests anew: 6 of the 22 s that collecting them takes.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup search ui test test-all fuzz gpu gpu-search check docs format clean

help:
	@echo "make search   set up, then run the quick-start search (digits, two objectives)"
	@echo "make test     set up, then run the suite (under 25 minutes on two cores)"
	@echo "make test-all the same, then what is long by nature (hosts, outages, the browser)"
	@echo "make fuzz     20,000 random specs, histories and data folders, other ones each time (an hour)"
	@echo "make gpu      what runs on a GPU, and what packed trials would bring: 8 minutes on one large"
	@echo "              GPU, on PyTorch, transformers and peft alone; ON=cpu: the same in small"
	@echo "make gpu-search  a search through Ray with a whole, half and quarter of a GPU a trial"
	@echo "make check    fast suite, lint and types (under three minutes on two cores)"
	@echo "make docs     build the documentation into build/site; any warning fails it"
	@echo "make ui       the MLflow UI on this project's store, on localhost only"

# --use-pep517: an older pip, as of Debian 12, builds seqeval in the environment itself, and fails.
$(VENV)/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --use-pep517 --editable '.[dev]'
	@touch $@

setup: $(VENV)/.ready

search: setup
	$(RUN) -m search run search/specs/digits.yaml

ui: setup
	$(RUN) -m search ui

# The slow tests start real searches, which wait as long as they work: four files side by side.
test: setup
	$(RUN) -m pytest -n 2 -m "$(FAST)" --durations=20
	$(RUN) -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "slow and not long and not gpu and not browser and not cluster" --durations=20

test-all: test
	$(RUN) -m pytest -n 2 --dist loadfile -m "long and not gpu and not browser and not cluster" --durations=20
	$(RUN) -m pytest -m "browser or cluster" --durations=20

fuzz: setup
	TWENTIETH_FUZZ=20000 $(RUN) -m pytest -n 2 tests/fuzz

# Needs no setup: PyTorch, transformers and peft, of which the machine has its own.
gpu:
	$(GPU_PYTHON) -m benchmarks.gpu --on $(ON) $(if $(RESULTS),--results $(RESULTS))

gpu-search: setup
	$(RUN) -m benchmarks.packing --on gpu --at-once 1 2 4 --out-of-memory

check: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest -n 2 -m "$(FAST)"

# To read it with its search box: python3 -m http.server --bind 127.0.0.1 --directory build/site
docs: setup
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

format: setup
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache
