"""Reads a converted model back into a Hugging Face state dict in fp32, by the packed layout that
include/distilbert/weights/packed_layout.hpp describes; ../converted.hpp does the same in C++, to the bit."""

import json
import math
import pathlib

import numpy as np
from safetensors import safe_open

LANES = 16
WEIGHT_TYPE = {"fp32": np.dtype("<f4"), "int8": np.dtype("i1")}


def padded(n):
    return -(-n // LANES) * LANES


def without_padding(values, blocks):
    """Cuts the padding of `blocks` (count, size) off the first axis."""
    count, size = blocks
    return values.reshape(count, padded(size), *values.shape[1:])[:, :size].reshape(count * size, *values.shape[1:])


def linear(panels, precision, out, columns):
    """Weight and bias from panels [panels, bytes of a panel]."""
    floats = lambda first: np.ascontiguousarray(panels[:, first : first + 64]).view(np.float32).reshape(-1)
    header = 192 if precision == "int8" else 64
    stored = np.ascontiguousarray(panels[:, header:]).view(WEIGHT_TYPE[precision])
    group = 4 // stored.dtype.itemsize  # consecutive k of one channel stand together
    channels = stored.reshape(len(panels), -1, LANES, group).transpose(0, 2, 1, 3)
    weight = channels.reshape(len(panels) * LANES, -1).astype(np.float32)
    if precision == "int8":
        weight = weight * floats(64)[:, None]
    weight = without_padding(without_padding(weight, out).T, columns).T
    return np.ascontiguousarray(weight), without_padding(floats(0), out)


def state_dict(directory):
    """config.json and the weights of a converted directory, named and ordered as random_weights.tensors has them."""
    directory = pathlib.Path(directory)
    config = json.loads((directory / "config.json").read_text())
    with safe_open(directory / "model.safetensors", "np") as file:
        metadata = file.metadata()
        assert metadata["format"] == "distilbert.cpp" and metadata["layout_version"] == "2", metadata
        precision = metadata["precision"]
        assert precision != "bf16", "numpy reads no BF16 tensors"
        stored = {name: file.get_tensor(name) for name in file.keys()}
    dim, hidden, heads = config["dim"], config["hidden_dim"], config["n_heads"]
    one, per_head = (1, dim), (heads, dim // heads)
    weights = {}

    def add(name, weight, bias):
        weights[f"{name}.weight"], weights[f"{name}.bias"] = weight, bias

    def add_linear(name, out, columns, kind=precision):
        add(name, *linear(stored[f"{name}.packed"], kind, out, columns))

    def add_norm(name):
        add(name, stored[f"{name}.weight"][:dim], stored[f"{name}.bias"][:dim])

    for name, rows in (("word", config["vocab_size"]), ("position", config["max_position_embeddings"])):
        name = f"embeddings.{name}_embeddings"
        table = stored[f"{name}.weight"].astype(np.float32)
        if precision == "int8":
            table = table * stored[f"{name}.scale"][:, None]
        weights[f"{name}.weight"] = np.ascontiguousarray(table[:rows, :dim])
    add_norm("embeddings.LayerNorm")
    for i in range(config["n_layers"]):
        layer = f"transformer.layer.{i}."
        joined = linear(stored[layer + "attention.qkv_lin.packed"], precision, (3 * heads, dim // heads), one)
        for k, name in enumerate(("q_lin", "k_lin", "v_lin")):
            unfolded = np.float32(math.sqrt(dim // heads)) if name == "q_lin" else np.float32(1)
            add(layer + "attention." + name, *(part[k * dim : (k + 1) * dim] * unfolded for part in joined))
        add_linear(layer + "attention.out_lin", one, per_head)
        add_norm(layer + "sa_layer_norm")
        add_linear(layer + "ffn.lin1", (1, hidden), one)
        add_linear(layer + "ffn.lin2", one, (1, hidden))
        add_norm(layer + "output_layer_norm")
    add_linear("pre_classifier", one, one)
    add_linear("classifier", (1, len(config["id2label"])), one, "fp32")
    return config, weights
