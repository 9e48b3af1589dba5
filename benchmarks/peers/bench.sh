#!/bin/sh
# Usage: bench.sh SST [options of run.py]
# Sets up the peers, makes the models, measures, and writes the report: of a full run into benchmarks/results, of any
# other into build/bench/report. The programs are in build/bench/bin already; SST is the Stanford Sentiment Treebank,
# downloaded if it is not there.
set -eu

sst=$1
shift
peers=benchmarks/peers
build=build/bench
python=$build/venv/bin/python

tools/setup-python.sh $build/venv $peers/requirements.txt
tools/setup-python.sh $build/venv-next $peers/requirements-next.txt
case " $* " in *" --help "* | *" -h "*) exec $python $peers/run.py --help ;; esac
$python $peers/make_models.py --data "$sst"
$python $peers/run.py --data "$sst" "$@"
$python $peers/report.py $build/results.json "$([ $# -eq 0 ] && echo benchmarks/results || echo $build/report)"
