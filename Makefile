# SPDX-License-Identifier: MIT
#
# A short front for CMake. `make` builds everything with gcc, optimised, in build/; `make test` and
# `make demo` prove it. Every other preset of CMakePresets.json is built in out/<preset>/.

.DEFAULT_GOAL := all
.PHONY: all test demo bench stcp asan tsan clang debug lint fuzz mutants format install install-deps \
        clean check-layers metrics rfc-trace help

# Where `make install` puts things; DESTDIR is honoured.
PREFIX ?= /usr/local

configure = scripts/configure
MAKEFLAGS += --no-print-directory

all: ## build the library, the programs and the tests, optimised, in build/
	@scripts/install-deps build
	@$(configure) build
	@cmake --build build

test: all ## every test; the last line is `N passed, N failed`
	@scripts/install-deps test || echo "going on without the tests that need what is missing"
	@scripts/run-tests build

demo: all ## a file over real processes and bad links, with proof
	@scripts/demo

# What make itself calls a compiler, cc, is nobody's choice.
stcp: ## build/stcp/{client,server}; TRANSPORT=path [CC=gcc|g++] with another transport
	@scripts/install-deps build
	@$(configure) build
	@scripts/stcp $(if $(filter-out default,$(origin CC)),--cc '$(CC)') build $(if $(TRANSPORT),'$(TRANSPORT)')

bench: ## the benchmarks, optimised across files and by a profile, and out/release/bench.json; ONLY=NAME runs one row
	@scripts/install-deps build
	@scripts/install-deps peers || echo "going on without the peers that are missing"
	@$(configure) release
	@scripts/train
	@cmake --build out/release --target benches programs peers stcp
	@scripts/bench out/release $(ONLY)

asan tsan debug: ## the tests in out/<preset>/: sanitizers, or without optimisation
	@scripts/install-deps build
	@$(configure) $@
	@cmake --build out/$@
	@scripts/run-tests out/$@ --scale 4

clang: ## the tests as clang builds them, in out/clang/
	@scripts/install-deps build lint
	@$(configure) $@
	@cmake --build out/$@
	@scripts/run-tests out/$@

fuzz: ## build the fuzz targets and run each for SECONDS_EACH seconds (30)
	@scripts/install-deps build lint
	@$(configure) fuzz
	@cmake --build out/fuzz
	@scripts/fuzz out/fuzz $(or $(SECONDS_EACH),30)

mutants: ## plant each bug of tests/mutants and ask which suite notices; ONLY=ID tries one
	@scripts/install-deps build
	@scripts/mutants $(if $(ONLY),--only $(ONLY))

lint: ## clang-format, clang-tidy, cppcheck, layers, requirements, documents
	@scripts/install-deps build lint
	@$(configure) build
	@cmake --build build
	@scripts/lint build
	@scripts/check-layers build
	@scripts/rfc-trace
	@scripts/check-docs
	@scripts/mutants --check

check-layers: all ## the rules of layers.txt
	@scripts/check-layers build

metrics: ## sizes of functions and files against the budgets; never fails
	@scripts/metrics

rfc-trace: ## which requirements are done, tested or excepted
	@scripts/rfc-trace

format: ## let clang-format rewrite the sources
	@scripts/install-deps lint
	@scripts/lint --fix

install: all ## headers, libraries, pkg-config file, programs, man pages
	@cmake --install build --prefix $(PREFIX)

install-deps: ## install what building, testing and linting need
	@scripts/install-deps build lint

clean: ## remove build/ and out/
	@rm -rf build out

help: ## this list
	@grep -hE '^[a-z][a-z -]*:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 20
