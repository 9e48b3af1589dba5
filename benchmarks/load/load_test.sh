#!/bin/sh
# Usage: load_test.sh SST [options of run.py]
# Sets up the peer and k6, loads both servers, and writes the report: of a full run into benchmarks/results, of any other
# into build/load. The programs are in build/bench/bin already; SST is the Stanford Sentiment Treebank, downloaded if it
# is not there.
set -eu

sst=$1
shift
build=build/load
python=$build/venv/bin/python

tools/setup-python.sh $build/venv benchmarks/load/requirements.txt
# k6 is not in Debian: its source comes from the Go module proxy where Go is, and that part is left out elsewhere.
if [ ! -x $build/bin/k6 ]; then
  if command -v go >/dev/null; then
    GOBIN=$PWD/$build/bin go install go.k6.io/k6@v1.8.1
  else
    echo "Go is not here to build k6 with: its part is left out." >&2
  fi
fi
$python benchmarks/load/run.py --data "$sst" "$@"
$python benchmarks/load/report.py $build/load.json "$([ $# -eq 0 ] && echo benchmarks/results || echo $build)"
