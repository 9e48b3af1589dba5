"""distilbert-convert from the outside: files, metadata, bytes against a naive packing in NumPy, refusals, interruptions.

The small models are those of ../nn/golden/random_weights.py; the files are read by the reference implementation of
safetensors. The program is $DISTILBERT_BIN/distilbert-convert.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import pty
import resource
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "nn" / "golden"))
import random_weights

PROGRAM = str(pathlib.Path(os.environ["DISTILBERT_BIN"]) / "distilbert-convert")
TOKENIZER_FILES = ("vocab.txt", "tokenizer_config.json", "special_tokens_map.json")
LANES = 16


def padded(n):
    return (n + LANES - 1) // LANES * LANES


def write_model(directory, shape, sizes=None, **config):
    """A Hugging Face directory with the tensors of these names and sizes, by default those of a sequence classifier;
    returns them by name, without prefix."""
    directory.mkdir()
    bert = shape.family == "bert"
    keys = {
        "model_type": shape.family,
        "vocab_size": shape.vocab,
        "max_position_embeddings": shape.positions,
        "hidden_size" if bert else "dim": shape.dim,
        "intermediate_size" if bert else "hidden_dim": shape.hidden_dim,
        "num_hidden_layers" if bert else "n_layers": shape.n_layers,
        "num_attention_heads" if bert else "n_heads": shape.n_heads,
        "hidden_act" if bert else "activation": shape.activation,
        "dropout": 0.1,
    }
    if shape.labels:
        keys["id2label"] = {str(i): f"label {i}" for i in range(shape.labels)}
    (directory / "config.json").write_text(json.dumps(keys | config))
    tensors = {name: random_weights.tensor(shape, name, size) for name, size in sizes or random_weights.tensors(shape)}
    heads = ("pre_classifier.", "classifier.", "qa_outputs.", "vocab_", "cls.")
    save_file(
        {(name if name.startswith(heads) else shape.prefix + name): values for name, values in tensors.items()},
        directory / "model.safetensors",
        {"format": "pt"},
    )
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"w{i}" for i in range(5, shape.vocab)]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n")
    (directory / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    (directory / "special_tokens_map.json").write_text('{"unk_token": "[UNK]"}')
    return tensors


SMALL = random_weights.Shape("small", vocab=53, positions=37, dim=36, hidden_dim=50, n_heads=3, labels=3)
BERT = random_weights.Shape("bert", family="bert", prefix="bert.", vocab=53, dim=36, hidden_dim=50, n_heads=3)


def convert(*arguments, **options):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)


def converted(*arguments):
    done = convert(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress bar where there is no terminal
    return done.stdout


def refused(*arguments, status=1, **options):
    """The sentence on standard error."""
    done = convert(*arguments, **options)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    if status == 1:
        assert done.stderr.startswith("distilbert-convert: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def header_of(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), length


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def model(tmp_path):
    write_model(tmp_path / "in", SMALL)
    return tmp_path / "in"


# What is written


def bf16(x):
    bits = x.astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


def int8(x):
    """Rows of x by the rule: scale = max|w| / 127, q = w / scale to nearest even, all in fp32."""
    scale = np.abs(x).max(-1) / np.float32(127)
    divisor = np.where(scale == 0, np.float32(1), scale)[:, None]
    return np.rint(x / divisor).astype(np.int8), scale


def blocks(weight, out_size, in_size):
    """Rows and columns padded block by block."""
    out, columns = weight.shape
    result = np.zeros((out // out_size, padded(out_size), columns // in_size, padded(in_size)), np.float32)
    result[:, :out_size, :, :in_size] = weight.reshape(out // out_size, out_size, columns // in_size, in_size)
    return result.reshape(result.shape[0] * result.shape[1], -1)


def naive_panels(weight, bias, out_size, in_size, precision):
    """The bytes of a packed linear layer, element by element as packed_layout.hpp describes them."""
    w = blocks(weight, out_size, in_size)
    b = blocks(bias[:, None], out_size, 1)[:, 0]
    quantized, scale = int8(w)
    data = b""
    for first in range(0, len(w), LANES):
        panel = slice(first, first + LANES)
        data += b[panel].tobytes()
        if precision == "int8":
            data += scale[panel].tobytes() + quantized[panel].sum(-1, dtype=np.int32).tobytes()
        rows = {"fp32": w, "bf16": bf16(w), "int8": quantized}[precision][panel]
        group = {"fp32": 1, "bf16": 2, "int8": 4}[precision]
        for k in range(0, w.shape[1], group):
            data += rows[:, k : k + group].tobytes()
    return data


def test_int8_for_sums_of_16_bits(tmp_path):
    t = write_model(tmp_path / "in", SMALL)
    report = converted(tmp_path / "in", tmp_path / "out", "--sum-bits", "16", "--rounding", "nearest")
    assert "int8 for sums of 16 bits" in report
    with safe_open(tmp_path / "out" / "model.safetensors", "numpy") as file:
        assert file.metadata()["precision"] == "int8" and file.metadata()["sum_bits"] == "16"
        packed = file.get_tensor("transformer.layer.0.ffn.lin1.packed")
        words = file.get_tensor("embeddings.word_embeddings.weight")
    name = "transformer.layer.0.ffn.lin1"
    w, bias = blocks(t[f"{name}.weight"], 50, 36), blocks(t[f"{name}.bias"][:, None], 50, 1)[:, 0]
    # [channel, eight k, which four of them, four]
    meeting = w.reshape(len(w), -1, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(len(w), -1, 4).astype(np.float64)
    sums = np.maximum(np.maximum(meeting, 0).sum(-1), np.maximum(-meeting, 0).sum(-1)).max(-1)
    scale = (sums / 126).astype(np.float32)
    quantized = np.rint(w / np.where(scale == 0, np.float32(1), scale)[:, None]).astype(np.int8)
    for panel in range(len(w) // LANES):
        rows = slice(panel * LANES, (panel + 1) * LANES)
        header = bias[rows].tobytes() + scale[rows].tobytes() + quantized[rows].sum(-1, dtype=np.int32).tobytes()
        groups = quantized[rows].reshape(LANES, -1, 4).transpose(1, 0, 2)
        assert packed[panel].tobytes() == header + groups.tobytes()
    assert np.abs(words.astype(int)).max() == 127  # rows of a table enter no product


def linear_weight(path, name, rows, columns):
    """W [rows, columns] of a layer in int8, of one block each way."""
    with safe_open(path / "model.safetensors", "numpy") as file:
        packed = file.get_tensor(f"{name}.packed")
        scales = file.get_tensor(f"{name}.input_scale") if f"{name}.input_scale" in file.keys() else np.float32(1)
    steps = packed[:, 192:].view(np.int8).reshape(len(packed), -1, LANES, 4).transpose(0, 2, 1, 3)
    scale = np.ascontiguousarray(packed[:, 64:128]).view(np.float32).reshape(-1, 1)
    return (steps.reshape(len(packed) * LANES, -1) * scale * scales)[:rows, :columns]


def test_rounding_by_what_enters_the_layers(model, tmp_path):
    report = converted(model, tmp_path / "calibrated")
    assert "what enters the layers" in report
    converted(model, tmp_path / "nearest", "--rounding", "nearest")
    with safe_open(tmp_path / "nearest" / "model.safetensors", "numpy") as file:
        assert file.metadata()["layout_version"] == "2"
        assert not any(name.endswith(".input_scale") for name in file.keys())
    with safe_open(tmp_path / "calibrated" / "model.safetensors", "numpy") as file:
        scaled = sorted(name for name in file.keys() if name.endswith(".input_scale"))
        assert scaled == sorted(
            f"transformer.layer.{i}.{layer}.input_scale"
            for i in range(2)
            for layer in ("attention.qkv_lin", "ffn.lin1", "ffn.lin2")
        )
        for name in scaled:
            size = SMALL.hidden_dim if "lin2" in name else SMALL.dim
            assert (file.get_tensor(name)[:size] > 0).all()
            assert (file.get_tensor(name)[size:] == 0).all()
    name = "transformer.layer.1.ffn.lin1"
    weight = random_weights.tensor(SMALL, f"{name}.weight", (50, 36))
    for rounding in ("calibrated", "nearest"):
        found = linear_weight(tmp_path / rounding, name, 50, 36)
        assert np.abs(found - weight).mean() < 0.02 * np.abs(weight).mean()
        assert (found != weight).any()


def test_weights_on_steps_of_int8_stay_there_however_they_are_rounded(tmp_path):
    """Such as those of a model that was trained to be rounded."""
    write_model(tmp_path / "in", SMALL)
    with safe_open(tmp_path / "in" / "model.safetensors", "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    for name, values in tensors.items():
        if name.endswith("weight") and values.ndim == 2 and "transformer" in name:
            quantized, scale = int8(values)
            tensors[name] = quantized * scale[:, None]
    save_file(tensors, tmp_path / "in" / "model.safetensors", {"format": "pt"})
    for rounding in ("calibrated", "nearest"):
        assert "what enters the layers" not in converted(tmp_path / "in", tmp_path / rounding, "--rounding", rounding)
    assert contents(tmp_path / "calibrated") == contents(tmp_path / "nearest")


def test_a_model_of_few_positions_is_calibrated_by_what_fits(tmp_path):
    for positions in (2, 4):
        write_model(tmp_path / str(positions), dataclasses.replace(SMALL, positions=positions))
        converted(tmp_path / str(positions), tmp_path / f"out{positions}", "--probe", "")


@pytest.mark.parametrize("word", ["[SEP]", "w7"])
def test_a_word_piece_beyond_the_model_s_is_told(model, tmp_path, word):
    """Of the probe, or of the texts that int8 is calibrated by."""
    vocabulary = (model / "vocab.txt").read_text()
    (model / "vocab.txt").write_text(vocabulary.replace(f"{word}\n", "another\n") + f"{word}\n")
    assert "the model knows 0 to 52" in refused(model, tmp_path / "out", "--probe", "w7")


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("shape", [SMALL, BERT], ids=["distilbert", "bert"])
def test_packed_bytes_are_those_of_a_naive_packing(tmp_path, shape, precision):
    t = write_model(tmp_path / "in", shape)
    nearest = ["--rounding", "nearest"] if precision == "int8" else []
    converted(tmp_path / "in", tmp_path / "out", "--precision", precision, *nearest)
    header, length = header_of(tmp_path / "out" / "model.safetensors")
    data = (tmp_path / "out" / "model.safetensors").read_bytes()[8 + length :]
    assert (8 + length) % 64 == 0
    del header["__metadata__"]
    for name, tensor in header.items():
        assert tensor["data_offsets"][0] % 64 == 0, name
    read = lambda name: data[slice(*header[name]["data_offsets"])]

    bert = shape.family == "bert"
    layer = "encoder.layer.1." if bert else "transformer.layer.1."
    q, k, v, out, lin1, lin2, pre = (
        ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
         "intermediate.dense", "output.dense", "pooler.dense")
        if bert else
        ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "ffn.lin1", "ffn.lin2",
         "pre_classifier")
    )
    head_dim = shape.dim // shape.n_heads
    scale = np.float32(1) / np.sqrt(np.float32(head_dim))
    joined = lambda kind: np.concatenate(
        [t[f"{layer}{q}.{kind}"] * scale, t[f"{layer}{k}.{kind}"], t[f"{layer}{v}.{kind}"]]
    )
    ours = "transformer.layer.1."
    dim, hidden = shape.dim, shape.hidden_dim
    assert read(f"{ours}attention.qkv_lin.packed") == naive_panels(
        joined("weight"), joined("bias"), head_dim, dim, precision
    )
    for name, source, sizes, kept in (
        (f"{ours}attention.out_lin", layer + out, (dim, head_dim), precision),
        (f"{ours}ffn.lin1", layer + lin1, (hidden, dim), precision),
        (f"{ours}ffn.lin2", layer + lin2, (dim, hidden), precision),
        ("pre_classifier", pre, (dim, dim), precision),
        ("classifier", "classifier", (shape.labels, dim), "fp32"),
    ):
        assert read(f"{name}.packed") == naive_panels(
            t[f"{source}.weight"], t[f"{source}.bias"], *sizes, kept
        ), name

    positions = t["embeddings.position_embeddings.weight"]
    if bert:
        positions = positions + t["embeddings.token_type_embeddings.weight"][0]
    for name, table in (("word", t["embeddings.word_embeddings.weight"]), ("position", positions)):
        rows = np.zeros((padded(len(table)), padded(dim)), np.float32)
        rows[: len(table), :dim] = table
        quantized, row_scale = int8(rows)
        stored = {"fp32": rows, "bf16": bf16(rows), "int8": quantized}[precision]
        assert read(f"embeddings.{name}_embeddings.weight") == stored.tobytes(), name
        if precision == "int8":
            assert read(f"embeddings.{name}_embeddings.scale") == row_scale.tobytes(), name
    norm = np.zeros(padded(dim), np.float32)
    norm[:dim] = t["embeddings.LayerNorm.weight"]
    assert read("embeddings.LayerNorm.weight") == norm.tobytes()


def test_the_reference_implementation_reads_the_file(model, tmp_path):
    converted(model, tmp_path / "out", "--precision", "int8", "--probe", "w7 w8")
    with safe_open(tmp_path / "out" / "model.safetensors", "numpy") as file:
        metadata = file.metadata()
        assert len(file.keys()) == 1 + 6 + 2 * (8 + 3) + 2
        assert file.get_tensor("embeddings.word_embeddings.weight").shape == (64, 48)
    assert set(metadata) == {
        "format", "layout_version", "precision", "sizes", "library_version", "source_sha256", "probe"
    }
    assert metadata["format"] == "distilbert.cpp"
    assert metadata["layout_version"] == "3"
    assert metadata["precision"] == "int8"
    assert metadata["source_sha256"] == hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout
    assert version == f"distilbert-convert {metadata['library_version']}\n"
    probe = json.loads(metadata["probe"])
    assert probe["ids"] == [2, 7, 8, 3]
    assert len(probe["logits"]) == 3 and all(np.isfinite(probe["logits"]))


def test_an_encoder_has_a_probe_of_hidden_values(tmp_path):
    write_model(tmp_path / "in", random_weights.Shape("encoder", labels=0, prefix=""))
    report = converted(tmp_path / "in", tmp_path / "out")
    with safe_open(tmp_path / "out" / "model.safetensors", "numpy") as file:
        probe = json.loads(file.metadata()["probe"])
        assert "classifier.packed" not in file.keys()
    assert set(probe) == {"ids", "cls"} and len(probe["cls"]) == 8
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["architectures"] == ["DistilBertModel"] and "id2label" not in config
    assert "DistilBertModel" in report and "largest change of a value of [CLS]" in report


def linear(name, rows, columns):
    return [(f"{name}.weight", (rows, columns)), (f"{name}.bias", (rows,))]


def norm(name, size):
    return [(f"{name}.weight", (size,)), (f"{name}.bias", (size,))]


# The tensors of each head in Hugging Face's file of either family; the packed tensors.
DIM, VOCAB = SMALL.dim, SMALL.vocab
HEADS = {
    "SequenceClassification": (
        linear("pre_classifier", DIM, DIM) + linear("classifier", 3, DIM),
        linear("pooler.dense", DIM, DIM) + linear("classifier", 3, DIM),
        ["pre_classifier.packed", "classifier.packed"],
    ),
    "MultipleChoice": (
        linear("pre_classifier", DIM, DIM) + linear("classifier", 1, DIM),
        linear("pooler.dense", DIM, DIM) + linear("classifier", 1, DIM),
        ["pre_classifier.packed", "classifier.packed"],
    ),
    "TokenClassification": (
        linear("classifier", 3, DIM),
        linear("pooler.dense", DIM, DIM) + linear("classifier", 3, DIM),  # a file of transformers 3
        ["classifier.packed"],
    ),
    "QuestionAnswering": (
        linear("qa_outputs", 2, DIM),
        linear("qa_outputs", 2, DIM),
        ["qa_outputs.packed"],
    ),
    "MaskedLM": (
        linear("vocab_transform", DIM, DIM) + norm("vocab_layer_norm", DIM) + [("vocab_projector.bias", (VOCAB,))],
        linear("cls.predictions.transform.dense", DIM, DIM) + norm("cls.predictions.transform.LayerNorm", DIM)
        + [("cls.predictions.bias", (VOCAB,))],
        ["vocab_transform.packed", "vocab_layer_norm.weight", "vocab_layer_norm.bias", "vocab_projector.packed"],
    ),
}


@pytest.mark.parametrize("family", ["distilbert", "bert"])
@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_converted(tmp_path, head, family):
    shape = dataclasses.replace(SMALL, family=family, prefix=f"{family}.", labels=0)
    bert = family == "bert"
    encoder = [(name, size) for name, size in random_weights.tensors(shape) if not name.startswith("pooler.")]
    labels = {} if head in ("QuestionAnswering", "MaskedLM") else {"id2label": {"0": "A", "1": "B", "2": "C"}}
    t = write_model(
        tmp_path / "in", shape, encoder + HEADS[head][bert],
        architectures=[("Bert" if bert else "DistilBert") + f"For{head}"], **labels,
    )
    for precision in ("fp32", "bf16", "int8"):
        report = converted(tmp_path / "in", tmp_path / precision, "--precision", precision)
        config = json.loads((tmp_path / precision / "config.json").read_text())
        assert config["architectures"] == [f"DistilBertFor{head}"]
        assert config.get("type_vocab_size") == (2 if bert else None)
        names = {"MultipleChoice": {"0": "LABEL_0"}}.get(head, labels.get("id2label"))
        assert config.get("id2label") == names
        assert (", ".join(names.values()) if names else f"DistilBertFor{head}") in report
        with safe_open(tmp_path / precision / "model.safetensors", "numpy") as file:
            keys = [key for key in file.keys() if not key.startswith(("transformer.", "embeddings.", "vocabulary"))]
            assert sorted(keys) == sorted(HEADS[head][2])
            probe = json.loads(file.metadata()["probe"])
            wanted = [key for key in keys if key.endswith(".packed")]
            wanted += ["embeddings.token_type_embeddings.weight"] * bert
            read = {key: file.get_tensor(key) for key in wanted}
        logits = {"SequenceClassification": 3, "MultipleChoice": 1}.get(head)
        assert len(probe["logits"] if logits else probe["cls"]) == (logits or 8)
        if bert:
            types = t["embeddings.token_type_embeddings.weight"]
            assert (read["embeddings.token_type_embeddings.weight"][0, :DIM] == types[1] - types[0]).all()
        if head == "MaskedLM":
            bias = t["cls.predictions.bias" if bert else "vocab_projector.bias"]
            words = t["embeddings.word_embeddings.weight"]  # to which the projector is tied
            assert read["vocab_projector.packed"].tobytes() == naive_panels(words, bias, VOCAB, DIM, precision)
        elif head == "QuestionAnswering":
            ends = t["qa_outputs.weight"], t["qa_outputs.bias"]
            assert read["qa_outputs.packed"].tobytes() == naive_panels(*ends, 2, DIM, "fp32")


def test_config_of_a_distilbert(tmp_path):
    write_model(tmp_path / "in", SMALL, problem_type="regression", pad_token_id=4, architectures=["Other"])
    converted(tmp_path / "in", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == {
        "architectures": ["DistilBertForSequenceClassification"],
        "model_type": "distilbert",
        "vocab_size": 53,
        "max_position_embeddings": 37,
        "dim": 36,
        "hidden_dim": 50,
        "n_layers": 2,
        "n_heads": 3,
        "activation": "gelu",
        "pad_token_id": 4,
        "id2label": {"0": "label 0", "1": "label 1", "2": "label 2"},
        "label2id": {"label 0": 0, "label 1": 1, "label 2": 2},
        "problem_type": "regression",
    }


def test_config_of_a_bert_keeps_what_distilbert_lacks(tmp_path):
    write_model(tmp_path / "in", BERT, layer_norm_eps=1e-5)
    report = converted(tmp_path / "in", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["model_type"] == "distilbert"
    assert config["pre_classifier_activation"] == "tanh"
    assert config["layer_norm_eps"] == 1e-5
    assert config["type_vocab_size"] == 2
    assert "hidden_size" not in config
    assert "folded into DistilBERT" in report


def test_labels_replace_those_of_the_config(model, tmp_path):
    converted(model, tmp_path / "out", "--labels", 'NEGATIVE,"so, so",POSITIVE'.replace(", so", " so"))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"] == {"0": "NEGATIVE", "1": '"so so"', "2": "POSITIVE"}
    assert config["label2id"] == {"NEGATIVE": 0, '"so so"': 1, "POSITIVE": 2}


def test_label2id_is_kept_where_it_disagrees_with_id2label(model, tmp_path):
    config = json.loads((model / "config.json").read_text())
    config["label2id"] = {"entailment": 1, "neutral": 2, "none": -1, "contradiction": 0}
    (model / "config.json").write_text(json.dumps(config))
    converted(model, tmp_path / "out")
    label2id = json.loads((tmp_path / "out" / "config.json").read_text())["label2id"]
    assert list(label2id.items()) == [("entailment", 1), ("neutral", 2), ("none", None), ("contradiction", 0)]
    converted(model, tmp_path / "named", "--labels", "A,B,C")
    assert json.loads((tmp_path / "named" / "config.json").read_text())["label2id"] == {"A": 0, "B": 1, "C": 2}


def test_tokenizer_files_are_copied_as_they_are(model, tmp_path):
    converted(model, tmp_path / "out")
    assert set(contents(tmp_path / "out")) == {"config.json", "model.safetensors", *TOKENIZER_FILES}
    for name in TOKENIZER_FILES:
        assert (tmp_path / "out" / name).read_bytes() == (model / name).read_bytes()


def test_the_vocabulary_is_carried_if_there_is_a_vocab_txt(model, tmp_path):
    converted(model, tmp_path / "with")
    with safe_open(tmp_path / "with" / "model.safetensors", "numpy") as file:
        assert (model / "vocab.txt").read_bytes() in file.get_tensor("vocabulary").tobytes()
        tensors = set(file.keys())

    words = (model / "vocab.txt").read_text().splitlines()
    special = {word: {"id": word, "ids": [words.index(word)], "tokens": [word]} for word in ("[CLS]", "[SEP]")}
    single = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
              {"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    second = [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    (model / "tokenizer.json").write_text(json.dumps({
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": single + second, "special_tokens": special
        },
        "model": {"type": "WordPiece", "vocab": {word: i for i, word in enumerate(words)}},
    }))
    (model / "vocab.txt").unlink()
    converted(model, tmp_path / "without")
    with safe_open(tmp_path / "without" / "model.safetensors", "numpy") as file:
        assert set(file.keys()) == tensors - {"vocabulary"}


def test_the_same_input_gives_the_same_bytes(model, tmp_path):
    for precision in ("fp32", "int8"):
        converted(model, tmp_path / "a", "--precision", precision, "--force")
        converted(model, tmp_path / "b", "--precision", precision, "--force")
        assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_report_has_sizes_errors_and_the_change_of_the_answer(model, tmp_path):
    report = converted(model, tmp_path / "out", "--precision", "int8", "--probe", "w5 w6")
    size = (tmp_path / "out" / "model.safetensors").stat().st_size
    assert f"{size:,} bytes" in report
    assert f"{(model / 'model.safetensors').stat().st_size:,} bytes" in report
    assert "labels label 0, label 1, label 2" in report
    for layer in ("embeddings.word_embeddings", "transformer.layer.1.ffn.lin2", "pre_classifier", "all of them"):
        assert layer in report
    assert "Probe \"w5 w6\"\n  ids     2 5 6 3\n" in report
    assert "largest change of a logit: 0.0" in report

    lines = dict(line.strip().split(None, 1) for line in report.splitlines() if line.startswith(("  fp32", "  int8")))
    fp32, int8_logits = (np.array(lines[name].split(), float) for name in ("fp32", "int8"))
    with safe_open(tmp_path / "out" / "model.safetensors", "numpy") as file:
        stored = json.loads(file.metadata()["probe"])["logits"]
    assert np.allclose(stored, int8_logits, atol=6e-6)
    change = float(report.split("largest change of a logit: ")[1].split(",")[0])
    assert abs(change - np.abs(fp32 - int8_logits).max()) < 2e-5
    assert change > 0


def test_the_rounding_errors_reported_are_right(model, tmp_path):
    report = converted(model, tmp_path / "out", "--precision", "int8", "--rounding", "nearest")
    assert "what enters the layers" not in report
    name = "transformer.layer.0.ffn.lin1"
    weight = random_weights.tensor(SMALL, f"{name}.weight", (50, 36))
    quantized, scale = int8(weight)
    error = np.abs(weight - quantized * scale[:, None])
    (line,) = [line for line in report.splitlines() if name in line]
    largest, mean = float(line.split()[1]), float(line.split()[2])
    assert largest == pytest.approx(error.max(), rel=0.01)
    assert mean == pytest.approx(100 * error.sum() / np.abs(weight).sum(), rel=0.01)


def test_fp32_has_nothing_to_say_about_rounding(model, tmp_path):
    assert "Rounding" not in converted(model, tmp_path / "out", "--precision", "fp32")


def write_sentence_transformer(directory, transformer="", pooling="1_Pooling"):
    write_model(directory, dataclasses.replace(SMALL, labels=0))
    types = {transformer: "Transformer", pooling: "Pooling", "2_Normalize": "Normalize"}
    modules = [{"path": path, "type": f"sentence_transformers.models.{name}"} for path, name in types.items()]
    (directory / "modules.json").write_text(json.dumps(modules))
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    (directory / "sentence_bert_config.json").write_text('{"max_seq_length": 6}')
    (directory / "config_sentence_transformers.json").write_text('{"prompts": {}}')


def test_what_sentence_transformers_keeps_beside_the_model_is_copied(tmp_path):
    write_sentence_transformer(tmp_path / "in")
    converted(tmp_path / "in", tmp_path / "out")
    names = ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json")
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "in" / name).read_bytes()

    # Another model in its place does not inherit how the first one made vectors.
    write_model(tmp_path / "classifier", SMALL)
    converted(tmp_path / "classifier", tmp_path / "out", "--force")
    assert not any((tmp_path / "out" / name).exists() for name in names if "/" not in name)


def test_modules_lead_to_folders_of_the_directory_only(tmp_path):
    for i, folder in enumerate(("../1_Pooling", "..", "/etc", "a/b", "C:")):
        write_sentence_transformer(tmp_path / f"in{i}", pooling=folder)
        assert "is not the name of a folder" in refused(tmp_path / f"in{i}", tmp_path / "out")
    write_sentence_transformer(tmp_path / "in", transformer="0_Transformer")
    assert "0_Transformer" in refused(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_no_folder(tmp_path):
    write_sentence_transformer(tmp_path / "in")
    (tmp_path / "in" / "1_Pooling" / "config.json").write_text(json.dumps({"pad": "x" * 200_000}))

    def limit_file_size():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    refused(tmp_path / "in", tmp_path / "out", preexec_fn=limit_file_size, restore_signals=False)
    assert not (tmp_path / "out").exists()


# What is refused, and what that leaves behind


def test_usage_errors_have_status_2(model, tmp_path):
    assert "IN is required" in refused(status=2)
    assert "OUT is required" in refused(model, status=2)
    assert "int4" in refused(model, tmp_path / "out", "--precision", "int4", status=2)
    assert "--sum-bits" in refused(model, tmp_path / "out", "--sum-bits", "8", status=2)
    assert "int8 only" in refused(model, tmp_path / "out", "--precision", "bf16", "--sum-bits", "16", status=2)
    assert "--rounding" in refused(model, tmp_path / "out", "--rounding", "up", status=2)
    assert "int8 only" in refused(model, tmp_path / "out", "--precision", "fp32", "--rounding", "nearest", status=2)
    for labels in ("", "A,", ",A", "A,A"):
        assert "--labels" in refused(model, tmp_path / "out", "--labels", labels, status=2)
    refused(model, tmp_path / "out", "more", status=2)
    assert not (tmp_path / "out").exists()


def test_help_explains_itself():
    done = convert("--help")
    assert done.returncode == 0 and done.stderr == ""
    for word in ("IN", "OUT", "--precision", "--rounding", "--labels", "--probe", "--force", "int8", "Examples"):
        assert word in done.stdout


def test_in_and_out_must_differ(model, tmp_path):
    before = contents(model)
    (tmp_path / "link").symlink_to(model)
    for out in (model, model / ".", tmp_path / "link"):
        assert "same directory" in refused(model, out, "--force")
    assert contents(model) == before


def test_a_model_is_only_replaced_by_force(model, tmp_path):
    converted(model, tmp_path / "out", "--precision", "fp32")
    before = contents(tmp_path / "out")
    assert "--force" in refused(model, tmp_path / "out")
    assert contents(tmp_path / "out") == before

    (tmp_path / "out" / "notes.txt").write_text("kept")
    (model / "special_tokens_map.json").unlink()
    converted(model, tmp_path / "out", "--precision", "int8", "--force")
    after = contents(tmp_path / "out")
    # A file that the new model lacks must not linger: it would change how texts are read.
    assert set(after) == {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json", "notes.txt"}
    assert len(after["model.safetensors"]) < len(before["model.safetensors"])


def test_a_converted_model_cannot_be_converted(model, tmp_path):
    converted(model, tmp_path / "out")
    assert "is a converted model" in refused(tmp_path / "out", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def spoil_config(directory):
    (directory / "config.json").write_text('{"model_type": "gpt2"}')


def spoil_tensor(directory):
    size = (directory / "model.safetensors").stat().st_size
    os.truncate(directory / "model.safetensors", size - 1)


def spoil_weight(directory):
    data = bytearray((directory / "model.safetensors").read_bytes())
    data[-4:] = struct.pack("<f", float("nan"))
    (directory / "model.safetensors").write_bytes(data)


def spoil_vocabulary(directory):
    (directory / "vocab.txt").write_text("no special tokens\n")


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda directory: (directory / "config.json").unlink(), "does not exist"),
        (lambda directory: (directory / "model.safetensors").unlink(), "does not exist"),
        (lambda directory: (directory / "vocab.txt").unlink(), "vocab.txt"),
        (spoil_config, "model_type"),
        (spoil_tensor, "end where the file ends"),
        (spoil_weight, "not a finite number"),
        (spoil_vocabulary, "vocabulary"),
    ],
    ids=["no config", "no weights", "no vocabulary", "not BERT", "cut short", "NaN", "bad vocabulary"],
)
def test_a_broken_input_is_one_sentence_and_leaves_nothing(model, tmp_path, spoil, words):
    spoil(model)
    assert words in refused(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_that_answers_nonsense_is_refused(model, tmp_path):
    tensors = {}
    with safe_open(model / "model.safetensors", "numpy") as file:
        for name in file.keys():
            tensors[name] = file.get_tensor(name)
    tensors["classifier.weight"] = np.full_like(tensors["classifier.weight"], 3e38)
    save_file(tensors, model / "model.safetensors")
    assert "not a finite number" in refused(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_must_fit_the_classifier(model, tmp_path):
    assert "3 names expected" in refused(model, tmp_path / "out", "--labels", "NO,YES")
    write_model(tmp_path / "encoder", random_weights.Shape("encoder", labels=0, prefix=""))
    assert "no classifier" in refused(tmp_path / "encoder", tmp_path / "out", "--labels", "NO,YES")


def test_a_probe_must_be_a_text(model, tmp_path):
    done = subprocess.run(
        [PROGRAM, str(model), str(tmp_path / "out"), "--probe", b"\xff"], capture_output=True, timeout=60
    )
    assert done.returncode == 1 and b"UTF-8" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_told(model, tmp_path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused(model, tmp_path / "file")
    assert "/proc" in refused(model, "/proc/model")


def test_a_full_disk_leaves_nothing(model, tmp_path):
    def limit_file_size():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    message = refused(model, tmp_path / "out", preexec_fn=limit_file_size, restore_signals=False)
    assert "model.safetensors.tmp-" in message and "File too large" in message
    assert not (tmp_path / "out").exists()

    converted(model, tmp_path / "out")
    before = contents(tmp_path / "out")
    refused(model, tmp_path / "out", "--force", preexec_fn=limit_file_size, restore_signals=False)
    assert contents(tmp_path / "out") == before


# Interruptions. The model is large enough to be caught at work: 60 MB, zeros mostly, which a sparse file holds for free.


def write_large_model(directory):
    vocab, dim = 200_000, 64
    shape = random_weights.Shape("large", vocab=64, positions=16, dim=dim, hidden_dim=dim, n_layers=1, n_heads=1)
    tensors = write_model(directory, shape, vocab_size=vocab)
    words = "distilbert.embeddings.word_embeddings.weight"
    named = {name if "classifier" in name else f"distilbert.{name}": values for name, values in tensors.items()}
    header, offset = {}, 0
    for name, values in named.items():
        size = vocab * dim * 4 if name == words else values.nbytes
        dimensions = [vocab, dim] if name == words else list(values.shape)
        header[name] = {"dtype": "F32", "shape": dimensions, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(directory / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, values in named.items():
            file.seek(8 + len(text) + header[name]["data_offsets"][0])
            file.write(values.tobytes())
        file.truncate(8 + len(text) + offset)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_conversion_leaves_nothing(tmp_path, number):
    write_large_model(tmp_path / "in")
    for force in ([], ["--force"]):  # into a new directory, then into one that holds a model
        if force:
            write_model(tmp_path / "small", SMALL)
            converted(tmp_path / "small", tmp_path / "out")
        before = contents(tmp_path / "out") if force else None
        process = subprocess.Popen(
            [PROGRAM, str(tmp_path / "in"), str(tmp_path / "out"), "--precision", "fp32", *force],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        while process.poll() is None and not list(tmp_path.glob("out/model.safetensors.tmp-*")):
            time.sleep(0.001)
        process.send_signal(number)
        assert process.communicate(timeout=60) == (b"", b"")
        assert process.returncode == -number
        assert (contents(tmp_path / "out") if force else (tmp_path / "out").exists()) == (before or False)


def test_a_terminal_shows_progress(tmp_path):
    write_large_model(tmp_path / "in")
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, str(tmp_path / "in"), str(tmp_path / "out")],
        stdout=subprocess.PIPE, stderr=terminal, env=os.environ | {"TERM": "xterm"},
    )
    os.close(terminal)
    burst = 0.01
    while process.poll() is None:  # fast machines would be done before a bar is worth drawing
        time.sleep(burst)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.25)
        process.send_signal(signal.SIGCONT)
        burst *= 1.15  # so that every phase meets a pause, whatever the speed
    report = process.communicate(timeout=120)[0].decode()
    assert process.returncode == 0
    drawn = b""
    try:
        while part := os.read(controller, 4096):
            drawn += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(controller)
    assert "200000 word pieces" in report
    assert b" MB " in drawn and b" %" in drawn
    assert drawn.endswith(b"\r\x1b[K")  # and takes it off again


def test_a_file_left_over_from_a_crash_does_not_matter(model, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.safetensors.tmp-1").write_text("rubbish")
    converted(model, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").exists()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
