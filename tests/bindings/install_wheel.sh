#!/bin/sh
# Usage: install_wheel.sh PYTHON SOURCE WHEEL ENVIRONMENT
# Builds the wheel of the tree SOURCE into the folder WHEEL, with the packages that PYTHON has, and installs it into
# ENVIRONMENT, which is made anew. What was compiled before is kept in WHEEL/build.
set -eu

python=$1 source=$2 wheel=$3 environment=$4
here=$(dirname "$0")

rm -rf "$wheel"/*.whl "$environment"
"$python" -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation --wheel-dir "$wheel" \
  --config-settings=build-dir="$wheel/build" --config-settings=cmake.define.DISTILBERT_WERROR=ON "$source"
"$python" -m venv "$environment"
"$environment/bin/python" -m pip --disable-pip-version-check install --quiet --requirement "$here/requirements.txt" \
  "$wheel"/*.whl
