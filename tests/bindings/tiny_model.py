"""A small DistilBERT with random weights, as a directory, and its forward pass once more in plain numpy."""

import json
import math
import pathlib
from typing import Dict

import numpy as np

DIM, HEADS, HIDDEN, LAYERS, POSITIONS = 32, 2, 48, 2, 40
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a good bad film ##s very not the was".split()


def random_weights(seed: int = 0) -> Dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    weights = {
        "distilbert.embeddings.word_embeddings.weight": (len(WORDS), DIM),
        "distilbert.embeddings.position_embeddings.weight": (POSITIONS, DIM),
        "distilbert.embeddings.LayerNorm": (DIM,),
        "pre_classifier": (DIM, DIM),
        "classifier": (3, DIM),
    }
    for i in range(LAYERS):
        layer = f"distilbert.transformer.layer.{i}."
        weights.update({layer + f"attention.{name}_lin": (DIM, DIM) for name in ("q", "k", "v", "out")})
        weights.update({layer + "ffn.lin1": (HIDDEN, DIM), layer + "ffn.lin2": (DIM, HIDDEN)})
        weights.update({layer + "sa_layer_norm": (DIM,), layer + "output_layer_norm": (DIM,)})
    tensors = {}
    for name, shape in weights.items():
        values = random.normal(0, 0.3, shape).astype(np.float32)
        if name.endswith("weight"):
            tensors[name] = values
        else:
            tensors[name + ".weight"] = values + (1 if len(shape) == 1 else 0)
            tensors[name + ".bias"] = random.normal(0, 0.3, shape[:1]).astype(np.float32)
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def write(directory: pathlib.Path, weights: Dict[str, np.ndarray]) -> pathlib.Path:
    """The directory as save_pretrained() would write it."""
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "distilbert", "vocab_size": len(WORDS), "max_position_embeddings": POSITIONS, "dim": DIM,
        "hidden_dim": HIDDEN, "n_layers": LAYERS, "n_heads": HEADS, "id2label": {"0": "BAD", "1": "SO", "2": "GOOD"},
    }  # fmt: skip
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    header, offset = {}, 0
    for name, tensor in weights.items():
        end = offset + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(tensor.tobytes() for tensor in weights.values())
    (directory / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    return directory


def hidden_states(weights: Dict[str, np.ndarray], ids: np.ndarray) -> np.ndarray:
    """[tokens, DIM]"""

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[name + ".weight"].T.astype(np.float64) + weights[name + ".bias"]

    def layer_norm(x: np.ndarray, name: str) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12) * weights[name + ".weight"] + weights[name + ".bias"]

    def heads(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), HEADS, -1).transpose(1, 0, 2)

    gelu = np.vectorize(lambda v: v * 0.5 * (1 + math.erf(v / math.sqrt(2))))
    embeddings = "distilbert.embeddings."
    x = weights[embeddings + "word_embeddings.weight"][ids].astype(np.float64)
    x = layer_norm(x + weights[embeddings + "position_embeddings.weight"][: len(ids)], embeddings + "LayerNorm")
    for i in range(LAYERS):
        layer = f"distilbert.transformer.layer.{i}."
        q, k, v = (heads(linear(x, layer + f"attention.{name}_lin")) for name in "qkv")
        weight = np.exp(q @ k.transpose(0, 2, 1) / math.sqrt(DIM // HEADS))
        context = (weight / weight.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(x), DIM)
        x = layer_norm(x + linear(context, layer + "attention.out_lin"), layer + "sa_layer_norm")
        feed_forward = linear(gelu(linear(x, layer + "ffn.lin1")), layer + "ffn.lin2")
        x = layer_norm(x + feed_forward, layer + "output_layer_norm")
    return x


def logits(weights: Dict[str, np.ndarray], ids: np.ndarray) -> np.ndarray:
    """[labels]"""
    cls = hidden_states(weights, ids)[0]
    pooled = np.maximum(weights["pre_classifier.weight"] @ cls + weights["pre_classifier.bias"], 0)
    return weights["classifier.weight"] @ pooled + weights["classifier.bias"]
