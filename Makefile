# Every target sets up what it needs. Versions are pinned in tests/sdk/.

PYTHON  ?= python3
NPM     ?= npm
CARGO   ?= cargo
VENV    := .venv
BUGSINK := .venv-bugsink
PHOENIX := .venv-phoenix
CURRENT := .venv-current
AI      := .venv-ai
SDK     := tests/sdk
OPS     := tests/operations
FUZZ_SECONDS ?= 600
PROM    := .cache/prometheus
DEB     := .cache/cargo-deb
DEB_VERSION := 3.8.0
NODE_OK := $(SDK)/node_modules/.installed
AI_NODE := $(SDK)/ai/node_modules/.installed

.DEFAULT_GOAL := help
.PHONY: help test test-all test-cargo test-sdk test-sdk-all test-operations torture fuzz tools browser systemd lint doc bench bench-vectorscan bench-check capture cargo-deb screenshots

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: test-cargo test-sdk test-operations ## Run the tests: cargo's, then one real SDK for each protocol and language, real servers, a browser, Prometheus

test-all: test-cargo test-sdk-all test-operations ## Run all tests: as `test`, with every client, scenario and server

test-cargo: ## Run the tests that need nothing but cargo
	$(CARGO) test --locked

SDK_READY := tools $(VENV)/.installed $(BUGSINK)/.installed $(PHOENIX)/.installed $(CURRENT)/.installed $(AI)/.installed $(NODE_OK) $(AI_NODE) browser

test-sdk: $(SDK_READY) ## Run the tests with real SDKs: one for each protocol and language
	$(CARGO) build --locked
	$(VENV)/bin/python -m pytest -q -p no:cacheprovider -m 'not every' $(SDK)

test-sdk-all: $(SDK_READY) ## Run the tests with real SDKs: every client, scenario and server
	$(CARGO) build --locked
	$(VENV)/bin/python -m pytest -q -p no:cacheprovider $(SDK)

test-operations: tools .venv-operations/.installed $(NODE_OK) $(PROM)/.unpacked $(DEB)/.installed-$(DEB_VERSION) browser systemd ## Run the tests of what operators get: metrics, rules, dashboard, packages
	$(CARGO) build --locked
	.venv-operations/bin/python -m pytest -q -p no:cacheprovider $(OPS)

tools:
	@command -v $(PYTHON) >/dev/null || { echo 'make: needs Python 3.11 or later as "$(PYTHON)" (set PYTHON=...)' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'make: needs Python 3.11 or later, $(PYTHON) is older (set PYTHON=...)' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || $(call install,python3-venv,the Python module venv)
	@command -v node >/dev/null && command -v $(NPM) >/dev/null || { echo 'make: needs Node.js 20 or later with npm' >&2; exit 1; }

browser:
	@[ -n "$$CHROMIUM" ] || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || $(call install,chromium,Chromium for the browser test (or CHROMIUM=/path/to/it))

systemd:
	@command -v systemd-analyze >/dev/null || $(call install,systemd,systemd-analyze for the test of the units)

# Debian's, unpacked and not installed: the package would start a service. Where both programs are there, they are used.
$(PROM)/.unpacked: | tools
	@mkdir -p $(PROM)
	@if command -v prometheus >/dev/null && command -v promtool >/dev/null; then :; \
	elif command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then \
	    cd $(PROM) && { apt-get -qq download prometheus 2>/dev/null || { apt-get update -qq && apt-get -qq download prometheus; }; } \
	    && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb; \
	else echo 'make: needs prometheus and promtool; install them (Debian package: prometheus) and run this again' >&2; exit 1; fi
	@touch $@

cargo-deb: $(DEB)/.installed-$(DEB_VERSION) ## Install the tool that builds the Debian package

# Unoptimised: it packs one file.
$(DEB)/.installed-$(DEB_VERSION): | tools
	@command -v dpkg-deb >/dev/null || $(call install,dpkg,dpkg-deb for the test of the Debian package)
	$(CARGO) install --quiet --locked --debug --no-track --force --root $(DEB) --version $(DEB_VERSION) cargo-deb
	@touch $@

screenshots: tools .venv-operations/.installed $(NODE_OK) browser ## Take the pictures of the admin page in docs/ again
	$(CARGO) build --locked
	.venv-operations/bin/python $(OPS)/screenshots.py

# $(call install,PACKAGE,WHAT): installs a Debian package where that is possible, else says what is missing.
define install
if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then \
	    sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1); \
	else echo 'make: needs $(2); install it (Debian package: $(1)) and run this again' >&2; exit 1; fi
endef

$(VENV)/.installed: $(SDK)/requirements.txt | tools
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install -q -r $<
	@touch $@

# The servers have environments of their own, for they pin other versions of what the tests use; so have SDKs in a
# version that cannot stand beside another that is tested.
.venv-%/.installed: $(SDK)/requirements-%.txt | tools
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/pip install -q -r $<
	@touch $@

.venv-operations/.installed: $(OPS)/requirements.txt | tools
	$(PYTHON) -m venv --clear .venv-operations
	.venv-operations/bin/pip install -q -r $<
	@touch $@

# What instruments SDKs of models is pinned to other versions of what the tests use, in Python as in Node.
$(AI)/.installed: $(SDK)/ai/requirements.txt | tools
	$(PYTHON) -m venv --clear $(AI)
	$(AI)/bin/pip install -q -r $<
	@touch $@

# No package here needs its install script. Some say that they need Node.js 22; they run on 20.
$(AI_NODE): $(SDK)/ai/package.json $(SDK)/ai/package-lock.json | tools
	cd $(SDK)/ai && $(NPM) ci --ignore-scripts --loglevel=error
	@touch $@

# No package here needs its install script.
$(NODE_OK): $(SDK)/package.json $(SDK)/package-lock.json | tools
	cd $(SDK) && $(NPM) ci --ignore-scripts
	@touch $@

capture: $(VENV)/.installed $(NODE_OK) ## Capture tests/corpus/sentry/ again from the real SDKs
	$(VENV)/bin/python tests/corpus/capture/capture.py

fuzz: ## Fuzz every parser, FUZZ_SECONDS each (600); TARGET=json for one alone
	@CARGO='$(CARGO)' FUZZ_SECONDS='$(FUZZ_SECONDS)' TARGET='$(TARGET)' fuzz/run

lint: ## Check format and lints, warnings as errors
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

doc: ## Build the documentation, warnings as errors
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps

bench: ## Run the benchmarks
	$(CARGO) bench --locked

bench-vectorscan: ## Run the comparison with Vectorscan, which is installed where that is possible
	@pkg-config --exists libhs 2>/dev/null || $(call install,pkg-config libvectorscan-dev,pkg-config and the library of Vectorscan)
	$(CARGO) bench --locked --features vectorscan --bench vectorscan

# OUTAGE_SECONDS, FUZZ_SECONDS and TORTURE_PARTS make it shorter; `cargo bench --bench torture -- --help` has the rest.
OUTAGE_SECONDS ?= 300
FUZZ_SECONDS   ?= 20
TORTURE_PARTS  ?= load,overload,idle,gzip,outage,faults,fuzz
torture: ## Load, overload, memory, outage, faults and fuzzing: one table; fails where something is lost, leaks, hangs or is killed
	@benches/proxy/setup || echo 'make: without these, the comparison with Envoy is skipped' >&2
	$(CARGO) bench --locked --bench torture -- torture --parts $(TORTURE_PARTS) --outage-seconds $(OUTAGE_SECONDS) --fuzz-seconds $(FUZZ_SECONDS)

bench-check: ## Check that the benchmarks build and run, once each, without measuring
	$(CARGO) bench --locked --profile dev -- --test
