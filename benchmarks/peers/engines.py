#!/usr/bin/env python3
"""One peer behind the protocol of the benchmark (run.py describes it): engines.py ENGINE MODEL PRECISION THREADS

MODEL is a folder that make_models.py wrote. Each engine is set up as its documentation says for the least latency on
so many threads. A batch goes in whole, padded to its longest text, or, where it is said to be sorted, in batches of
SORTED_BATCH texts of about the same length. PRECISION is "ids" for a tokenizer, and ends in "-texts" for an engine
behind a tokenizer that answers one text after the other.
"""

import os
import pathlib
import sys
import time

SORTED_BATCH = 16


class Engine:
    """What the protocol asks of an engine. `answer` is a flat list of numbers."""

    def set_input(self, line, sort=False):
        texts = [[int(number) for number in text.split(",")] for text in line.split(" ")]
        order = list(range(len(texts)))
        chunks = [order]
        if sort:
            order.sort(key=lambda i: len(texts[i]))
            chunks = [order[i : i + SORTED_BATCH] for i in range(0, len(order), SORTED_BATCH)]
        self.order = order
        self.batches = [self.prepare([texts[i] for i in chunk]) for chunk in chunks]

    def run(self):
        self.logits = [self.forward(batch) for batch in self.batches]

    def answer(self):
        rows = [row for logits in self.logits for row in logits]
        by_text = sorted(zip(self.order, rows, strict=True), key=lambda pair: pair[0])
        return [float(value) for _, row in by_text for value in row]

    def prepare(self, texts):
        """The engine's own form of a batch: by default ids and mask as int64 arrays, padded at the end."""
        import numpy

        ids = numpy.zeros((len(texts), max(map(len, texts))), numpy.int64)
        mask = numpy.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def forward(self, batch):
        """The logits [texts, labels]."""
        raise NotImplementedError


class OnnxRuntime(Engine):
    def __init__(self, model, precision, threads):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            model / f"onnxruntime-{precision}.onnx", options, providers=["CPUExecutionProvider"]
        )

    def forward(self, batch):
        return self.session.run(None, batch)[0]


class OpenVino(Engine):
    def __init__(self, model, precision, threads):
        import openvino

        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        }
        name = "int8" if precision == "int8" else "fp32"
        self.model = openvino.Core().compile_model(model / f"openvino-{name}.xml", "CPU", settings)

    def forward(self, batch):
        return self.model(batch, share_inputs=True)[0]


class CTranslate2(Engine):
    """Runs the encoder; the head, two small products, is done with numpy."""

    def __init__(self, model, precision, threads):
        import ctranslate2
        import numpy

        kind = "int8" if precision == "int8" else "float32"
        self.encoder = ctranslate2.Encoder(
            str(model / f"ctranslate2-{kind}"), compute_type=kind, inter_threads=1, intra_threads=threads
        )
        self.head = numpy.load(model / "head.npz")

    def prepare(self, texts):
        return texts

    def forward(self, batch):
        import numpy

        cls = numpy.asarray(self.encoder.forward_batch(batch).last_hidden_state)[:, 0]
        head = self.head
        pooled = numpy.maximum(cls @ head["pre_weight"].T + head["pre_bias"], 0)
        return pooled @ head["weight"].T + head["bias"]


class PyTorch(Engine):
    compiled = False

    def __init__(self, model, precision, threads):
        import torch
        import transformers

        torch.set_num_threads(threads)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.model = transformers.DistilBertForSequenceClassification.from_pretrained(
            model / "huggingface", dtype=dtype, attn_implementation="sdpa"
        ).eval()
        self.call = torch.compile(self.model, dynamic=True) if self.compiled else self.model

    def prepare(self, texts):
        import torch

        batch = {name: torch.from_numpy(array) for name, array in super().prepare(texts).items()}
        if bool(batch["attention_mask"].all()):
            del batch["attention_mask"]  # attention is faster without
        return batch

    def forward(self, batch):
        import torch

        with torch.inference_mode():
            return self.call(**batch).logits.float().numpy()


class CompiledPyTorch(PyTorch):
    compiled = True


def lines_of(file):
    return pathlib.Path(file).read_text(encoding="utf-8").split("\n")[:-1]


class OneByOne:
    """A tokenizer in front of an engine: texts in, logits out, one after the other."""

    def __init__(self, engine, model):
        import tokenizers

        self.tokenizer = tokenizers.Tokenizer.from_file(str(model / "huggingface" / "tokenizer.json"))
        self.engine = engine

    def set_input(self, line):
        self.texts = lines_of(line)

    def run(self):
        engine, encode = self.engine, self.tokenizer.encode
        self.logits = [engine.forward(engine.prepare([encode(text).ids]))[0] for text in self.texts]

    def answer(self):
        return [float(value) for row in self.logits for value in row]


class TextEncoder(Engine):
    """Tokenizers: the input is a file with a text on each line, the answer the ids of all texts."""

    def set_input(self, line):
        self.texts = lines_of(line)

    def run(self):
        self.ids = self.encode(self.texts)

    def answer(self):
        return [int(number) for text in self.ids for number in self.as_list(text)]

    @staticmethod
    def as_list(ids):
        return ids


class HuggingFaceTokenizers(TextEncoder):
    def __init__(self, model, precision, threads):
        import tokenizers

        tokenizer = tokenizers.Tokenizer.from_file(str(model / "huggingface" / "tokenizer.json"))
        # the fast one computes no offsets; 1.0 has one method alone
        self.encode_batch = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)

    def encode(self, texts):
        return self.encode_batch(texts)

    @staticmethod
    def as_list(ids):
        return ids.ids


class Tokie(TextEncoder):
    def __init__(self, model, precision, threads):
        import tokie

        self.tokenizer = tokie.Tokenizer.from_json(str(model / "huggingface" / "tokenizer.json"))

    def encode(self, texts):
        return [self.tokenizer.encode_batch_flat(texts)[0]]


class Nanotoken(TextEncoder):
    def __init__(self, model, precision, threads):
        import nanotoken

        self.tokenizer = nanotoken.Tokenizer.from_json((model / "huggingface" / "tokenizer.json").read_text())

    def encode(self, texts):
        return self.tokenizer.encode_batch(texts, parallel=False)


class FlashTokenizer(TextEncoder):
    def __init__(self, model, precision, threads):
        import flash_tokenizer

        self.tokenizer = flash_tokenizer.BertTokenizerFlash(str(model / "huggingface" / "vocab.txt")).tokenizer

    def encode(self, texts):
        return [self.tokenizer.encode(text, "longest", 512) for text in texts]


ENGINES = {
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
    "ctranslate2": CTranslate2,
    "pytorch": PyTorch,
    "pytorch-compiled": CompiledPyTorch,
    "tokenizers": HuggingFaceTokenizers,
    "tokie": Tokie,
    "nanotoken": Nanotoken,
    "flash-tokenizer": FlashTokenizer,
}


def timed(engine, budget):
    times = []
    while not times or sum(times) < budget:
        start = time.perf_counter()
        engine.run()
        times.append(time.perf_counter() - start)
    return times


def main():
    name, model, precision, threads = sys.argv[1:]
    os.environ.setdefault("OMP_NUM_THREADS", threads)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not get among the replies
    engine = ENGINES[name](pathlib.Path(model), precision.removesuffix("-texts"), int(threads))
    if precision.endswith("-texts"):
        engine = OneByOne(engine, pathlib.Path(model))
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        command, _, rest = line.rstrip("\n").partition(" ")
        reply = ""
        if command == "input":
            engine.set_input(rest)
        elif command == "sorted":
            engine.set_input(rest, sort=True)
        elif command == "answer":
            engine.run()
            reply = " ".join(map(repr, engine.answer()))
        elif command == "time":
            reply = " ".join(f"{seconds:.9f}" for seconds in timed(engine, float(rest)))
        else:
            raise SystemExit(f"unknown command: {line}")
        print(reply, file=replies, flush=True)


if __name__ == "__main__":
    main()
