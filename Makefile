# make up: install and run. make test: install what tests need and run them all. `make help` lists the rest.
SHELL := /bin/sh
PY := .venv/bin/python
ARGS ?=
EXTRAS ?=

.DEFAULT_GOAL := help
# A wheel holds the page's packages only when they were laid beside the page first.
.PHONY: help up install web wheel test check bench docs lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: install web ## install what is missing and serve on 127.0.0.1:8080; EXTRAS="postgres parquet hub" for more
	@echo "the command is .venv/bin/freehold; \`. .venv/bin/activate\` makes it plain freehold" >&2
	@exec .venv/bin/freehold up $(ARGS)

install:
	@scripts/install.sh .venv requirements/base.txt
	@for extra in $(EXTRAS); do scripts/install.sh .venv requirements/$$extra.txt alone || exit 1; done

web: install
	@scripts/browser.sh

wheel: web ## build a wheel with the page's packages in it, into dist/
	$(PY) -m pip wheel -q --no-deps --no-build-isolation -w dist .

test: ## install what the tests need and run them all; ARGS="-k name" for some
	@scripts/install.sh .venv requirements/test.txt
	@scripts/browser.sh
	@scripts/test-needs.sh
	@.venv/bin/freehold models pull smollm2-135m-instruct all-minilm-l6-v2
	@folder=$$(mktemp -d /tmp/fh.XXXXXX); \
		$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --basetemp=$$folder/t $(ARGS); code=$$?; \
		if [ $$code = 1 ]; then \
			echo "what failed is tried once more, alone: a machine of two cores is late now and then" >&2; \
			$(PY) -m pytest --lf --basetemp=$$folder/u $(ARGS); code=$$?; \
		fi; \
		rm -rf "$$folder"; exit $$code

check: ## ruff, mypy strict, import-linter, architecture tests
	@scripts/install.sh .venv requirements/test.txt
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) -m pytest -q tests/arch

bench: ## nginx, LiteLLM's proxy and Freehold over one mock upstream, in one table
	@scripts/install.sh .venv requirements/test.txt
	@scripts/install.sh .venv-bench requirements/bench.txt alone
	@exec $(PY) bench/run.py $(ARGS)

docs: ## write docs/reference anew from the code
	@scripts/install.sh .venv requirements/test.txt
	$(PY) scripts/document.py

lock: ## resolve the lock files anew (needs uv); ARGS=--upgrade for newer versions
	scripts/lock.sh $(ARGS)

clean: ## remove what was installed and built; data and models stay
	rm -rf .venv .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .test
	rm -rf web/node_modules tests/node/node_modules src/freehold/console/static/vendor src/*.egg-info bench/out
	find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
