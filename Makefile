# Two commands: `make demo` shows Tellsign at work, `make test` runs every check. Both set up all they need.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: demo test browsers tray

demo: .venv/demo browsers
	$(BIN)/tellsign demo

test: .venv/test node_modules/.package-lock.json browsers tray
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	npm run --silent check
	TELLSIGN=$(BIN)/tellsign npm run --silent test:browser
	$(BIN)/python -m pytest

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Tellsign needs Python 3.11 or newer."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/demo: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/test: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[training,test]'
	@touch $@ .venv/demo

node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund

browsers tray:
	@packaging/$@
