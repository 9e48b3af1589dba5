"""map_arrow(): tables of pandas, Polars, DuckDB, pyarrow and nanoarrow in and out, row by row what a call says."""

import gc
import signal
import subprocess
import sys
import textwrap
import time

import duckdb
import nanoarrow as na
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from distilbert import SentenceEmbedder, TextClassifier

TEXTS = ["a very good film", None, "the film was not good", "bad", "", "films " * 30, None, "tr\u00e8s bon \U0001f600"]
NUMBERS = list(range(len(TEXTS)))


@pytest.fixture(scope="module")
def classifier(tiny):
    return TextClassifier.from_pretrained(tiny, threads=2)


def rows_of(classifier, texts):
    """(label, score) of each, by a call."""
    answers = classifier(text for text in texts if text is not None)
    pairs = ((answer.label, answer.score) for answer in answers)
    return [(None, None) if text is None else next(pairs) for text in texts]


def check(classifier, table, texts=TEXTS, column="text", **options):
    found = pa.table(classifier.map_arrow(table, column, **options))
    found.validate(full=True)
    assert found[column].to_pylist() == texts
    assert list(zip(found["label"].to_pylist(), found["score"].to_pylist())) == rows_of(classifier, texts)
    return found


SOURCES = {
    "pyarrow": lambda: pa.table({"text": TEXTS, "number": NUMBERS}),
    "pyarrow batch": lambda: pa.record_batch({"text": TEXTS, "number": NUMBERS}),
    "pyarrow reader": lambda: pa.table({"text": TEXTS, "number": NUMBERS}).to_reader(max_chunksize=3),
    "pandas": lambda: pd.DataFrame({"text": TEXTS, "number": NUMBERS}),
    "polars": lambda: pl.DataFrame({"text": TEXTS, "number": NUMBERS}),
    "duckdb": lambda: duckdb.sql("from numbered order by number", connection=database()),
    "nanoarrow": lambda: na.ArrayStream(pa.table({"text": TEXTS, "number": NUMBERS})),
}


def database():
    connection = duckdb.connect()
    connection.register("numbered", pa.table({"text": TEXTS, "number": NUMBERS}))
    return connection


@pytest.mark.parametrize("source", SOURCES)
def test_tables_in(classifier, source):
    found = check(classifier, SOURCES[source]())
    assert found.column_names == ["text", "number", "label", "score"]
    assert found["number"].to_pylist() == NUMBERS
    assert (found.schema.field("label").type, found.schema.field("score").type) == (pa.string(), pa.float32())


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: pa.table(stream).to_pylist(),
        lambda stream: pa.RecordBatchReader.from_stream(stream).read_all().to_pylist(),
        lambda stream: pl.DataFrame(stream).to_dicts(),
        lambda stream: pl.DataFrame(pd.DataFrame.from_arrow(stream)).to_dicts(),
        lambda stream: duckdb.sql("from stream order by number").pl().to_dicts(),
        lambda stream: [dict(row) for row in na.ArrayStream(stream).read_all().to_pylist()],
    ],
    ids=["pyarrow", "pyarrow reader", "polars", "pandas", "duckdb", "nanoarrow"],
)
def test_tables_out(classifier, read):
    rows = read(classifier.map_arrow(SOURCES["pyarrow"](), batch_size=3))
    expected = rows_of(classifier, TEXTS)
    assert [(row["text"], row["number"]) for row in rows] == list(zip(TEXTS, NUMBERS))
    assert [(row["label"], row["score"]) for row in rows] == expected


TYPES = [
    pa.string(), pa.large_string(), pa.string_view(),
    pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.uint64(), pa.large_string()),
    pa.dictionary(pa.uint16(), pa.string()), pa.dictionary(pa.int32(), pa.string()),
]  # fmt: skip


@pytest.mark.parametrize("batch_size", [1, 3, 4096])
@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_types_chunks_and_slices(classifier, kind, batch_size):
    column = pa.array(TEXTS, kind)
    for table, texts in [
        (pa.table({"text": column}), TEXTS),
        (pa.table({"text": pa.chunked_array([column, column[2:5], column[:0], column[7:]])}),
         TEXTS + TEXTS[2:5] + TEXTS[7:]),
        (pa.table({"text": column}).slice(3), TEXTS[3:]),
        (pa.record_batch({"text": column[1:]}).slice(1, 4), TEXTS[2:6]),
        (pa.StructArray.from_arrays([column], ["text"])[2:7], TEXTS[2:7]),
    ]:  # fmt: skip
        found = check(classifier, table, texts, batch_size=batch_size)
        assert all(len(batch) <= batch_size for batch in found.to_batches())


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_arrays_are_tables_of_one_column(classifier, kind):
    check(classifier, pa.array(TEXTS, kind))
    check(classifier, pa.array(TEXTS, kind)[3:6], TEXTS[3:6])
    check(classifier, pa.chunked_array([pa.array(TEXTS, kind)] * 2), TEXTS * 2, column="review")
    check(classifier, pl.Series(TEXTS))
    check(classifier, pd.Series(TEXTS, dtype="str"))


def test_dictionaries_are_read_as_they_are_used(classifier):
    indices = pa.array([2, 0, None, 2, 1, 0], pa.int8())
    values = pa.array(["unused", "bad", None, "good"])[1:]
    check(classifier, pa.table({"text": pa.DictionaryArray.from_arrays(indices, values)}),
          ["good", "bad", None, "good", None, "bad"])  # fmt: skip
    check(classifier, pl.DataFrame({"text": TEXTS}, schema={"text": pl.Categorical}))
    check(classifier, pd.DataFrame({"text": pd.Categorical(["bad", None, "good"])}), ["bad", None, "good"])


def test_all_scores_on_demand(classifier):
    found = pa.table(classifier.map_arrow(SOURCES["pyarrow"](), label="answer", score="best", scores="all"))
    found.validate(full=True)
    assert found.column_names == ["text", "number", "answer", "best", "all"]
    assert found.schema.field("all").type == pa.list_(pa.float32(), 3)
    for text, row in zip(TEXTS, found["all"].to_pylist()):
        assert row == (None if text is None else classifier(text).scores.tolist())


def test_vectors(tiny):
    embedder = SentenceEmbedder.from_pretrained(tiny, threads=2, dimensions=20)
    found = pa.table(embedder.map_arrow(pa.array(TEXTS, pa.string_view()), embedding="vector", batch_size=3))
    found.validate(full=True)
    assert found.schema.field("vector").type == pa.list_(pa.float32(), 20)
    for text, vector in zip(TEXTS, found["vector"].to_pylist()):
        assert vector == (None if text is None else embedder(text).tolist())


def test_nothing_in_gives_nothing_out(classifier):
    for table in (
        pa.table({"text": pa.array([], pa.string())}),
        pa.table({"text": pa.chunked_array([], pa.string_view())}),
        pl.DataFrame({"text": []}, schema={"text": pl.String}),
        pd.DataFrame({"text": pd.Series([], dtype="str")}),
        pd.DataFrame({"text": pd.Series([], dtype="object")}),
        pa.array([], pa.string()),
    ):
        check(classifier, table, [])
    check(classifier, pa.table({"text": pa.nulls(3)}), [None] * 3)
    check(classifier, pa.table({"text": pa.nulls(3, pa.string())}), [None] * 3)


def test_the_rest_of_the_table_stays_as_it_is(classifier):
    table = pa.table(
        {
            "nested": [[{"a": i}] for i in NUMBERS],
            "text": TEXTS,
            "time": pa.array(NUMBERS, pa.timestamp("us", "UTC")),
            "bytes": [None, b"\xff"] * (len(TEXTS) // 2),
        }
    ).replace_schema_metadata({"whose": "mine"})
    found = pa.table(classifier.map_arrow(table[2:], batch_size=3))
    found.validate(full=True)
    assert found.select(table.column_names).equals(table[2:])
    assert found.schema.metadata == table.schema.metadata
    assert found.to_pylist()[0]["nested"] == [{"a": 2}]


def test_texts_are_not_copied(classifier):
    column = pa.array(TEXTS)
    found = pa.table(classifier.map_arrow(pa.table({"text": column})))
    assert found["text"].chunk(0).buffers()[2].address == column.buffers()[2].address


@pytest.mark.parametrize(
    "data, options, exception, sentence",
    [
        (pa.table({"body": TEXTS}), {}, ValueError, r"0 columns are named \"text\"; the columns are \['body'\]"),
        (pa.table([TEXTS, TEXTS], ["text", "text"]), {}, ValueError, "2 columns are named"),
        (pa.table({"text": NUMBERS}), {}, TypeError, 'column "text" holds .*Int64.*, not text'),
        (pa.table({"text": [b"bytes"]}), {}, TypeError, 'column "text" holds .*Binary.*, not text'),
        (pa.array(NUMBERS).dictionary_encode(), {}, TypeError, "holds .*Dictionary.*, not text"),
        (pa.table({"text": TEXTS, "label": TEXTS}), {}, ValueError, 'a column named "label" is there already'),
        (pa.table({"text": TEXTS}), {"scores": "score"}, ValueError, 'a column named "score" is there already'),
        (pa.table({"text": TEXTS}), {"batch_size": 0}, ValueError, "batch_size is 0"),
        (TEXTS, {}, TypeError, "Arrow data expected .*, list found"),
        (None, {}, TypeError, "NoneType found"),
    ],
)
def test_wrong_data_is_refused_at_once(classifier, data, options, exception, sentence):
    with pytest.raises(exception, match=sentence):
        classifier.map_arrow(data, **options)


def test_what_is_wrong_with_which_row(classifier):
    broken = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 1, 2], np.int32)),
                                                    pa.py_buffer(b"a\xff")])  # fmt: skip
    table = pa.table({"text": pa.chunked_array([[None, "good", None], ["bad"] * 5, broken])})
    with pytest.raises(pa.ArrowInvalid, match="InvalidInputError: .*text 9: ill-formed at byte 0"):
        pa.table(classifier.map_arrow(table))
    assert pa.table(classifier.map_arrow(table[:9]))["label"].null_count == 2


def test_rows_that_are_null_as_a_whole(classifier):
    rows = pa.array([{"text": "good"}, None])
    with pytest.raises(pa.ArrowInvalid, match="without null rows"):
        pa.table(classifier.map_arrow(rows))


def test_errors_of_the_source_come_through(classifier):
    def batches():
        yield pa.record_batch({"text": TEXTS})
        raise LookupError("the source broke")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"text": pa.string()}), batches())
    with pytest.raises(pa.ArrowInvalid, match="the source broke"):
        pa.table(classifier.map_arrow(reader))


def test_one_batch_at_a_time(classifier):
    """What was read is let go: neither input nor output piles up."""
    read = []

    def batches():
        for i in range(50):
            read.append(i)
            yield pa.record_batch({"text": ["a very good film " * 1000] * 100})

    reader = pa.RecordBatchReader.from_batches(pa.schema({"text": pa.string()}), batches())
    stream = pa.RecordBatchReader.from_stream(classifier.map_arrow(reader))
    assert len(read) <= 1
    most = before = pa.total_allocated_bytes()
    for i, batch in enumerate(stream):
        assert len(read) <= i + 2
        del batch
        gc.collect()
        most = max(most, pa.total_allocated_bytes())
    assert i == 49
    assert most - before < 4 * 100 * 17_000


def test_a_stream_that_is_not_read_to_its_end(classifier):
    closed = []

    def batches():
        try:
            while True:
                yield pa.record_batch({"text": TEXTS})
        finally:
            closed.append(True)

    reader = pa.RecordBatchReader.from_batches(pa.schema({"text": pa.string()}), batches())
    stream = classifier.map_arrow(reader)
    next(stream)
    del reader, stream
    gc.collect()
    assert closed == [True]


def test_progress_is_told(classifier, monkeypatch):
    done = []

    class Bar:
        def __init__(self, total, unit):
            done.append(total)

        def update(self, texts):
            done.append(texts)

        def close(self):
            done.append("closed")

    monkeypatch.setitem(sys.modules, "tqdm", type(sys)("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", type(sys)("tqdm.auto"))
    monkeypatch.setattr(sys.modules["tqdm.auto"], "tqdm", Bar, raising=False)
    pa.table(classifier.map_arrow(SOURCES["pyarrow"](), batch_size=5, progress=True))
    assert done == [8, 5, 3, "closed"]


def test_without_arro3(classifier, monkeypatch):
    monkeypatch.setitem(sys.modules, "arro3.core", None)
    with pytest.raises(ImportError, match=r"pip install 'distilbert-cpp\[arrow\]'"):
        classifier.map_arrow(pa.table({"text": TEXTS}))


@pytest.mark.parametrize("read, exception", [("list", "KeyboardInterrupt"), ("pa.table", "pa.ArrowInvalid")])
def test_ctrl_c_comes_out_and_the_classifier_works_on(tiny, read, exception):
    """A reader in another language has a word of its own for it."""
    program = f"""
        import itertools, sys, time
        import pyarrow as pa
        from distilbert import SentenceEmbedder, TextClassifier

        classifier = TextClassifier.from_pretrained(sys.argv[1], threads=2)
        batch = pa.record_batch({{"text": ["a very good film " * 50] * 100_000}})
        reader = pa.RecordBatchReader.from_batches(batch.schema, itertools.repeat(batch))
        print("ready", flush=True)
        try:
            {read}(classifier.map_arrow(reader))
        except {exception} as error:
            print(time.monotonic(), "KeyboardInterrupt" in repr(error), flush=True)
        print(classifier("good").label)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(tiny)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        heard, named, label = process.communicate()[0].split()
    assert process.returncode == 0
    assert float(heard) - sent < 1
    assert named == "True"
    assert label in ("BAD", "SO", "GOOD")
