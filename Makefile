# The commands of the project. `make run` and `make test` need nothing but Debian 12 or Ubuntu 24.04,
# root or sudo, and the two package registries (apt, PyPI).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT_INSTALL = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends

.PHONY: help run test check bench setup format requirements clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: setup ## the whole product with simulated homes, until Ctrl-C
	@exec $(BIN)/stadsnav demo

test: setup tools ## every test that this machine can run
	@$(BIN)/pytest

check: setup ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: setup tools ## the benchmarks, as a table
	@$(BIN)/python -m tests.benchmarks

format: setup ## write the code as the formatter wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

requirements: setup ## exact versions with hashes from the ranges in pyproject.toml
	@$(BIN)/python -m pip install -q uv
	@for name in run dev; do \
	  group=$$([ $$name = dev ] && echo "--group dev" || true); \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --upgrade $$group pyproject.toml -o requirements/$$name.txt; \
	done

setup: $(VENV)/.ready mosquitto

.PHONY: mosquitto tools
mosquitto:
	@if ! PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v mosquitto >/dev/null; then \
	  echo "setup: installing Mosquitto (apt) ..."; \
	  $(SUDO) apt-get update -q >/dev/null; \
	  $(APT_INSTALL) mosquitto >/dev/null; \
	  if [ -d /run/systemd/system ]; then $(SUDO) systemctl disable --now mosquitto >/dev/null 2>&1 || true; fi; \
	fi

# What tests drive the product with from outside; a test that misses one is skipped and says so.
tools:
	@missing=""; \
	command -v mosquitto_pub >/dev/null || missing="$$missing mosquitto-clients"; \
	command -v strace >/dev/null || missing="$$missing strace"; \
	command -v openssl >/dev/null || missing="$$missing openssl"; \
	command -v victoria-metrics >/dev/null || missing="$$missing victoria-metrics"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing="$$missing chromium"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	if [ -n "$$missing" ]; then \
	  echo "setup: installing for the tests (apt):$$missing ..."; \
	  $(SUDO) apt-get update -q >/dev/null || true; \
	  for package in $$missing; do \
	    $(APT_INSTALL) $$package >/dev/null \
	      || echo "setup: could not install $$package; the tests that need it are skipped"; \
	  done; \
	  if [ -d /run/systemd/system ]; then \
	    case "$$missing" in *victoria*) $(SUDO) systemctl disable --now victoria-metrics >/dev/null 2>&1 || true;; esac; \
	  fi; \
	fi

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@if ! $(PYTHON) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "setup: installing Python's venv (apt) ..."; \
	  $(SUDO) apt-get update -q >/dev/null && $(APT_INSTALL) python3 python3-venv >/dev/null; \
	fi
	@echo "setup: making $(VENV) and installing what requirements/dev.txt pins ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean: ## remove the virtual environment and caches; data folders stay
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
