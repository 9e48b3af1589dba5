#!/bin/sh
# Usage: lint.sh BUILD
# Checks the format of every C++ source, then runs clang-tidy on every one that the build (configured with clang++)
# compiles, and on the headers that it includes.
set -eu
cd "$(dirname "$0")/.."

tools/sources.sh | xargs clang-format --dry-run -Werror
run-clang-tidy -quiet -p "$1" "^$PWD/(benchmarks|examples|tests|weights_converter)/"
