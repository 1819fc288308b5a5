# make run            the whole scenario with demo PBX and phones; make run SITE=conf/mine.toml: the edge alone
# make test           everything that must hold
# make bench          the edge beside Kamailio, its media relay beside rtpengine, and the tunnel beside stunnel, on one load
# make bench-relay    the media relay alone
# make hot-functions  the order of the functions in the program from a run under valgrind, for the next build
# make captures       records captures/ anew from real runs
# make fuzz           libFuzzer on every target for SECONDS each (60); TARGET="uri sdp": those alone; RUNS=N: so many runs
# make abuse          the whole table of attacks against the real process, every state over every carriage, and mutants of it
# make interop        docs/interop.md from a run of the real-peer tests

SHELL := /bin/bash
PYTHON ?= /usr/bin/python3
SWIFT ?= swift
EDGE := .build/release/edgeproxy
# One program without Swift's libraries beside it, what a running edge uses side by side in it. The run-time checks of
# exclusive access are for the debug build and the tests.
RELEASE := -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked -Xswiftc -Xfrontend -Xswiftc -function-sections \
	-Xlinker --symbol-ordering-file=$(CURDIR)/tools/hot-functions.txt -Xlinker --no-warn-symbol-ordering

.PHONY: all deps site-deps build run test unit-test peer-test bench bench-relay hot-functions captures clean fuzz interop abuse

all: build

deps:
	@tools/install-deps.sh

site-deps:
	@tools/install-deps.sh --site

build: site-deps
	$(SWIFT) build $(RELEASE) --product edgeproxy

ifdef SITE
run: build
	exec $(EDGE) run --site $(SITE)
else
run: deps build
	exec $(PYTHON) Tests/RealPeers/demo.py
endif

test: unit-test peer-test

unit-test: deps
	$(SWIFT) test

peer-test: deps build
	@rm -f .build/interop.jsonl
	INTEROP_RESULTS=$(CURDIR)/.build/interop.jsonl $(PYTHON) Tests/RealPeers/run_tests.py

bench: deps build
	$(PYTHON) Benchmarks/bench.py $(BENCH)
	$(PYTHON) Benchmarks/relay.py $(RELAY)
	$(PYTHON) Benchmarks/tunnel.py $(TUNNEL)

bench-relay: deps build
	exec $(PYTHON) Benchmarks/relay.py $(RELAY)

hot-functions: deps build
	@command -v valgrind >/dev/null || { echo "hot-functions: the package valgrind is missing" >&2; exit 1; }
	$(PYTHON) Benchmarks/hot_functions.py
	@rm -f $(EDGE)

captures: deps build
	exec $(PYTHON) Tests/RealPeers/record.py $(SCENARIO)

SECONDS ?= 60
fuzz: site-deps
	exec tools/fuzz.sh $(SECONDS) $(TARGET)

abuse: deps build
	ABUSE_FULL=1 $(PYTHON) Tests/RealPeers/run_tests.py abuse mutants

interop: peer-test
	$(PYTHON) tools/interop.py .build/interop.jsonl

clean:
	rm -rf .build run Benchmarks/results
	find Tests Benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
