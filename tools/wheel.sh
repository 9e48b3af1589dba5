#!/bin/sh
# Usage: wheel.sh OUT
# Makes the source package and from it the wheel, in the folder OUT; lets auditwheel give the wheel the name of the
# oldest Linux that it runs on; and checks both as the package index will.
set -eu
cd "$(dirname "$0")/.."

out=$1
environment=build/wheel-tools
tools/setup-python.sh "$environment" tools/requirements-wheel.txt
PATH=$PWD/$environment/bin:$PATH

rm -rf "$out"
python -m build --outdir "$out"
if auditwheel repair --wheel-dir "$out" "$out"/*-linux_*.whl; then
  rm "$out"/*-linux_*.whl
else
  echo "The wheel stays as it is: what it was built with is too new, or too foreign, for auditwheel (see above)." >&2
  echo "It runs on this machine; wheels for others are built by cibuildwheel, as .github/workflows/wheels.yml does." >&2
fi
twine check --strict "$out"/*
ls -l "$out"
