"""distilbert-classify as its users meet it: every option, every form of output, and what happens when it goes wrong."""

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer

import tiny_model

PROGRAM = Path(os.environ["DISTILBERT_BIN"], "distilbert-classify")
SOURCE = Path(os.environ["DISTILBERT_SOURCE_DIR"])
SST2 = SOURCE / "models/sst2"
TEXTS = ["a good film", "not good, not bad", "the film", "", "bad " * 200, "  spaces\tand tabs ",
         "caf\u00e9 \u4e2d\u6587 \U0001f389"]


def environment(**extra):
    """A known environment; a value of None removes its variable."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DISTILBERT_", "LC_")) and k != "NO_COLOR"}
    kept |= {"LANG": "C.UTF-8", "COLUMNS": "100", "TERM": "xterm-256color", **extra}
    return {k: v for k, v in kept.items() if v is not None}


def classify(*arguments, stdin=b"", env=None):
    """Runs the program and returns (exit status, stdout, stderr); the outputs are text."""
    result = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, env=env or environment(),
                            timeout=120)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def answers(*arguments, **more):
    """The JSON objects of a run in which all goes well."""
    status, out, err = classify("--json", *arguments, **more)
    assert (status, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return tiny_model.write_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def five_labels(tmp_path_factory):
    return tiny_model.write_model(tmp_path_factory.mktemp("five"),
                                  labels=["zero", "one", 'two "quoted"', "three", "four"])


# The command line


def test_help_names_every_option():
    for flag in ("--help", "-h"):
        status, out, err = classify(flag)
        assert (status, err) == (0, "")
        for option in ("--model", "--json", "--logits", "--tokenize", "--top-k", "--threads", "--isa", "--max-length",
                       "--precision", "--special-tokens-as-text", "--replace-invalid-utf8", "--selfcheck", "--file",
                       "--version", "DISTILBERT_MODEL", "DISTILBERT_ISA", "DISTILBERT_THREADS", "Exit status",
                       "Examples"):
            assert option in out, option
        assert max(map(len, out.splitlines())) <= 120


def test_version():
    header = (SOURCE / "include/distilbert/version.hpp").read_text()
    version = ".".join(re.findall(r"#define DISTILBERT_VERSION_[A-Z]+ (\d+)", header))
    assert classify("--version") == (0, f"distilbert-classify {version}\n", "")


@pytest.mark.parametrize("arguments, word", [
    (["--nope", "x"], "--nope"),
    (["--model"], "--model"),
    (["--threads", "many", "x"], "many"),
    (["--threads", "-1", "x"], "-1"),
    (["--threads", "1025", "x"], "1024"),
    (["--top-k", "0", "x"], "--top-k"),
    (["--max-length", "1", "x"], "--max-length"),
    (["--precision", "int4", "x"], "int4"),
    (["--tokenize", "--json", "x"], "--tokenize"),
    (["--tokenize", "--logits", "x"], "--tokenize"),
    (["--tokenize", "--top-k", "2", "x"], "--tokenize"),
    (["--logits", "--top-k", "2", "x"], "--top-k"),
    (["--file", "f", "x"], "--file"),
])
def test_wrong_usage(arguments, word):
    status, out, err = classify(*arguments)
    assert (status, out) == (2, "")
    assert word in err and "--help" in err


def test_arguments_are_texts(model):
    texts = ["[SEP]", "[a,b]", "", " x ", "a\nb", "{}", "%s", "'q'", "--json"]
    assert [a["text"] for a in answers("--model", model, "--", *texts)] == texts


def test_a_single_argument_may_name_a_file(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("reviews.txt").write_text("one\ntwo\n")
    Path("folder").mkdir()
    assert [a["text"] for a in answers("--model", model, "reviews.txt")] == ["one", "two"]
    assert [a["text"] for a in answers("--model", model, "--file", "reviews.txt")] == ["one", "two"]
    assert [a["text"] for a in answers("--model", model, "reviews.txt", "reviews.txt")] == ["reviews.txt"] * 2
    assert [a["text"] for a in answers("--model", model, "no-such-file.txt")] == ["no-such-file.txt"]
    assert [a["text"] for a in answers("--model", model, "folder")] == ["folder"]
    for stdin_name in (["-"], ["--file", "-"], ["/dev/stdin"], []):
        assert [a["text"] for a in answers("--model", model, *stdin_name, stdin=b"x\ny")] == ["x", "y"]


@pytest.mark.parametrize("name", ["/nowhere/at/all", "/tmp"])
def test_a_file_that_cannot_be_read(model, name):
    status, out, err = classify("--model", model, "--file", name)
    assert (status, out) == (2, "")
    assert name in err


# Forms of output


def is_shortest_float32(digits):
    return "e" in digits or digits == np.format_float_positional(np.float32(digits), unique=True, trim="-")


def test_json(model):
    status, out, err = classify("--json", "--model", model, *TEXTS)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == len(TEXTS)
    for line, text in zip(lines, TEXTS):
        answer = json.loads(line)
        assert list(answer) == ["text", "label", "score", "tokens", "truncated"]
        assert answer["text"] == text
        assert answer["label"] in ("NEGATIVE", "POSITIVE")
        assert 0.5 <= answer["score"] <= 1
        assert answer["truncated"] is (text == TEXTS[4])
        assert is_shortest_float32(json.loads(line, parse_float=str)["score"])
    assert json.loads(lines[3])["tokens"] == 2
    assert json.loads(lines[4])["tokens"] == tiny_model.POSITIONS
    assert len({json.loads(line)["score"] for line in lines}) == len(TEXTS)


def test_top_k(five_labels):
    for k in (1, 3, 5, 9):
        for answer in answers("--top-k", str(k), "--model", five_labels, *TEXTS):
            scores = [entry["score"] for entry in answer["scores"]]
            labels = [entry["label"] for entry in answer["scores"]]
            assert len(labels) == len(set(labels)) == min(k, 5)
            assert scores == sorted(scores, reverse=True)
            assert (labels[0], scores[0]) == (answer["label"], answer["score"])
            if k >= 5:
                assert sum(scores) == pytest.approx(1, abs=1e-6)
                assert 'two "quoted"' in labels


def test_logits(five_labels):
    status, out, err = classify("--logits", "--model", five_labels, *TEXTS)
    assert (status, err) == (0, "")
    rows = [row.split("\t") for row in out.splitlines()]
    assert all(is_shortest_float32(digits) for row in rows for digits in row)
    both = answers("--logits", "--top-k", "5", "--model", five_labels, *TEXTS)
    for row, answer in zip(rows, both, strict=True):
        assert list(map(float, row)) == answer["logits"]
        powers = np.exp(np.array(answer["logits"]) - max(answer["logits"]))
        expected = sorted(powers / powers.sum(), reverse=True)
        assert [entry["score"] for entry in answer["scores"]] == pytest.approx(expected, rel=1e-5)


def test_table(model):
    status, out, err = classify("--model", model, *TEXTS)
    assert (status, err) == (0, "")
    assert "\033" not in out
    rows = [row for row in out.splitlines() if row]
    assert rows[0].split() == ["text", "label", "score"]
    label_column = rows[0].index("label")

    def columns(text):
        return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)

    notes = [row for row in rows if "tokens were read" in row]
    assert notes == [f"  \u2514 only the first {tiny_model.POSITIONS} tokens were read"]
    answered = [row for row in rows[1:] if row not in notes]
    assert len(answered) == len(TEXTS)
    for row in answered:
        pattern = r"  (.*?)(?:NEGATIVE|POSITIVE)   (\d\.\d{4})  ([\u2588-\u258f]+)"
        text, score, bar = re.fullmatch(pattern, row).groups()
        assert columns("  " + text) == label_column
        assert abs(len(bar) - 20 * float(score)) <= 1
        assert columns(row) <= 100


@pytest.mark.parametrize("variables, utf8", [
    ({"LANG": "en_GB.UTF-8"}, True),
    ({"LANG": "C.utf8"}, True),
    ({"LANG": "C"}, False),
    ({"LANG": None}, False),
    ({"LANG": "C.UTF-8", "LC_CTYPE": "C"}, False),
    ({"LANG": "C", "LC_ALL": "C.UTF-8"}, True),
    ({"LANG": "C", "LC_ALL": "", "LC_CTYPE": "C.UTF-8"}, True),
])
def test_bars_suit_the_locale(model, variables, utf8):
    _, out, _ = classify("--model", model, "a good film", env=environment(**variables))
    assert ("\u2588" in out, "##" in out) == (utf8, not utf8)


def test_a_text_cannot_steer_the_terminal(model):
    _, out, _ = classify("--model", model, "a\033]0;title\007b\033[2J\u202e", "x\r\ny\u009bz")
    assert not set(out) & set("\033\007\r\u202e\u009b")
    assert "a ]0;title b [2J" in out and "x  y z" in out


# Tokens

TOKENIZE_TEXTS = [
    "Hello, world!", "", "   ", "unaffable", "caf\u00e9 na\u00efve", "\u4e2d\u6587\u5b57", "\U0001f389 party",
    "a\u0000b", "[SEP] in [MASK] text", "don't stop-me_now", "x" * 200, "The QUICK brown fox", "\u0130stanbul",
    "tabs\tand\u00a0spaces",
]


def test_tokens_are_those_of_the_reference(tmp_path):
    # vocab.txt alone is enough
    (tmp_path / "vocab.txt").write_bytes((SST2 / "vocab.txt").read_bytes())
    reference = BertWordPieceTokenizer(str(tmp_path / "vocab.txt"), lowercase=True)
    stdin = "\n".join(TOKENIZE_TEXTS).encode()
    for limit in (None, 4, 128):
        if limit:
            reference.enable_truncation(limit)
        arguments = ["--max-length", str(limit)] if limit else []
        status, out, err = classify("--tokenize", "--model", tmp_path, *arguments, stdin=stdin)
        assert (status, err) == (0, "")
        ids = [json.loads(line) for line in out.splitlines()]
        assert ids == [reference.encode(text).ids for text in TOKENIZE_TEXTS]


def test_tokenize_does_not_truncate_unasked(model):
    _, out, _ = classify("--tokenize", "--model", model, "bad " * 1000)
    assert len(json.loads(out)) == 1002


def test_special_tokens_as_text(model):
    ids = {token: i for i, token in enumerate(tiny_model.VOCABULARY)}

    def tokens(*arguments):
        return json.loads(classify("--tokenize", "--model", model, *arguments, "a [SEP]")[1])

    assert tokens() == [ids["[CLS]"], ids["a"], ids["[SEP]"], ids["[SEP]"]]
    pieces = [ids[piece] for piece in ("[", "s", "##e", "##p", "]")]
    assert tokens("--special-tokens-as-text") == [ids["[CLS]"], ids["a"], *pieces, ids["[SEP]"]]
    as_token, as_text = (answers("--model", model, *flag, "a [SEP]")[0]["tokens"]
                         for flag in ([], ["--special-tokens-as-text"]))
    assert (as_token, as_text) == (4, 8)


# Lines


def test_line_ends(model):
    stdin = b"a\r\nb\n\n\r\nc\rd\n nul\0 \nlast"
    expected = ["a", "b", "", "", "c\rd", " nul\0 ", "last"]
    assert [a["text"] for a in answers("--model", model, stdin=stdin)] == expected


@pytest.mark.parametrize("form", [[], ["--json"], ["--logits"], ["--tokenize"]])
def test_no_lines_no_output(model, form):
    assert classify(*form, "--model", model, stdin=b"") == (0, "", "")


def test_order_over_many_lines(model):
    texts = [f"{i} {'good ' * (i % 5)}" for i in range(10_000)]
    found = answers("--model", model, "--threads", "2", stdin="\n".join(texts).encode())
    assert [a["text"] for a in found] == texts
    # the same text alone gets the same bits
    for i in range(0, 10_000, 997):
        assert answers("--model", model, "--threads", "1", texts[i]) == [found[i]]


def test_a_bad_line_keeps_its_place(model):
    stdin = b"good\n\xff\xfe\nbad\nca\xe9\nfilm\n"
    status, out, err = classify("--json", "--model", model, stdin=stdin)
    assert status == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line.get("text") for line in lines] == ["good", None, "bad", None, "film"]
    assert [line["line"] for line in lines if "error" in line] == [2, 4]
    assert [report.split(": ")[0] for report in err.splitlines()] == ["line 2", "line 4"]
    for report, line in zip(err.splitlines(), (lines[1], lines[3]), strict=True):
        assert report == f"line {line['line']}: {line['error']}"
        assert "UTF-8" in report
    assert [lines[i] for i in (0, 2, 4)] == answers("--model", model, "good", "bad", "film")

    status, out, _ = classify("--logits", "--model", model, stdin=stdin)
    assert status == 1
    assert [bool(row) for row in out.split("\n")] == [True, False, True, False, True, False]

    status, out, _ = classify("--tokenize", "--model", model, stdin=stdin)
    assert status == 1
    assert [line == "null" for line in out.splitlines()] == [False, True, False, True, False]

    status, out, _ = classify("--model", model, stdin=stdin)
    assert status == 1
    rows = [row for row in out.splitlines() if row][1:]
    assert [row.split()[0] for row in rows] == ["good", "\ufffd\ufffd", "bad", "ca\ufffd", "film"]
    assert [row.split()[1] for row in (rows[1], rows[3])] == ["-", "-"]


def test_every_line_bad(model):
    status, out, err = classify("--json", "--model", model, stdin=b"\xff\n" * 1000)
    assert status == 1
    assert [json.loads(line)["line"] for line in out.splitlines()] == list(range(1, 1001))
    assert len(err.splitlines()) == 1000


def test_an_argument_that_is_not_utf8(model):
    status, out, err = classify("--json", "--model", model, b"\xff", "good")
    assert (status, err.split(":")[0]) == (1, "text 1")
    assert [json.loads(line).get("text") for line in out.splitlines()] == [None, "good"]


def test_replace_invalid_utf8(model):
    found = answers("--replace-invalid-utf8", "--model", model, stdin=b"go\xffod\n\xe2\x82\n")
    assert [a["text"] for a in found] == ["go\ufffdod", "\ufffd"]
    assert found[0]["score"] == answers("--model", model, "good")[0]["score"]


def test_long_lines(model):
    megabyte = b"bad film " * 120_000
    too_long = b"x" * (64 * 1024 * 1024 + 1)
    start = time.monotonic()
    status, out, err = classify("--json", "--model", model, stdin=b"\n".join([megabyte, too_long, b"good"]))
    assert time.monotonic() - start < 60
    assert status == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert (lines[0]["tokens"], lines[0]["truncated"]) == (tiny_model.POSITIONS, True)
    assert lines[0]["text"] == megabyte.decode()
    assert lines[1]["line"] == 2 and "64 MiB" in lines[1]["error"]
    assert lines[2]["text"] == "good"
    assert err.startswith("line 2: ")


def test_memory_does_not_grow_with_the_input(model, tmp_path):
    def peak_of(lines):
        file = tmp_path / "lines.txt"
        file.write_bytes(b"line number good bad film\n" * lines)
        code = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        run = [sys.executable, "-c", code, PROGRAM, "--tokenize", "--model", model, file]
        env = environment(ASAN_OPTIONS="quarantine_size_mb=1")
        return int(subprocess.run(run, capture_output=True, check=True, env=env, timeout=120).stdout)

    few, many = peak_of(10_000), peak_of(1_000_000)
    assert many - few < 8 * 1024  # KiB, for 26 MB more


def test_lines_are_answered_as_they_come(model):
    with started("--json", "--model", model, stdin=subprocess.PIPE) as process:
        for text in (b"good", b"bad", b"film"):
            process.stdin.write(text + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text.decode()
        process.stdin.close()
        assert process.wait(60) == 0


# The model and how it runs


def test_models_that_cannot_be_used(model, tmp_path):
    missing = tmp_path / "missing"
    empty = tmp_path / "empty"
    empty.mkdir()
    broken = tiny_model.write_model(tmp_path / "broken")
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    for directory in (missing, empty, broken):
        status, out, err = classify("--model", directory, "good")
        assert (status, out) == (2, "")
        assert str(directory) in err
    status, _, err = classify("--max-length", "65", "--model", model, "good")
    assert status == 2 and "65" in err


def test_max_length(model):
    found = answers("--max-length", "5", "--model", model, "good bad film", "good bad film the")
    assert [(a["tokens"], a["truncated"]) for a in found] == [(5, False), (5, True)]
    assert found[0]["score"] == found[1]["score"]


def test_environment(model, five_labels):
    assert len(answers("good", env=environment(DISTILBERT_MODEL=str(model)))) == 1
    both = environment(DISTILBERT_MODEL=str(five_labels))
    assert answers("--model", model, "good", env=both) == answers("--model", model, "good")
    for name, value in (("DISTILBERT_MODEL", "/nowhere/at/all"), ("DISTILBERT_THREADS", "many"),
                        ("DISTILBERT_ISA", "sse9")):
        status, out, err = classify("good", env=environment(**{"DISTILBERT_MODEL": str(model), name: value}))
        assert (status, out) == (2, "")
        assert value in err
    assert len(answers("--isa", "portable", "--threads", "1", "--model", model, "good",
                       env=environment(DISTILBERT_ISA="sse9", DISTILBERT_THREADS="many"))) == 1


def test_threads_change_no_bit(model):
    stdin = "\n".join(f"{'good ' * (i % 29)}film {i}" for i in range(600)).encode()
    outputs = {classify("--logits", "--model", model, "--threads", n, stdin=stdin)[1] for n in ("1", "2", "5")}
    assert len(outputs) == 1


def test_isa(model):
    portable = classify("--isa", "portable", "--logits", "--model", model, *TEXTS)
    assert portable[0] == 0
    status, out, err = classify("--isa", "sse9", "--model", model, "good")
    assert (status, out) == (2, "")
    assert "sse9" in err and "portable" in err


def test_precision(model):
    def logits(*arguments):
        status, out, err = classify("--logits", "--model", model, *arguments, *TEXTS)
        assert (status, err) == (0, "")
        return np.array([row.split("\t") for row in out.splitlines()], dtype=np.float32)

    full = logits()
    assert (full == logits("--precision", "fp32")).all()
    for precision in ("bf16", "int8"):
        difference = np.abs(logits("--precision", precision) - full).max()
        assert 0 < difference < 0.2 * np.abs(full).max()


def test_selfcheck(model):
    status, out, err = classify("--selfcheck", "--model", model)
    assert (status, out) == (2, "")
    assert "probe" in err  # a Hugging Face directory has none
    status, out, err = classify("--selfcheck")
    assert (status, err) == (0, "")
    assert "models/sst2" in out and "int8" in out
    assert len(answers("--selfcheck", "good")) == 1


def test_the_model_that_comes_with_the_program():
    found = answers("A joy from first to last.", "Two hours of my life that I will not get back.")
    assert [a["label"] for a in found] == ["POSITIVE", "NEGATIVE"]
    status, out, _ = classify(SOURCE / "examples/classify/sentences.txt")
    assert status == 0
    assert out.count("POSITIVE") + out.count("NEGATIVE") == 8


def test_an_installed_program_takes_the_model_beside_it(model, tmp_path):
    program = tmp_path / "bin" / PROGRAM.name
    program.parent.mkdir()
    shutil.copy(PROGRAM, program)
    shutil.copytree(model, tmp_path / "share/distilbert/models/sst2")
    result = subprocess.run([program, "--json", "good"], capture_output=True, env=environment(), timeout=60, check=True)
    assert [json.loads(result.stdout)] == answers("--model", model, "good")


# Terminals, pipes, signals


@contextlib.contextmanager
def started(*arguments, **more):
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), **more}
    process = subprocess.Popen([PROGRAM, *arguments], **more)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def on_terminal(*arguments, columns=80, env=None, terminals=("stdin", "stdout", "stderr"), **redirected):
    """Runs the program with some of its streams on a pseudo-terminal; returns the exit status and what that showed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    streams = {**{name: theirs for name in terminals}, **redirected}
    process = subprocess.Popen([PROGRAM, *arguments], env=env or environment(), **streams)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux tells that the other end is closed
        while block := os.read(ours, 65536):
            shown += block
    os.close(ours)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


def test_nothing_to_do_on_a_terminal(model):
    status, shown = on_terminal("--model", model)
    assert status == 2
    assert "Usage: distilbert-classify" in shown


def test_table_on_a_terminal(model):
    status, shown = on_terminal("--model", model, "a good film", "caf\u00e9 " * 40, columns=60)
    assert status == 0
    assert re.search(r"\033\[3[12]m(NEGATIVE|POSITIVE)\033\[0m", shown)
    assert "2 texts in " in shown and ", 1 truncated | " in shown
    assert f"{model}, fp32, " in shown
    for row in shown.split("\n"):
        row = re.sub(r"\033\[[0-9;]*[mGK]", "", row)
        assert len(row) <= 60 or str(model) in row
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        _, shown = on_terminal("--model", model, "a good film", env=environment(**variables))
        assert "a good film" in shown and "\033" not in shown


def test_json_on_a_terminal_is_nothing_but_json(model):
    status, shown = on_terminal("--json", "--model", model, *TEXTS)
    assert status == 0
    assert [json.loads(line)["text"] for line in shown.splitlines()] == TEXTS


def test_progress_on_a_terminal(model, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_bytes(b"good film, and the bad line number 7 was not\n" * 5_000 + b"\xff\n")
    # who reads the output takes his time at first, so that the work is long enough for a bar on any machine
    with subprocess.Popen(["sh", "-c", "sleep 0.5; wc -l"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        status, shown = on_terminal("--tokenize", "--model", model, "--file", file, stdout=reader.stdin)
        assert int(reader.communicate()[0]) == 5_001
    assert status == 1
    bars = re.findall(r"\r([\d,]+) lines  ([\d,]+)/s  \[([\u2588-\u258f]*) *\]  (\d+) %  (\d+:\d\d) left\033\[K", shown)
    assert bars
    percents = [int(bar[3]) for bar in bars]
    assert percents == sorted(percents) and percents[-1] <= 100
    assert all(len(bar[2]) <= 25 for bar in bars)
    # the bar is gone before the report and the summary
    assert re.search(r"\r\033\[Kline 5001: .*UTF-8", shown)
    assert "5,001 texts in " in shown and "1 could not be read" in shown


def test_no_progress_where_the_output_is(model, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_bytes(b"good film, and the bad line number 7 was not\n" * 20_000)
    _, shown = on_terminal("--tokenize", "--model", model, "--file", file)
    assert "lines" not in shown and "\033" not in shown
    assert len(shown.splitlines()) == 20_000


def test_the_reader_goes_away(model, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_bytes(b"good film\n" * 200_000)
    with started("--tokenize", "--model", model, "--file", file) as process:
        assert json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_the_disk_is_full(model):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([PROGRAM, "--json", "--model", model, "good"], stdout=full, stderr=subprocess.PIPE,
                                env=environment(), timeout=60)
    assert result.returncode == 2
    assert b"No space left" in result.stderr


def test_interruption_leaves_whole_lines(model):
    with started("--json", "--model", model, stdin=subprocess.PIPE) as process:
        process.stdin.write(b"good\nbad\nhalf a li")
        process.stdin.flush()
        first = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        rest = process.stdout.read()
    assert [json.loads(line)["text"] for line in first] == ["good", "bad"]
    assert rest == b""
    with started("--tokenize", "--model", model, "/dev/zero", stdout=subprocess.DEVNULL) as process:
        time.sleep(0.5)  # in the midst of a line without end
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", "--durations=5", *sys.argv[1:]]))
