# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
SOURCES := app migrations api_tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help install run test check tests lock client openapi bench faults soak abuse hostile autobahn pictures clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "make %-9s %s\n", $$1, $$2}'

install: .venv/.installed ## the environment in .venv, with the wsx command

run: install ## serve, with the demo page, on http://127.0.0.1:8000
	@exec $(BIN)/wsx serve --demo

test: .venv/.tested-with ## set up everything that the tests need, then all gates and tests
	@api_tests/system-packages.sh
	@$(MAKE) --no-print-directory tests GATES=check

check: .venv/.tested-with ## the gates that run nothing: style, types, import contracts, security
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/bandit --quiet --recursive app --configfile pyproject.toml

tests: .venv/.tested-with ## only the tests, with coverage; three parts at once
	@rm -rf .coverage .coverage.* .build/tests && mkdir -p .build/tests
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target $(GATES) $(PARTS:%=tests-of-%)
	@$(MAKE) --no-print-directory --jobs=1 $(PARTS:%=again-%)
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='app/hub/*,app/wire/*,app/journal/*,app/serving/*' --fail-under=100
	$(BIN)/coverage report --omit='app/hub/*,app/wire/*,app/journal/*,app/serving/*' --fail-under=90

PYTEST = $(HOW.$*) -m pytest -o cache_dir=.build/tests/$* $(PART.$*)

# Coverage and asyncio's debug mode each double the time of a test: each part has one of them, or none, where other processes serve.
MEASURED := $(BIN)/coverage run --parallel-mode
HOW.rest := $(MEASURED)
HOW.processes-1 := $(BIN)/python
HOW.processes-2 := $(MEASURED)
HOW.processes-3 := $(BIN)/python
HOW.features-1 := $(MEASURED)
HOW.features-2 := $(MEASURED)
HOW.postgresql-1 := PYTHONASYNCIODEBUG=1 $(BIN)/python
HOW.postgresql-2 := $(HOW.postgresql-1)
# The longest first: what is started last must not be what is waited for.
PARTS := processes-1 rest processes-2 processes-3 features-1 features-2 postgresql-1 postgresql-2
# What starts processes, and mostly waits for them.
PROCESSES := $(addprefix api_tests/,abuse browser cli cluster faults postgresql benchmarks)
PART.processes-1 := $(addprefix api_tests/,abuse browser cli)
PART.processes-3 := api_tests/faults
PART.processes-2 := $(filter-out $(PART.processes-1) $(PART.processes-3),$(PROCESSES))
PART.rest := api_tests $(PROCESSES:%=--ignore=%) --ignore=api_tests/features
PART.features-1 := $(wildcard api_tests/features/test_[a-j]*.py)
PART.features-2 := $(filter-out $(PART.features-1),$(wildcard api_tests/features/test_*.py))
# All that is stored, on the other database; of these features nothing is.
STORELESS := asking background broadcasts connections $(addprefix console_,attacks connections forms live pages words) content \
  demo gathering handlers idle left_out locations metrics pacing redis_away sign_in targets templates ttl
PART.postgresql-1 = --database postgresql $(filter-out $(STORELESS:%=api_tests/features/test_%.py),$(PART.features-1))
PART.postgresql-2 = --database postgresql $(filter-out $(STORELESS:%=api_tests/features/test_%.py),$(PART.features-2)) api_tests/db

tests-of-%:
	$(PYTEST) || touch .build/tests/$*.failed

# Some tests have to be quicker than a moment that was chosen, which a busy machine cannot always be. What fails beside another
# part is tried once more with the machine to itself, and what fails then too is broken. So is a part that names no failed test.
# Of faults only what came too late is tried again: what loses something one time in five would be found well at the second try.
again-%:
	@if test -e .build/tests/$*.failed; then \
	  test ! -e .build/tests/$*/v/faults/wrong || { echo "what failed of $* was wrong, and not late: no second try" >&2; exit 1; }; \
	  echo "once more, alone: what failed of $*"; \
	  $(PYTEST) --last-failed --last-failed-no-failures=none --maxfail=1; \
	fi

client: .venv/.tested-with ## rewrite what /wsx.js sends from app/assets/wsx.js
	$(BIN)/python -m api_tests.web.minified

openapi: install ## rewrite openapi/ from the code
	$(BIN)/wsx openapi

bench: .venv/.tested-with ## measure every bar beside its peer, half an hour; ONLY="connects room" RUNS=1 for less
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS))

faults: .venv/.tested-with ## the long form of the tests of faults, with their figures; an hour and a half, alone on the machine, as root
	FAULTS=long $(BIN)/python -m pytest --timeout=600 api_tests/faults

soak: .venv/.tested-with ## an hour with 2,000 sockets that come and go; SECONDS=1500 for less: until the journal is full, memory grows
	SOAK_S=$(or $(SECONDS),3600) $(BIN)/python -m pytest --timeout=7200 api_tests/faults/test_soak.py -k stay

hostile: .venv/.tested-with ## every hostile string into every field, judged in Chromium; some minutes; needs Debian's wfuzz
	HOSTILE=long $(BIN)/python -m pytest --timeout=900 api_tests/browser/test_hostile_text.py

abuse: .venv/.tested-with ## the long form of the tests of abuse, with their figures; half an hour, alone on the machine
	ABUSE=long $(BIN)/python -m pytest --timeout=1300 api_tests/abuse

autobahn: .venv/.tested-with ## conformity of the socket; needs Python 2.7 with autobahntestsuite: WSTEST=path/to/wstest
	$(BIN)/python -m api_tests.conformity.autobahn --wstest '$(or $(WSTEST),wstest)'

pictures: .venv/.tested-with ## the pictures of the docs, made anew, and what a first visit of the demo costs
	$(BIN)/python -m api_tests.browser.pictures

lock: ## write constraints.txt anew, from the newest versions that fit pyproject.toml
	rm -rf .build/lock && $(PYTHON) -m venv .build/lock
	.build/lock/bin/python -m pip --quiet install --upgrade pip
	.build/lock/bin/python -m pip --quiet install '.[opentelemetry,test]'
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
	@$(PIP) install --constraint constraints.txt --editable '.[opentelemetry,test]'
	@touch $@
