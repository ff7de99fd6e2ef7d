# One command each. `make` alone lists them.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
BUF := npx --yes @bufbuild/buf@1.75.0

.PHONY: help setup demo up down status logs test check bench lock protos released

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the lock files pin, and build the map (nothing to do: 0.1 s)
	@PYTHON="$(PYTHON)" deploy/setup.sh
	@deploy/build-map.sh

demo: setup ## The whole platform on this machine, with recordings: see aircraft move
	@$(BIN)/flight up --demo

up: setup ## The whole platform on this machine, without recordings
	@$(BIN)/flight up

down: setup ## Stop it all
	@$(BIN)/flight down

status: setup ## How every hop is
	@$(BIN)/flight status

logs: setup ## Follow the logs of all programs
	@$(BIN)/flight logs --follow

test: setup ## All tests, with real servers on free ports
	@deploy/build-map.sh --strict
	@npm --prefix web run --silent test
	@$(BIN)/pytest -n 4 --dist loadfile -m "not alone"
	@$(BIN)/pytest -m alone

check: setup ## Style, types, import rules, and that the messages of the last release can still be read
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd web && npx tsc --noEmit
	$(BUF) breaking . --path protos --against protos/released.binpb

bench: setup ## Limits, the naive way and ours, side by side on this machine (QUICK=1: within three minutes)
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(BENCH)

lock: setup ## Write requirements.lock from pyproject.toml (newer versions: make lock UPGRADE=--upgrade)
	$(BIN)/uv pip compile pyproject.toml --group dev --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --quiet $(UPGRADE) --output-file requirements.lock

released: ## At a release: its messages are what later ones are checked against
	$(BUF) build . --path protos --output protos/released.binpb

protos: setup ## Generate protos/**/*_pb2.py from the .proto files
	$(BIN)/python -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. protos/flight/v1/*.proto
