# A thin front for people; CMake does the building (CMakePresets.json).
#   make run     set up, build, start the server, make one demonstration video
#   make test    set up and pass every test
# `make help` lists the rest.

BUILD := build/release
PROGRAM := $(BUILD)/zoetrope
PREFIX ?= /usr/local

.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## install what building and running need
	@tools/setup

build: setup ## build the program (release)
	@tools/build release zoetrope

run: build ## start the server and make a demonstration video (LISTEN=host:port, DATA=folder)
	@tools/run $(PROGRAM)

test: ## set up and pass every test; QUICK=1: unit, API and command line only
	@tools/setup --test
	@python3 tests/run.py $(if $(QUICK),--quick)

bench: setup ## measure; prints ratios against named peers
	@tools/setup --bench
	@tools/build release bench
	@bench/run $(BUILD)

lint: ## clang-format, clang-tidy, cppcheck
	@tools/setup --test
	@tools/lint

fuzz: ## run every fuzz target for SECONDS (60)
	@tools/setup --test
	@tools/build fuzz
	@tests/fuzz/run $(or $(SECONDS),60)

docs: build ## regenerate docs/SETTINGS.md and ERRORS.md from the program's tables
	@tools/docs $(PROGRAM)

install: setup ## into PREFIX (/usr/local), under DESTDIR
	@cmake --preset release >/dev/null
	@packaging/install $(BUILD) $(PREFIX)

uninstall: ## what `make install` put there, under the same DESTDIR
	@packaging/uninstall $(BUILD)

dist: ## build/zoetrope-VERSION.tar.gz of the last commit
	@packaging/dist

deb: setup ## Debian packages of the last commit, in build/deb
	@tools/setup --package
	@packaging/deb

clean: ## remove what was built
	rm -rf build

.PHONY: help setup build run test bench lint fuzz docs install uninstall dist deb clean
