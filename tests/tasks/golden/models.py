#!/usr/bin/env python3
"""The models of this folder's goldens: small, with random weights (../../nn/golden/random_weights.py) and with the
first lines of models/sst2/vocab.txt as their vocabulary.

    models.py OUT [KEY...]     writes all of them, or those named, as model directories OUT/KEY
"""

import argparse
import dataclasses
import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "nn/golden"))

import random_weights  # noqa: E402
from random_weights import Shape  # noqa: E402

WORDS = (HERE.parents[2] / "models/sst2/vocab.txt").read_text(encoding="utf-8").split("\n")[:4000]
CASED_WORDS = WORDS + [word.capitalize() for word in WORDS if word.isascii() and word.isalpha()]

CLASS_SUFFIX = {"sequence": "ForSequenceClassification", "token": "ForTokenClassification",
                "qa": "ForQuestionAnswering", "mlm": "ForMaskedLM", "multiple_choice": "ForMultipleChoice"}


@dataclasses.dataclass
class Model:
    shape: Shape
    labels: tuple = ()  # id2label; empty for heads without labels
    max_length: int = 128  # model_max_length of the tokenizer
    cased: bool = False
    pooling: str = ""  # "mean", "cls", "max": the directory is one of sentence-transformers
    normalize: bool = False
    max_seq_length: int = 128  # of sentence-transformers


def model(key, labels=(), head="sequence", **rest):
    """A Model whose family leads its key; `head` "" is an encoder alone. The rest goes to Model or to its Shape."""
    family, kind = key.split("_", 1)
    options = {field.name for field in dataclasses.fields(Model)}
    ours = {name: rest.pop(name) for name in options & rest.keys()}
    words = CASED_WORDS if ours.get("cased") else WORDS
    sizes = dict(family=family, vocab=len(words), positions=128, dim=32, hidden_dim=64, n_heads=4, head=head,
                 prefix=f"{family}." if head else "", labels=len(labels) or (2 if head else 0),
                 seed=random_weights.fnv1a(kind) % 1000)
    return key, Model(Shape(key, **(sizes | rest)), tuple(labels), **ours)


SENTIMENT = ("NEGATIVE", "POSITIVE")
TOPICS = ("politics", "sports", "business", "science")
ENTITIES = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")

MODELS = dict([
    model("distilbert_sentiment", SENTIMENT),
    model("distilbert_topics", TOPICS, problem_type="multi_label_classification"),
    model("distilbert_rating", ("LABEL_0",), problem_type="regression"),
    model("distilbert_nli", ("entailment", "neutral", "contradiction")),
    model("bert_pairs", ("not_equivalent", "equivalent")),
    model("bert_nli", ("CONTRADICTION", "NEUTRAL", "ENTAILMENT"), dim=48, n_heads=3),
    model("distilbert_ner", ENTITIES, head="token"),
    model("distilbert_window_ner", ENTITIES, head="token", max_length=24),
    model("bert_cased_ner", ("O", "PER", "ORG", "LOC"), head="token", cased=True, dim=48, n_heads=3),
    model("distilbert_qa", head="qa", seed=35),  # seeds with which "no answer" is now and then the best
    model("bert_qa", head="qa", dim=48, n_heads=3, seed=48),
    model("distilbert_mlm", head="mlm"),
    model("bert_mlm", head="mlm", dim=48, n_heads=3),
    model("distilbert_multiple_choice", head="multiple_choice"),
    model("bert_multiple_choice", head="multiple_choice", dim=48, n_heads=3),
    model("distilbert_encoder", head=""),
    model("bert_encoder", head="", dim=48, n_heads=3),
    model("distilbert_mean_embedder", head="", pooling="mean", max_seq_length=24),
    model("distilbert_cls_embedder", head="", pooling="cls", normalize=True),
    model("distilbert_max_embedder", head="", pooling="max"),
    model("bert_mean_embedder", head="", pooling="mean", normalize=True, dim=48, n_heads=3),
])


def config(model):
    shape, bert = model.shape, model.shape.family == "bert"
    suffix = CLASS_SUFFIX[shape.head] if shape.labels else "Model"
    names = (("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act") if bert
             else ("dim", "hidden_dim", "n_layers", "n_heads", "activation"))
    values = (shape.dim, shape.hidden_dim, shape.n_layers, shape.n_heads, shape.activation)
    content = {"model_type": shape.family, "architectures": [("Bert" if bert else "DistilBert") + suffix],
               "vocab_size": shape.vocab, "max_position_embeddings": shape.positions, "pad_token_id": 0,
               **dict(zip(names, values))}
    if bert:
        content["type_vocab_size"] = 2
    if shape.problem_type:
        content["problem_type"] = shape.problem_type
    if model.labels:
        content["id2label"] = {str(i): label for i, label in enumerate(model.labels)}
        content["label2id"] = {label: i for i, label in enumerate(model.labels)}
    return content


def write_json(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def write_tokenizer(model, directory):
    words = CASED_WORDS if model.cased else WORDS
    (directory / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    family = "Bert" if model.shape.family == "bert" else "DistilBert"
    write_json(directory / "tokenizer_config.json",
               {"tokenizer_class": family + "Tokenizer", "do_lower_case": not model.cased, "strip_accents": None,
                "tokenize_chinese_chars": True, "model_max_length": model.max_length, "unk_token": "[UNK]",
                "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"})


def write_sentence_modules(model, directory):
    """The files that make the directory one of sentence-transformers."""
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")] + [("2_Normalize", "Normalize")] * model.normalize
    write_json(directory / "modules.json",
               [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
                for i, (path, kind) in enumerate(modules)])
    write_json(directory / "sentence_bert_config.json",
               {"max_seq_length": model.max_seq_length, "do_lower_case": False})
    modes = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
    write_json(directory / "1_Pooling/config.json",
               {"word_embedding_dimension": model.shape.dim}
               | {f"pooling_mode_{name}": mode == model.pooling for mode, name in modes.items()})
    for path, _ in modules[2:]:
        (directory / path).mkdir(exist_ok=True)


def write(key, out):
    """Writes the model directory out/key and returns it."""
    model, directory = MODELS[key], pathlib.Path(out, key)
    directory.mkdir(parents=True, exist_ok=True)
    shape = model.shape
    prefix = lambda name: "" if name.startswith(random_weights.HEADS) else shape.prefix
    tensors = {prefix(name) + name: np.ascontiguousarray(random_weights.tensor(shape, name, size))
               for name, size in random_weights.tensors(shape)}
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    write_json(directory / "config.json", config(model))
    write_tokenizer(model, directory)
    if model.pooling:
        write_sentence_modules(model, directory)
    return directory


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("keys", nargs="*", metavar="KEY", help=", ".join(MODELS))
    arguments = parser.parse_args()
    for key in arguments.keys or MODELS:
        write(key, arguments.out)


if __name__ == "__main__":
    main()
