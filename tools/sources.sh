#!/bin/sh
# Lists the C++ sources of the project, one a line.
set -eu
cd "$(dirname "$0")/.."
find include bindings weights_converter examples tests benchmarks \( -name '*.[ch]pp' -o -name '*.inc' \) | sort
