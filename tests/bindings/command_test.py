"""python -m distilbert."""

import json
import os
import subprocess
import sys

import distilbert


def run(*arguments, stdin="", stdout=subprocess.PIPE, **environment):
    command = [sys.executable, "-m", "distilbert", *arguments]
    return subprocess.run(command, input=stdin, stdout=stdout, stderr=subprocess.PIPE, encoding="utf-8",
                          errors="surrogateescape", env={**os.environ, **environment}, timeout=120)


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


def test_a_line_that_is_not_utf8():
    done = run(stdin="a joy\na \udcff joy\n", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 1
    assert done.stdout.startswith("POSITIVE")
    assert done.stderr == "distilbert: the text is not valid UTF-8: ill-formed at byte 2\n"


def test_a_full_disk():
    with open("/dev/full", "wb") as full:
        done = run("a joy", stdout=full)
    assert (done.returncode, done.stderr) == (1, "distilbert: [Errno 28] No space left on device\n")


def test_readers_that_have_seen_enough():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run("a joy", "bad", stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
