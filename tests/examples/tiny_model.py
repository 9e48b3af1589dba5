"""A DistilBERT for sequence classification with random weights, small enough to answer thousands of lines a second."""

import json
import string
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

DIM, HIDDEN, LAYERS, HEADS, POSITIONS = 16, 32, 1, 2, 64

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["line", "number", "good", "bad", "film", "the", "a", "not"]
CHARACTERS = list(string.ascii_lowercase + string.digits)
VOCABULARY = SPECIALS + WORDS + CHARACTERS + ["##" + c for c in CHARACTERS] + list(string.punctuation)


def write_vocabulary(directory):
    Path(directory, "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")


def write_model(directory, labels=("NEGATIVE", "POSITIVE"), **config):
    """Writes a Hugging Face model directory and returns it."""
    random = np.random.default_rng(1)

    def normal(*shape, scale=0.3):
        return (scale * random.standard_normal(shape)).astype(np.float32)

    tensors = {
        "distilbert.embeddings.word_embeddings.weight": normal(len(VOCABULARY), DIM),
        "distilbert.embeddings.position_embeddings.weight": normal(POSITIONS, DIM),
        "pre_classifier.weight": normal(DIM, DIM),
        "pre_classifier.bias": normal(DIM),
        "classifier.weight": normal(len(labels), DIM),
        "classifier.bias": normal(len(labels)),
    }
    norms = ["distilbert.embeddings.LayerNorm"]
    for layer in range(LAYERS):
        block = f"distilbert.transformer.layer.{layer}"
        norms += [f"{block}.sa_layer_norm", f"{block}.output_layer_norm"]
        for name, outputs, inputs in [
            ("attention.q_lin", DIM, DIM),
            ("attention.k_lin", DIM, DIM),
            ("attention.v_lin", DIM, DIM),
            ("attention.out_lin", DIM, DIM),
            ("ffn.lin1", HIDDEN, DIM),
            ("ffn.lin2", DIM, HIDDEN),
        ]:
            tensors[f"{block}.{name}.weight"] = normal(outputs, inputs)
            tensors[f"{block}.{name}.bias"] = normal(outputs)
    for norm in norms:
        tensors[f"{norm}.weight"] = 1 + normal(DIM, scale=0.1)
        tensors[f"{norm}.bias"] = normal(DIM, scale=0.1)

    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    write_vocabulary(directory)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    (directory / "config.json").write_text(json.dumps({
        "model_type": "distilbert",
        "architectures": ["DistilBertForSequenceClassification"],
        "vocab_size": len(VOCABULARY),
        "max_position_embeddings": POSITIONS,
        "dim": DIM,
        "hidden_dim": HIDDEN,
        "n_layers": LAYERS,
        "n_heads": HEADS,
        "activation": "gelu",
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
        **config,
    }))
    return directory
