#!/bin/sh
# Usage: fuzz.sh BUILD SECONDS
# Runs each fuzz target of a build for so many seconds. What it finds interesting stays in BUILD/corpus for the next
# run; an input that breaks something is written into BUILD/crashes, and the run ends there.
set -eu

build=$1
seconds=$2

for program in "$build"/bin/fuzz/*_fuzz; do
  name=$(basename "$program")
  mkdir -p "$build/corpus/$name" "$build/crashes"
  echo "$name, $seconds s"
  "$program" -max_total_time="$seconds" -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name"
done
