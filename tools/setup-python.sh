#!/bin/sh
# Usage: setup-python.sh ENVIRONMENT REQUIREMENTS
# Makes the virtual environment, or brings it up to date when the requirements have changed since.
set -eu

environment=$1
requirements=$2
stamp=$environment/requirements.txt

if cmp -s "$requirements" "$stamp"; then
  exit 0
fi
python3 -m venv "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
cp "$requirements" "$stamp"
