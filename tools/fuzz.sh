#!/bin/sh
# Usage: fuzz.sh BUILD SECONDS [TARGET...]
# Runs fuzz targets of a build, without names all of them, each for so many seconds. What it finds interesting stays in
# BUILD/corpus for the next run; an input that breaks something is written into BUILD/crashes, and the run ends there.
set -eu

build=$1
seconds=$2
shift 2
[ $# -gt 0 ] || set -- $(cd "$build/bin/fuzz" && ls -- *_fuzz)

for name in "$@"; do
  mkdir -p "$build/corpus/$name" "$build/crashes"
  echo "$name, $seconds s"
  "$build/bin/fuzz/$name" -max_total_time="$seconds" -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name"
done
