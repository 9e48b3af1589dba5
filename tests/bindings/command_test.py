"""python -m distilbert."""

import json
import subprocess
import sys

import distilbert


def run(*arguments, stdin=""):
    command = [sys.executable, "-m", "distilbert", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, encoding="utf-8", timeout=120)


def test_texts():
    done = run("a joy from first to last", "two hours I will not get back")
    assert done.returncode == 0, done.stderr
    labels = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert labels == ["POSITIVE", "NEGATIVE"]


def test_lines_as_json(sentiment):
    done = run("--json", stdin="a joy\n\nbad\n")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows] == ["a joy", "", "bad"]
    answer = sentiment("a joy")
    assert (rows[0]["label"], rows[0]["truncated"]) == (answer.label, False)
    assert rows[0]["scores"] == dict(zip(sentiment.labels, answer.scores.tolist()))


def test_another_model(tiny):
    assert run("--model", str(tiny), "good film").stdout.split("\t")[0] in ("BAD", "SO", "GOOD")


def test_help_version_and_errors(tmp_path):
    assert run("--version").stdout == f"distilbert-cpp {distilbert.__version__}\n"
    assert "--model" in run("--help").stdout
    done = run("--model", str(tmp_path), "text")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("distilbert: the file does not exist: ")
