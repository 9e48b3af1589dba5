# The short way to everything; `make help` lists it. CMake does the building: see CMakePresets.json.

# The number of jobs, for ninja and for ctest.
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc)
export CTEST_PARALLEL_LEVEL ?= $(CMAKE_BUILD_PARALLEL_LEVEL)

# Precompiled headers are cached with this.
export CCACHE_SLOPPINESS ?= pch_defines,time_macros

# A text reaches the program through the environment, byte for byte: neither make nor the shell looks into it.
ifneq ($(origin TEXT),undefined)
override TEXT := $(value TEXT)
export TEXT
endif

MODEL ?= models/sst2
PORT ?= 8000
SST ?= build/sst
SECONDS ?= 60

.PHONY: all
all: build/build.ninja ## build the programs and tests into build/
	cmake --build build

.PHONY: run
run: build/build.ninja ## build, then classify some sentences, or one: make run TEXT="What a film!"
	@cmake --build build --target distilbert-classify $(if $(wildcard build/bin/distilbert-classify),-- --quiet)
ifneq ($(origin TEXT),undefined)
	@printf '%s\n' "$$TEXT" | build/bin/distilbert-classify --model $(MODEL) -
else
	@build/bin/distilbert-classify --model $(MODEL) examples/classify/sentences.txt
endif

.PHONY: serve
serve: build/build.ninja ## build, then serve a model over HTTP to this machine: make serve PORT=8000
	@cmake --build build --target distilbert-server $(if $(wildcard build/bin/distilbert-server),-- --quiet)
	@build/bin/distilbert-server --model $(MODEL) --host 127.0.0.1 --port $(PORT)

# $(call check,CONFIGURE PRESET,TEST PRESET)
define check
cmake --preset $(1)
cmake --build --preset $(1)
ctest --preset $(2)
endef

# g++ comes last because it runs every test; the other two leave out those labelled "heavy", and some folders.
.PHONY: test
test: build/.setup-test ## build with clang++, the sanitizers and g++, and run every test
	$(call check,clang,clang-quick)
	$(call check,asan,asan)
	$(call check,gcc,gcc)

.PHONY: test-quick
test-quick: build/.setup-test ## build with g++, and run the tests that take seconds
	$(call check,gcc,gcc-quick)

.PHONY: test-threads
test-threads: build/.setup-test ## build with ThreadSanitizer, and run the tests that use threads
	cmake --preset tsan
	cmake --build --preset tsan
	ctest --preset tsan -L '^(threads|tasks|weights|service)$$'

KERNEL_TESTS = $(addprefix build/gcc/tests/kernels/kernels_,same_bits_test levels_test sweep_test)

.PHONY: test-avx512
test-avx512: build/.setup-test ## run the kernels' tests on emulated CPUs with AVX-512, an hour, where there is none
	cmake --preset gcc
	cmake --build --preset gcc --target $(notdir $(KERNEL_TESTS)) tasks_same_logits_test
	tools/emulate-avx512.sh corei7_skylake_x build/emulator $(KERNEL_TESTS)
	tools/emulate-avx512.sh sapphire_rapids build/emulator $(KERNEL_TESTS) build/gcc/tests/tasks/tasks_same_logits_test

.PHONY: fuzz
fuzz: build/.setup-test ## run every fuzz target for a while: make fuzz SECONDS=60
	cmake --preset asan
	cmake --build --preset asan --target distilbert_fuzz_targets
	tools/fuzz.sh build/asan $(SECONDS)

# Everything stays in build/bench but the report, which is what a full run is for.
.PHONY: bench
bench: build/.setup-bench ## measure the library and its peers side by side, 20 minutes: make bench ARGS=--quick
	cmake --preset bench
	cmake --build --preset bench
	benchmarks/peers/bench.sh $(SST) $(ARGS)

.PHONY: bench-micro
bench-micro: build/.setup-bench ## measure the parts one by one: make bench-micro ARGS=--benchmark_filter=forward
	cmake --preset bench
	cmake --build --preset bench
	build/bench/bin/distilbert-bench-micro $(ARGS)

# As with bench, only a full run writes into benchmarks/results.
.PHONY: load-test
load-test: build/.setup-load ## load the server and its peer side by side, 10 minutes: make load-test ARGS=--no-peer
	cmake --preset bench
	cmake --build --preset bench
	benchmarks/load/load_test.sh $(SST) $(ARGS)

.PHONY: soak
soak: build/build.ninja build/.setup-test ## check the server under long load and faults, an hour: make soak ARGS=redis
	cmake --build build --target distilbert-server distilbert-classify
	DISTILBERT_BIN=build/bin DISTILBERT_SOURCE_DIR=. tests/service/load/load_checks.py --long $(ARGS)

.PHONY: evaluate
evaluate: build/build.ninja build/.setup-test ## measure a model's accuracy on the Stanford Sentiment Treebank: make evaluate MODEL=models/sst2
	cmake --build build --target distilbert-classify
	tools/evaluate.py $(MODEL) --data $(SST)

# The trained model in fp32 stays in build/train; beside its converted form only the model card is written by hand.
.PHONY: model
model: build/build.ninja build/.setup-test ## train models/sst2, and models/sst3 with neutral texts: half an hour each on two idle cores
	cmake --build build --target distilbert-convert
	tools/setup-python.sh build/train/venv weights_converter/train/requirements.txt
	for task in sst2 sst3; do \
	  build/train/venv/bin/python weights_converter/train/train.py $$task build/train/$$task --data $(SST) && \
	  build/bin/distilbert-convert build/train/$$task models/$$task --precision int8 --sum-bits 16 --force || exit 1; \
	done

.PHONY: lint
lint: build/.setup-test ## check format and clang-tidy's findings
	cmake --preset lint
	tools/lint.sh build/lint

.PHONY: format
format: build/.setup-test ## bring every C++ source into the project's format
	tools/sources.sh | xargs clang-format -i

.PHONY: convert
convert: build/build.ninja ## build build/bin/distilbert-convert
	cmake --build build --target distilbert-convert

.PHONY: static
static: build/.setup-static ## build the programs without shared libraries into build/static/bin
	cmake --preset static
	cmake --build --preset static

.PHONY: wheel
wheel: build/.setup-test ## build the Python wheel and its source package into build/dist, and check them
	tools/wheel.sh build/dist

.PHONY: install
install: build/build.ninja ## install headers, CMake package and programs: make install PREFIX=/usr/local
	cmake --build build --target distilbert-classify distilbert-convert distilbert-server
	cmake --install build $(if $(PREFIX),--prefix $(PREFIX))

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## print this
	@sed -n 's/^\([a-z0-9-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
	  printf 'make %-12s %s\n' "$$target" "$$text"; done

build/build.ninja: CMakePresets.json | build/.setup
	cmake --preset default
	@touch $@

build/.setup build/.setup-test build/.setup-bench build/.setup-load build/.setup-static: tools/setup-debian.sh
	@mkdir -p build
	tools/setup-debian.sh $(patsubst .setup-%,%,$(filter .setup-%,$(@F)))
	@touch $@
