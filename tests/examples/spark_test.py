"""examples/spark as its users meet it: spark-submit with several executors, interruptions included.

Needs the environment of requirements-spark.txt, and in DISTILBERT_WHEEL the folder with the wheel of the package.
"""

import contextlib
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest

SOURCE = Path(os.environ["DISTILBERT_SOURCE_DIR"])
PROGRAM = SOURCE / "examples/spark/score.py"
PATIENCE = 300  # seconds for a run that takes ten on an idle machine
TEXTS = ["a joy from first to last", None, "", "two hours I will not get back", "caf\u00e9 \u4e2d\u6587 \U0001f389",
         "not bad, not good", "  spaces\tand\nlines ", "bad " * 600, "[SEP] [MASK]", "\u0645\u0645\u062a\u0627\u0632"]


def rows(first, count):
    """A table with a text in some rows, no two alike, and columns that have nothing to do with it."""
    numbers = range(first, first + count)
    texts = [TEXTS[i % len(TEXTS)] for i in numbers]
    return pa.table({
        "id": pa.array(numbers, pa.int64()),
        "text": pa.array([text and f"{text} {i}" for i, text in zip(numbers, texts)], pa.string()),
        "tags": pa.array([["a"] * (i % 3) for i in numbers], pa.list_(pa.string())),
        "day": pa.array([datetime.date(2026, 1, 1) + datetime.timedelta(i) for i in numbers]),
    })


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """The wheel of the package, unpacked: what is imported here and in Spark's workers."""
    wheels = list(Path(os.environ["DISTILBERT_WHEEL"]).glob("*.whl"))
    assert len(wheels) == 1, f"one wheel expected, found are {wheels}"
    folder = tmp_path_factory.mktemp("packages")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(folder)
    sys.path[:0] = [str(folder), str(PROGRAM.parent)]
    return folder


@pytest.fixture(scope="session")
def environment(packages, tmp_path_factory):
    """Of spark-submit. A home of its own, because local clusters leave their work there; and Java virtual machines that
    start fast, because here they live for seconds."""
    assert shutil.which("java") or "JAVA_HOME" in os.environ, \
        "Spark needs Java 17, and there is no java here: install openjdk-17-jre-headless"
    home = tmp_path_factory.mktemp("spark")
    for entry in Path(pyspark.__file__).parent.iterdir():
        if entry.name != "work":
            (home / entry.name).symlink_to(entry)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    os.environ.clear()
    os.environ.update(kept, SPARK_HOME=str(home), SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable,
                      PYTHONPATH=str(packages), JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
    return os.environ


@contextlib.contextmanager
def submitted(*arguments, log):
    """spark-submit on two executors of one core each. Whatever is left of it at the end is killed."""
    command = [Path(os.environ["SPARK_HOME"], "bin/spark-submit"), "--master", "local-cluster[2,1,1024]",
               "--conf", "spark.ui.enabled=false", PROGRAM, *arguments]
    with open(log, "w") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, start_new_session=True, text=True)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdout.close()


def submit(*arguments, log):
    with submitted(*arguments, log=log) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, log.read_text()
    return out


def read(output):
    """What every reader of Parquet finds in the folder, by id."""
    return pq.read_table(output).sort_by("id").to_pylist()


def expected(table, classifier, scores=False):
    """The rows that a run must give, from one call of the library."""
    texts = table["text"].to_pylist()
    answers = iter(classifier([text for text in texts if text is not None]))
    result = table.to_pylist()
    for row in result:
        answer = None if row["text"] is None else next(answers)
        row["label"], row["score"] = (answer.label, answer.score) if answer else (None, None)
        if scores:
            row["scores"] = list(zip(classifier.labels, answer.scores.tolist())) if answer else None
    return result


def visible(output):
    return sorted(path.name for path in output.iterdir() if path.name[0] not in "._")


def done(output):
    return sorted(path.parent for path in output.glob("_chunks/*/_SUCCESS"))


def test_a_killed_run_is_finished_by_the_next(environment, tmp_path):
    """Three states at once: chunks done, a chunk half done, and a file of a done chunk that has moved already."""
    import distilbert

    files, count = 7, 40
    source, output = tmp_path / "in put", tmp_path / "out"
    source.mkdir()
    for i in range(files):
        pq.write_table(rows(i * count, count), source / f"part [{i:02}].parquet")
    command = [source, output, "--chunk-size", "1k"]

    with submitted(*command, log=tmp_path / "killed.log") as process:
        end = time.monotonic() + PATIENCE
        while len(done(output)) < 2:
            assert process.poll() is None and time.monotonic() < end, (tmp_path / "killed.log").read_text()
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = done(output)
    assert 2 <= len(before) < files
    assert visible(output) == []

    kept = [path for folder in before for path in folder.glob("part-*")]
    moved = kept[0].rename(output / kept[0].name)
    half = output / "_chunks" / f"{files - 1:05}"
    half.mkdir(exist_ok=True)
    shutil.copy(moved, half / "part-half.parquet")

    log = tmp_path / "restarted.log"
    assert submit(*command, log=log).count("scored before") == len(before)
    assert read(output) == expected(rows(0, files * count), distilbert.TextClassifier.default())
    assert {path.name for path in kept} <= set(visible(output)) and "part-half.parquet" not in visible(output)
    assert sorted(path.name for path in output.iterdir() if path.name[0] == "_") == ["_SUCCESS", "_plan.json"]
    workers = [path.parent.name for path in Path(os.environ["SPARK_HOME"], "work").glob("*/*/stderr")
               if "Finished task" in path.read_text()]
    assert {"0", "1"} <= set(workers)


def test_a_model_that_is_sent_along(environment, tmp_path):
    """An archive that holds the model in a folder; all scores; texts cut at another length than the model's."""
    import distilbert

    model = SOURCE / "models/sst3"
    archive = tmp_path / "sst3.tar"
    with tarfile.open(archive, "w") as file:
        file.add(model, "sst3")
    source = tmp_path / "in.parquet"
    table = rows(0, 100)
    pq.write_table(table, source, row_group_size=20)

    submit(source, tmp_path / "out", "--model", archive, "--scores", "--max-length", "32", "--partitions", "5",
           log=tmp_path / "log")
    classifier = distilbert.TextClassifier.from_pretrained(model, max_length=32)
    assert read(tmp_path / "out") == expected(table, classifier, scores=True)
    assert 1 < len(visible(tmp_path / "out")) <= 5


@pytest.fixture(scope="module")
def spark(environment):
    """One session in this process, for what needs no cluster."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def score(spark):
    """score.py with this command line."""
    import score

    return lambda *arguments: score.run(spark, score.parse([str(argument) for argument in arguments]))


@pytest.fixture
def source(tmp_path):
    pq.write_table(rows(0, 20), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def test_the_model_is_loaded_once_in_a_process(spark):
    spark.sparkContext.addPyFile(str(PROGRAM.with_name("scorer.py")))

    def loads(batches):
        import scorer

        for batch in scorer.Scorer("text").score(batches):
            pid, misses = os.getpid(), scorer.load.cache_info().misses
            yield pa.RecordBatch.from_pydict({"pid": [pid] * len(batch), "misses": [misses] * len(batch)})

    texts = spark.createDataFrame([(f"text {i}",) for i in range(12)], "text string").repartition(6)
    found = {tuple(row) for row in texts.mapInArrow(loads, "pid long, misses long").collect()}
    assert {misses for _, misses in found} == {1}


def test_csv_with_options_and_a_prefix(score, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/year=2026").mkdir()
    (tmp_path / "in/year=2026/a.csv").write_text("Label;Review\nx;good\ny;\n", encoding="utf-8")
    score(tmp_path / "in", tmp_path / "out", "--format", "csv", "--option", "sep=;", "--column", "Review",
          "--prefix", "predicted_")
    good, empty = sorted(pq.read_table(tmp_path / "out").to_pylist(), key=lambda row: row["Label"])
    assert (good["Label"], good["Review"], good["year"], good["predicted_label"]) == ("x", "good", 2026, "POSITIVE")
    assert empty["Review"] is None and empty["predicted_label"] is None and empty["predicted_score"] is None


def test_invalid_utf8(score, tmp_path):
    import distilbert

    (tmp_path / "in.txt").write_bytes(b"good\nb\xffad\n")

    def answers(policy):
        score(tmp_path / "in.txt", tmp_path / policy, "--format", "text", "--invalid-utf8", policy)
        table = pq.read_table(tmp_path / policy, columns=["score"])
        return {value if value is None else round(value, 6) for value in table["score"].to_pylist()}

    classifier = distilbert.TextClassifier.default()
    good, replaced = (round(answer.score, 6) for answer in classifier(["good", "b\ufffdad"]))
    assert answers("replace") == {good, replaced}
    assert answers("null") == {good, None}
    with pytest.raises(Exception, match="not valid UTF-8.*byte 1"):
        answers("refuse")


@pytest.mark.parametrize("arguments, sentence", [
    (["--column", "review"], "no column review; it has id, text, tags, day"),
    (["--column", "id"], "the column id is bigint"),
    (["--model", "no-such-model"], "no-such-model is neither a folder"),
    (["--model", SOURCE / "tests"], "no config.json"),
    (["--model", "no-such-model.tar"], "no-such-model.tar"),
])
def test_what_cannot_be_scored(score, source, tmp_path, arguments, sentence):
    with pytest.raises(SystemExit, match=sentence):
        score(source, tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_columns_are_never_replaced(score, source, tmp_path):
    table = rows(0, 5)
    pq.write_table(table.append_column("Score", table["id"]), source)
    with pytest.raises(SystemExit, match="has a column score already.*--prefix"):
        score(source, tmp_path / "out")


def test_inputs_that_are_not_there(score, tmp_path):
    with pytest.raises(SystemExit, match="nowhere"):
        score(tmp_path / "nowhere", tmp_path / "out")


def test_outputs_that_are_something_else(score, source, tmp_path):
    output = tmp_path / "in"  # but for the ending the name of the source
    output.mkdir()
    (output / "mine").write_text("")
    with pytest.raises(SystemExit, match="something else"):
        score(source, output)
    score(source, output, "--overwrite")
    assert not (output / "mine").exists() and len(read(output)) == 20


@pytest.mark.parametrize("given, output", [("data", "data"), ("data/in.parquet", "data"), ("data/*.parquet", "."),
                                           ("data/in.parquet", "data/in.parquet"), ("data", "data/../data/")])
def test_the_input_is_never_deleted(score, source, tmp_path, given, output):
    (tmp_path / "data").mkdir()
    kept = source.rename(tmp_path / "data/in.parquet")
    before = kept.read_bytes()
    with pytest.raises(SystemExit, match=r"in\.parquet is to be scored, and would be deleted with"):
        score(tmp_path / given, f"{tmp_path}/{output}", "--overwrite")
    assert kept.read_bytes() == before


def test_a_run_is_finished_as_it_was_begun(score, source, tmp_path, capsys):
    output = tmp_path / "out"
    score(source, output)
    names = visible(output)
    score(source, output)
    assert "complete already" in capsys.readouterr().out and visible(output) == names
    with pytest.raises(SystemExit, match="another max_length"):
        score(source, output, "--max-length", "16")
    pq.write_table(rows(0, 19), source)
    with pytest.raises(SystemExit, match="another input"):
        score(source, output)
    score(source, output, "--overwrite")
    assert len(read(output)) == 19
    assert json.loads((output / "_plan.json").read_text())["column"] == "text"


@pytest.mark.parametrize("arguments", [["--chunk-size", "0"], ["--chunk-size", "many"], ["--max-length", "-1"],
                                       ["--option", "sep"], ["--format", "xml"], ["--invalid-utf8", "maybe"], []])
def test_wrong_usage(packages, arguments, capsys):
    import score

    with pytest.raises(SystemExit) as end:
        score.main(["in", *(["out"] if arguments else []), *arguments])
    assert end.value.code == 2
    assert (arguments[0] if arguments else "OUTPUT") in capsys.readouterr().err


def test_help_names_every_option(packages, capsys):
    import score

    with pytest.raises(SystemExit):
        score.main(["--help"])
    out = capsys.readouterr().out
    for option in ("--column", "--format", "--option", "--model", "--max-length", "--scores", "--prefix",
                   "--invalid-utf8", "--chunk-size", "--partitions", "--overwrite", "spark.task.cpus"):
        assert option in out, option


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", "--durations=5", *sys.argv[1:]]))
