"""convert(): what it writes loads and answers as before, and what it cannot do leaves nothing behind."""

import hashlib
import json
import os
import pickle
import signal
import sys
import threading
import types

import numpy as np
import pytest
import tiny_model

from distilbert import TextClassifier, convert

TEXTS = ["a very good film", "bad", "the film was not good"]


def contents(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("precision, tolerance", [("fp32", 0), ("bf16", 0.2), ("int8", 0.5)])
def test_answers_stay(tiny, tmp_path, precision, tolerance):
    report = convert(tiny, tmp_path / "new" / "model", precision)
    before, after = TextClassifier.from_pretrained(tiny), TextClassifier.from_pretrained(tmp_path / "new" / "model")
    assert after.precision == report.precision == precision
    assert after.labels == before.labels
    assert [answer.label for answer in after(TEXTS)] == [answer.label for answer in before(TEXTS)]
    np.testing.assert_allclose(after.logits(TEXTS), before.logits(TEXTS), rtol=0, atol=tolerance)
    assert (report.largest_change == 0) == (precision == "fp32")


def test_report(tiny, tmp_path):
    report = convert(str(tiny), str(tmp_path / "out"))
    assert report.source_bytes == (tiny / "model.safetensors").stat().st_size
    assert report.bytes == (tmp_path / "out" / "model.safetensors").stat().st_size
    assert report.seconds > 0
    assert repr(report).startswith("Conversion(precision='int8', source_bytes=")
    assert pickle.loads(pickle.dumps(report)) == report


def test_sums_of_16_bits(tiny, tmp_path):
    convert(tiny, tmp_path / "out", "int8", sum_bits=16)
    assert TextClassifier.from_pretrained(tmp_path / "out", sum_bits=16).precision == "int8"
    for precision in ("fp32", "bf16"):
        with pytest.raises(ValueError, match="16 bits"):
            convert(tiny, tmp_path / "none", precision, sum_bits=16)
    assert not (tmp_path / "none").exists()


def test_rounding(tiny, tmp_path):
    """Three ways, each with numbers of its own: two of convert(), and what loading does."""
    found = [TextClassifier.from_pretrained(tiny, "int8").logits(TEXTS)]
    for rounding in ("nearest", "calibrated"):
        convert(tiny, tmp_path / rounding, rounding=rounding)
        found.append(TextClassifier.from_pretrained(tmp_path / rounding).logits(TEXTS))
    exact = TextClassifier.from_pretrained(tiny).logits(TEXTS)
    for i, logits in enumerate(found):
        np.testing.assert_allclose(logits, exact, rtol=0, atol=0.05 * np.abs(exact).max())
        assert all((logits != other).any() for other in found[:i])
    with pytest.raises(ValueError, match='rounding is "up", possible are "calibrated", "nearest"'):
        convert(tiny, tmp_path / "none", rounding="up")
    with pytest.raises(ValueError, match="in int8 only"):
        convert(tiny, tmp_path / "none", "bf16", rounding="nearest")


def test_the_hash_of_the_source_goes_along(tiny, tmp_path):
    convert(tiny, tmp_path / "out")
    digest = hashlib.sha256((tiny / "model.safetensors").read_bytes()).hexdigest()
    assert digest.encode() in (tmp_path / "out" / "model.safetensors").read_bytes()


def test_a_model_is_only_replaced_by_force(tiny, tmp_path):
    convert(tiny, tmp_path, "fp32")
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match="force=True"):
        convert(tiny, tmp_path)
    assert contents(tmp_path) == before
    convert(tiny, tmp_path, force=True)
    assert TextClassifier.from_pretrained(tmp_path).precision == "int8"


def test_a_target_inside_the_source(weights, tmp_path):
    source = tiny_model.write(tmp_path, weights)
    convert(source, source / "int8")
    assert TextClassifier.from_pretrained(source / "int8").precision == "int8"
    assert TextClassifier.from_pretrained(source).precision == "fp32"


def test_what_is_refused(tiny, tmp_path):
    convert(tiny, tmp_path / "converted")
    cases = [
        ((tmp_path / "nowhere", tmp_path / "out"), FileNotFoundError, "config.json"),
        (("", tmp_path / "out"), FileNotFoundError, "source is an empty path"),
        ((tmp_path, ""), FileNotFoundError, "target is an empty path"),
        ((tiny, tiny), ValueError, "same directory"),
        ((tmp_path / "converted", tmp_path / "out"), ValueError, "is a converted model"),
        ((tiny, tmp_path / "out", "int4"), ValueError, 'precision is "int4"'),
        ((tiny, None), TypeError, r"convert\(\) does not take these arguments: \(.*, NoneType\)"),
        ((tiny, "/proc/model"), OSError, "/proc"),
    ]
    for arguments, exception, words in cases:
        with pytest.raises(exception, match=words):
            convert(*arguments)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError):
        convert(tiny, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"


def test_ctrl_c_leaves_nothing(tiny, tmp_path, monkeypatch):
    class Bar:
        def __init__(self, **options):
            pass

        def update(self, count):
            os.kill(os.getpid(), signal.SIGINT)

        def close(self):
            pass

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    with pytest.raises(KeyboardInterrupt):
        convert(tiny, tmp_path / "out", progress=True)
    assert not (tmp_path / "out").exists()


def test_progress(tiny, tmp_path, monkeypatch):
    bars = {}

    class Bar:
        def __init__(self, desc, total, unit, unit_scale):
            self.total, self.done, self.closed = total, 0, False
            bars[desc] = self

        def update(self, count):
            assert count >= 0
            self.done += count

        def close(self):
            self.closed = True

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    convert(tiny, tmp_path / "out", progress=True)
    assert list(bars) == ["hashed", "calibrated", "packed", "written"]
    assert all(bar.closed for bar in bars.values())
    assert bars["calibrated"].done == bars["calibrated"].total > 0
    assert bars["written"].done == bars["written"].total > 0


def test_threads_convert_into_one_directory(tiny, tmp_path):
    """One of them is the last; what it writes is whole."""
    threads = [threading.Thread(target=convert, args=(tiny, tmp_path), kwargs={"force": True}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert TextClassifier.from_pretrained(tmp_path, selfcheck=True).labels == ["BAD", "SO", "GOOD"]
    assert not list(tmp_path.glob("*.tmp-*"))


def test_sentence_transformers_settings_are_kept(weights, tmp_path):
    source = tiny_model.write(tmp_path / "in", weights)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [{"idx": i, "path": path, "type": f"sentence_transformers.models.{t}"} for i, (path, t) in enumerate(modules)]
    (source / "modules.json").write_text(json.dumps(modules))
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    (source / "sentence_bert_config.json").write_text('{"max_seq_length": 6, "do_lower_case": true}')
    convert(source, tmp_path / "out", "fp32")
    copied = ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json")
    assert {name: contents(tmp_path / "out")[name] for name in copied} == {name: contents(source)[name] for name in copied}
