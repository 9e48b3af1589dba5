"""Random models whose weights are never stored: a counter-based generator gives them, bit for bit as
../random_model.hpp does.

Element i of the tensor `name` comes from one output of splitmix64 (Steele, Lea, Flood 2014, "Fast splittable
pseudorandom number generators") at the counter (FNV-1a of the name, mixed with the seed) + i. The sum of its four
16-bit words is nearly normal; an integer offset sets the mean and one fp32 product the spread, so that no step
depends on the order of rounding.
"""

import dataclasses
import math

import numpy as np

HEADS = ("pre_classifier", "classifier", "qa_outputs", "vocab_", "cls.")  # their tensors bear no prefix
WORD_SUM_STD = 37837.2  # standard deviation of the sum of four uniform 16-bit words
MASK = (1 << 64) - 1


@dataclasses.dataclass
class Shape:
    """A model in the words of both languages. `encoder` has no head; `prefix` leads every encoder tensor's name."""

    name: str
    family: str = "distilbert"  # or "bert"
    vocab: int = 100
    positions: int = 512
    dim: int = 32
    hidden_dim: int = 64
    n_layers: int = 2
    n_heads: int = 4
    labels: int = 2  # 0: no head
    head: str = "sequence"  # or "token", "qa", "mlm" (tied to the word embeddings), "multiple_choice"
    activation: str = "gelu"
    problem_type: str = ""
    dtype: str = "F32"
    prefix: str = "distilbert."
    seed: int = 1


def splitmix64(x):
    x = (x + np.uint64(0x9E3779B97F4A7C15)) & np.uint64(MASK)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def fnv1a(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def draw(seed, name, count):
    """`count` 64-bit words of the stream (seed, name)."""
    start = splitmix64(np.array([fnv1a(name) ^ seed], np.uint64))
    with np.errstate(over="ignore"):
        return splitmix64(start + np.arange(count, dtype=np.uint64))


def ids(shape, text, length):
    """Token ids of random text number `text`."""
    return (draw(shape.seed, f"ids.{text}", length) % np.uint64(shape.vocab)).astype(np.int64)


def mean_and_std(name, columns):
    """Spread like that of trained models; queries and keys are stretched so that attention is far from uniform, and
    so are spans and masked words so that some are much likelier than others."""
    if name in ("vocab_layer_norm.weight", "cls.predictions.transform.LayerNorm.weight"):
        return 10.0, 1.0
    if name.endswith("LayerNorm.weight") or name.endswith("layer_norm.weight"):
        return 1.0, 0.1
    if name.endswith(".bias"):
        return 0.0, 0.1
    if "embeddings." in name:
        return 0.0, 0.05
    if name == "qa_outputs.weight":
        return 0.0, 3.0 / math.sqrt(columns)
    sharp = any(part in name for part in ("q_lin", "k_lin", "query", "key"))
    return 0.0, (1.5 if sharp else 1.0) / math.sqrt(columns)


def tensor(shape, name, size):
    """The weights of one tensor as fp32 values that its stored type holds exactly."""
    mean, std = mean_and_std(name, size[-1])
    words = draw(shape.seed, name, math.prod(size))
    total = sum((words >> np.uint64(16 * k)) & np.uint64(0xFFFF) for k in range(4)).astype(np.int64)
    offset = math.floor(mean / std * WORD_SUM_STD + 0.5) - 131070
    values = (total + offset).astype(np.float32) * np.float32(std / WORD_SUM_STD)
    return rounded(values, shape.dtype).reshape(size)


def rounded(values, dtype):
    """fp32 values rounded to nearest even in the type they are stored in."""
    if dtype == "F16":
        return values.astype(np.float16).astype(np.float32)
    if dtype == "BF16":
        bits = values.view(np.uint32)
        bits = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
        return (bits & np.uint32(0xFFFF0000)).view(np.float32)
    return values


def linear(name, out, columns):
    return [(f"{name}.weight", (out, columns)), (f"{name}.bias", (out,))]


def norm(name, dim):
    return [(f"{name}.weight", (dim,)), (f"{name}.bias", (dim,))]


def tensors(shape):
    """Names (without prefix) and sizes in the order in which both languages write them."""
    d, h = shape.dim, shape.hidden_dim
    bert = shape.family == "bert"
    yield "embeddings.word_embeddings.weight", (shape.vocab, d)
    yield "embeddings.position_embeddings.weight", (shape.positions, d)
    if bert:
        yield "embeddings.token_type_embeddings.weight", (2, d)
    yield from norm("embeddings.LayerNorm", d)
    for i in range(shape.n_layers):
        layer = f"encoder.layer.{i}." if bert else f"transformer.layer.{i}."
        names = (
            ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
             "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"]
            if bert else
            ["attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
             "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"]
        )
        for name in names[:4]:
            yield from linear(layer + name, d, d)
        yield from norm(layer + names[4], d)
        yield from linear(layer + names[5], h, d)
        yield from linear(layer + names[6], d, h)
        yield from norm(layer + names[7], d)
    pooled = shape.labels == 0 or shape.head in ("sequence", "multiple_choice")
    if bert and pooled:
        yield from linear("pooler.dense", d, d)
    if shape.labels:
        yield from head_tensors(shape)


def head_tensors(shape):
    d, bert = shape.dim, shape.family == "bert"
    if shape.head == "qa":
        yield from linear("qa_outputs", 2, d)
    elif shape.head == "mlm":
        yield from linear("cls.predictions.transform.dense" if bert else "vocab_transform", d, d)
        yield from norm("cls.predictions.transform.LayerNorm" if bert else "vocab_layer_norm", d)
        yield ("cls.predictions.bias" if bert else "vocab_projector.bias"), (shape.vocab,)
    else:
        if not bert and shape.head != "token":
            yield from linear("pre_classifier", d, d)
        yield from linear("classifier", 1 if shape.head == "multiple_choice" else shape.labels, d)


def checksum(arrays):
    """Weighted sum of all fp32 bit patterns: tells the C++ generator that it makes the same weights."""
    total, position = 0, 0
    with np.errstate(over="ignore"):
        for array in arrays:
            words = array.reshape(-1).view(np.uint32).astype(np.uint64)
            weights = np.uint64(2) * np.arange(position, position + len(words), dtype=np.uint64) + np.uint64(1)
            total = (total + int((words * weights).sum(dtype=np.uint64))) & MASK
            position += len(words)
    return f"{total:016x}"
