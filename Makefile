# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
SOURCES := app migrations api_tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help install run test check tests tests-of-features tests-of-the-rest tests-again lock openapi bench faults autobahn clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "make %-9s %s\n", $$1, $$2}'

install: .venv/.installed ## the environment in .venv, with the wsx command

run: install ## serve, with the demo page, on http://127.0.0.1:8000
	@exec $(BIN)/wsx serve --demo

test: .venv/.tested-with ## set up everything that the tests need, then all gates and tests
	@api_tests/system-packages.sh
	@$(MAKE) --no-print-directory check tests

check: .venv/.tested-with ## the gates that run nothing: style, types, import contracts, security
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --recursive app --configfile pyproject.toml

tests: .venv/.tested-with ## only the tests, with coverage; two halves at once
	@rm -rf .coverage .coverage.* .build/tests && mkdir -p .build/tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target tests-of-features tests-of-the-rest
	@$(MAKE) --no-print-directory tests-again
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='app/hub/*,app/wire/*,app/journal/*,app/serving/*' --fail-under=100
	$(BIN)/coverage report --omit='app/hub/*,app/wire/*,app/journal/*,app/serving/*' --fail-under=90

PYTEST = PYTHONASYNCIODEBUG=1 $(BIN)/coverage run --parallel-mode -m pytest -o cache_dir=.build/tests/$(1)

tests-of-features:
	$(call PYTEST,features) api_tests/features || touch .build/tests/features.failed

tests-of-the-rest:
	$(call PYTEST,rest) api_tests --ignore=api_tests/features || touch .build/tests/rest.failed

# Some tests have to be quicker than a moment that was chosen, which a busy machine cannot always be. What fails beside the other
# half is tried once more with the machine to itself, and what fails then too is broken. So is a half that names no failed test.
tests-again:
	@for half in features rest; do \
	  if test -e .build/tests/$$half.failed; then \
	    echo "once more, alone: what failed of $$half"; \
	    $(call PYTEST,$$half) --last-failed --last-failed-no-failures=none --maxfail=1 || exit 1; \
	  fi; \
	done

openapi: install ## rewrite openapi/ from the code
	$(BIN)/wsx openapi

bench: .venv/.tested-with ## measure every bar beside its peer, half an hour; ONLY="connects room" RUNS=1 for less
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS))

faults: .venv/.tested-with ## the long form of the tests of faults, with their figures; some minutes, alone on the machine
	FAULTS=long $(BIN)/python -m pytest --timeout=600 api_tests/faults

autobahn: .venv/.tested-with ## conformity of the socket; needs Python 2.7 with autobahntestsuite: WSTEST=path/to/wstest
	$(BIN)/python -m api_tests.conformity.autobahn --wstest '$(or $(WSTEST),wstest)'

lock: ## write constraints.txt anew, from the newest versions that fit pyproject.toml
	rm -rf .build/lock && $(PYTHON) -m venv .build/lock
	.build/lock/bin/python -m pip --quiet install --upgrade pip
	.build/lock/bin/python -m pip --quiet install '.[test]'
	(echo '# Every version that is installed; written by `make lock`.'; \
	  .build/lock/bin/python -m pip freeze --exclude wsx-server --exclude setuptools) > constraints.txt

clean: ## remove what was built; the database in var/ stays
	rm -rf .venv .build *.egg-info

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed; none was found. Set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "make: $(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }

.venv/.installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing dependencies into .venv (once; some 30 s)"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

.venv/.tested-with: .venv/.installed
	@echo "installing what the tests need"
	@$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@
