# The front door; the work is done by Meson and by tools/. `make` alone prints the help.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
# Seconds per fuzz target.
FUZZ_SECONDS ?= 60
# Runs of the simulation.
SEEDS ?= 1000

.DEFAULT_GOAL := help
.PHONY: help setup configure build demo test bench bench-statechart bench-durable bench-contract bench-telemetry fuzz sim torture coverage format install clean

help: ## print this
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Debian packages that are missing (tools/packages.txt)
	@tools/setup.sh base

configure: setup
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --prefix=$(PREFIX)

build: configure ## build the command (build/arvo) and the libraries
	@ninja -C $(BUILD) product

demo: build ## run a purchase workflow on SQLite and print the trace of every event
	@tools/demo.sh $(BUILD)/arvo

test: configure ## every suite, sanitizers and a second compiler included
	@tools/test.sh

bench: configure ## measure, with peers in the same run
	@tools/setup.sh bench
	@tools/bench.sh $(BUILD)

bench-statechart: configure ## measure statecharts and expressions, with XState in the same run
	@tools/npm.sh bench || echo "bench: without XState"
	@tools/bench.sh $(BUILD) statechart expr

bench-contract: configure ## measure checks against contracts, with Ajv and zod in the same run
	@tools/npm.sh bench || echo "bench: without Ajv and zod"
	@tools/bench.sh $(BUILD) contract

bench-telemetry: configure ## measure what telemetry costs, against none in the same run
	@tools/bench.sh $(BUILD) telemetry

bench-durable: configure ## measure the durable stores, beside bare loops on the same disk
	@tools/bench.sh $(BUILD) durable

fuzz: setup ## fuzz every target for FUZZ_SECONDS (default 60)
	@tools/setup.sh fuzz
	@tools/fuzz.sh $(FUZZ_SECONDS)

sim: build ## run the simulation on SEEDS seeds (default 1000) that nobody has seen
	@$(BUILD)/arvo sim --seeds $(SEEDS)

torture: build ## kill workers, servers and connections on every store, and compare (KILLS)
	@tools/setup.sh servers
	@tools/torture.sh $(BUILD) $(STORES)

coverage: setup ## run the tests instrumented and print line and branch coverage
	@tools/setup.sh coverage
	@tools/coverage.sh

format: setup ## clang-format all C files in place
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: build ## install below PREFIX (default /usr/local), into DESTDIR when given
	@ninja -C $(BUILD) >/dev/null
	@meson install -C $(BUILD) --no-rebuild $(if $(DESTDIR),--destdir $(DESTDIR))

clean: ## remove every build folder
	@rm -rf build build-asan build-tsan build-clang build-fuzz build-coverage
