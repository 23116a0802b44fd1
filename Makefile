# The same verbs for people and for CI. Nothing here asks a question or needs a terminal.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := help

# The first Python that is new enough; `make PYTHON=/path/to/python3.12 setup` chooses another.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$name" && break; done)
BIN := .venv/bin
# Processes share the tests, each with one thread: a build's bytes depend on the setting. More of them (PROCESSES=3) need
# more memory, a live service each; the real models of the proof need all that there is.
PROCESSES ?= 2
SHARED := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder --numprocesses

.PHONY: help setup system viewer install sbom images demo test proof check fix bench docs clean

help:  ## these lines
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

setup: .venv/.installed system viewer  ## virtual environment with everything, and Debian's redis-server, chromium and Ceph

.venv/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "make setup: needs Python 3.11 or newer on PATH (or PYTHON=...)" >&2; exit 2; }
	@echo "Installing into .venv: some minutes and 6 GB, most of it torch."
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar off --editable '.[all,dev]' </dev/null
	touch $@

# The viewer's page, built from service/viewer/src; nothing is done while that is unchanged. `node build.mjs --watch` in its
# folder builds on every change.
VIEWER := service/viewer
NODE_IS_NEW := node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null
viewer: $(VIEWER)/static/index.html

$(VIEWER)/static/index.html: $(VIEWER)/node_modules/.package-lock.json $(VIEWER)/build.mjs $(VIEWER)/tsconfig.json $(shell find $(VIEWER)/src -type f)
	cd $(VIEWER) && node build.mjs

$(VIEWER)/node_modules/.package-lock.json: $(VIEWER)/package-lock.json $(VIEWER)/.npmrc
	@if $(NODE_IS_NEW); then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq </dev/null && apt-get install -y -qq --no-install-recommends nodejs npm </dev/null; \
	fi
	@$(NODE_IS_NEW) || { echo "make setup: the viewer is built by Node.js 18 or newer with npm; put both on PATH" >&2; exit 2; }
	cd $(VIEWER) && npm ci --silent
	touch $@

# Only the tests want these: the product brings its own Redis binary and looks at no browser.
SYSTEM_PACKAGES := redis-server chromium fonts-liberation radosgw ceph-mon ceph-osd ceph-common
system:
	@if command -v redis-server chromium radosgw ceph-mon ceph-osd radosgw-admin | wc -l | grep -qx 6; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -qq </dev/null && apt-get install -y -qq --no-install-recommends $(SYSTEM_PACKAGES) </dev/null; \
	else \
		echo "make setup: the tests need chromium and a small Ceph, and redis-server is wanted; as root on Debian:" >&2; \
		echo "    apt-get install --no-install-recommends $(SYSTEM_PACKAGES)" >&2; \
	fi

demo: .venv/.installed viewer  ## a small world, its atlas over HTTP, and a page to look at
	$(BIN)/atlas demo $(DEMO)

test: setup check  ## check, then every test that needs no data of ours; under ten minutes on two cores
	$(SHARED) $(PROCESSES) $(TESTS)

# Status 5: none of TESTS is of that kind.
proof: setup  ## the claims that need the real models and photographs, or time
	$(SHARED) 2 -m "proof and not alone" $(TESTS) || test $$? = 5
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "proof and alone" $(TESTS) || test $$? = 5

check: .venv/.installed $(VIEWER)/node_modules/.package-lock.json  ## style, types, import contracts; writes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	cd $(VIEWER) && npm run --silent check

fix: .venv/.installed  ## what can be mended by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# On the demo's world; other cards by MODEL=, DATASET= and LAYER=.
WORLD := .atlas/world
MODEL ?= $(WORLD)/model.json
DATASET ?= $(WORLD)/dataset.json
LAYER ?= features.7
bench: .venv/.installed  ## the measured claims, printed
	@test -e $(MODEL) || $(BIN)/atlas demo --data-only $(WORLD)
	$(BIN)/python benchmarks/collect.py $(MODEL) $(DATASET) $(LAYER)
	$(BIN)/python benchmarks/memory.py $(MODEL) $(DATASET) $(LAYER)

# What the images are built by: extras in an environment of their own, with the viewer that `make viewer` left here.
# TORCH_INDEX names an index of torch's builds for processors.
EXTRA ?= service
ENVIRONMENT ?= build/$(EXTRA)
PIP := $(ENVIRONMENT)/bin/python -m pip install --disable-pip-version-check --no-cache-dir --progress-bar off
install:  ## an environment (ENVIRONMENT=) with extras (EXTRA=service,telemetry; worker, worker-gpu), as in the images
	test -x $(ENVIRONMENT)/bin/python || "$(PYTHON)" -m venv $(ENVIRONMENT)
	$(if $(TORCH_INDEX),$(PIP) --index-url "$(TORCH_INDEX)" 'torch>=2.10' 'torchvision>=0.25')
	$(PIP) '.[$(EXTRA)]'

# The tool has an environment of its own, so that it is no part of what it lists.
SBOM ?= build/sbom.json
LISTER := /tmp/atlas-sbom
sbom:  ## what an environment (ENVIRONMENT=) holds, as CycloneDX, into SBOM=
	@mkdir -p $(dir $(SBOM))
	@test -x $(BIN)/cyclonedx-py || test -x $(LISTER)/bin/cyclonedx-py || { "$(PYTHON)" -m venv $(LISTER) && \
		$(LISTER)/bin/python -m pip install --disable-pip-version-check --no-cache-dir --quiet 'cyclonedx-bom>=7'; }
	@lister=$(BIN)/cyclonedx-py; test -x $$lister || lister=$(LISTER)/bin/cyclonedx-py; \
	$$lister environment --pyproject pyproject.toml --output-reproducible --output-file $(SBOM) $(ENVIRONMENT)/bin/python

images:  ## the three images, by docker
	docker build -f service/Dockerfile -t activation-atlas-api .
	docker build -f workers/Dockerfile --target cpu --build-arg TORCH_INDEX="$(TORCH_INDEX)" -t activation-atlas-worker:cpu .
	docker build -f workers/Dockerfile --target cuda -t activation-atlas-worker:cuda .

docs: .venv/.installed  ## the documentation as a site in build/docs; a broken link fails
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs

clean:  ## caches and build folders; not the virtual environment
	rm -rf build dist $(VIEWER)/static $(VIEWER)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
