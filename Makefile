# Every task of the project. `make` alone lists them.
#
#   make test ARGS="-k password"     passes ARGS on to pytest, which runs two files at a time; -n 0 runs one
#   make demo INTERACTIVE=1          lets you answer for the customer
#   make test PYTHON=python3.12      chooses the Python that .venv is made with

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test browser check docs bench clean

# The first of these that runs and is new enough.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## Say what can be done here
	@echo "shopaccounts: customer accounts for online shops"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "The first task sets up $(VENV), which takes a minute or two."

demo: $(READY) ## Watch customers register, sign in and recover their accounts
	@$(BIN)/python -m demo $(if $(INTERACTIVE),--interactive)

test: $(READY) ## Run all tests and all examples of the docs
	@echo "Running the tests and the examples of the docs."
	@PYTHONHASHSEED=0 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

browser: $(VENV)/.browser ## Use passkeys in a real Chromium, through the example shops
	@echo "Using passkeys in $$(command -v chromium || command -v chromium-browser || command -v google-chrome)."
	@$(BIN)/python -m pytest tests/browser $(ARGS)

check: $(READY) ## Look for mistakes without running anything
	@echo "1/5 Style and common mistakes"
	@$(BIN)/ruff check .
	@echo "2/5 Layout of the code"
	@$(BIN)/ruff format --check .
	@echo "3/5 Types"
	@$(BIN)/mypy
	@echo "4/5 Who may import whom"
	@$(BIN)/lint-imports --no-cache
	@echo "5/5 Generated files are fresh"
	@$(BIN)/python tools/generate_blocking.py --check
	@$(BIN)/python tools/compile_messages.py --check
	@$(BIN)/python tools/generate_reference.py --check
	@echo "Nothing found."

docs: $(READY) ## Build the documentation
	@echo "Building the documentation."
	@$(BIN)/sphinx-build --quiet --fail-on-warning --nitpicky --keep-going --fresh-env -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

bench: $(READY) ## Measure speed and memory
	@$(BIN)/python -m benchmarks

clean: ## Remove everything that these tasks made, .venv included
	rm -rf $(VENV) .bench build dist docs/_build .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later was not found. Install it, or say where it is: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11."; exit 1; }
	@if [ ! -x $(BIN)/python ]; then \
		echo "Setting up $(VENV) with $$("$(PYTHON)" --version)"; \
		"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) can't make a virtual environment; on Debian and Ubuntu install python3-venv."; exit 1; }; \
	fi
	@printf "Installing what the project needs, one dot for each package "
	@$(BIN)/python -m pip install --progress-bar off --constraint constraints.txt --editable ".[tests,lint,docs]" 2>&1 \
		| tee $(VENV)/setup.log | awk '/^Collecting/ { printf "."; fflush() }' \
		|| { echo; cat $(VENV)/setup.log; echo "Setting up $(VENV) failed; the reason stands above."; exit 1; }
	@echo " done"
	@touch $@

# Chromium comes from the system: apt installs it where it may, and says what to type where it may not.
$(VENV)/.browser: $(READY)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing Chromium."; apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
		else echo "Chromium was not found. On Debian and Ubuntu: sudo apt-get install chromium"; exit 1; fi
	@echo "Installing Playwright."
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[tests,browser]"
	@touch $@
