#!/usr/bin/env python3
"""Writes the models of the benchmark, the same weights in every engine's own form: make_models.py [--models NAME...]

  base  DistilBERT-base with random weights (seed 0)
  sst2  models/sst2 of this repository, whose int8 weights are read back into fp32 for the peers

Each becomes a folder with huggingface/ (what the others are made from), onnxruntime-*.onnx, openvino-*.xml,
ctranslate2-*/ and distilbert-*/. What is there already is kept, so that an interrupted run can go on.
"""

import argparse
import filecmp
import json
import os
import pathlib
import shutil
import subprocess
import sys

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import numpy  # noqa: E402
import onnx  # noqa: E402
import onnxruntime.quantization  # noqa: E402
import safetensors.torch  # noqa: E402
import tokenizers  # noqa: E402
import torch  # noqa: E402
import tqdm  # noqa: E402
import transformers  # noqa: E402

from hugging_face import SHIPPED, write_hugging_face  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "bench"


def load(model, attention):
    return transformers.DistilBertForSequenceClassification.from_pretrained(
        model / "huggingface", attn_implementation=attention
    ).eval()


class Logits(torch.nn.Module):
    """A graph from ids and mask to logits, and nothing else."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def example():
    return {"input_ids": torch.full((2, 16), 1000), "attention_mask": torch.ones(2, 16, dtype=torch.int64)}


class OnnxGraph:
    """An ONNX graph under construction: each operation is named after its one output."""

    def __init__(self):
        self.nodes, self.tensors = [], []

    def tensor(self, name, values):
        self.tensors.append(onnx.numpy_helper.from_array(numpy.array(values, order="C"), name))
        return name

    def operation(self, kind, output, *inputs, **attributes):
        domain = "com.microsoft" if kind in ("Attention", "SkipLayerNormalization", "BiasGelu") else ""
        self.nodes.append(onnx.helper.make_node(kind, inputs, [output], output, domain=domain, **attributes))
        return output


def write_onnxruntime_fp32(model, file):
    """The graph in onnxruntime's own fused operations, as its transformers optimizer writes it for BERT. (Of what torch
    2.15 exports, that optimizer fuses everything but the attention.)"""
    config = json.loads((model / "huggingface" / "config.json").read_text())
    loaded = safetensors.torch.load_file(model / "huggingface" / "model.safetensors")
    weights = {name.removeprefix("distilbert."): tensor.numpy() for name, tensor in loaded.items()}
    graph = OnnxGraph()
    constant, operation = graph.tensor, graph.operation

    def linear(name, x):
        return operation("MatMul", f"{name}.product", x, constant(f"{name}.weight", weights[f"{name}.weight"].T))

    def bias(name):
        return constant(f"{name}.bias", weights[f"{name}.bias"])

    def norm(name):
        return constant(f"{name}.weight", weights[f"{name}.weight"]), bias(name)

    zero, one = constant("zero", numpy.int64(0)), constant("one", numpy.int64(1))
    tokens = operation("Gather", "tokens", operation("Shape", "shape", "input_ids"), one)
    positions = operation("Range", "positions", zero, tokens, one)
    word_table, position_table = (
        constant(name, weights[f"embeddings.{name}_embeddings.weight"]) for name in ("word", "position")
    )
    words = operation("Gather", "words", word_table, "input_ids")
    places = operation("Gather", "places", position_table, positions)
    x = operation("Add", "embedded", words, places)
    x = operation("LayerNormalization", "embeddings", x, *norm("embeddings.LayerNorm"), epsilon=1e-12)
    mask = operation("Cast", "mask", "attention_mask", to=onnx.TensorProto.INT32)
    for layer in range(config["n_layers"]):
        prefix = f"transformer.layer.{layer}."
        parts = [f"{prefix}attention.{part}_lin" for part in "qkv"]
        joined = constant(prefix + "qkv.weight", numpy.concatenate([weights[f"{part}.weight"].T for part in parts], 1))
        joined_bias = constant(prefix + "qkv.bias", numpy.concatenate([weights[f"{part}.bias"] for part in parts]))
        context = operation(
            "Attention", prefix + "context", x, joined, joined_bias, mask, num_heads=config["n_heads"]
        )
        name = prefix + "attention.out_lin"
        x = operation(
            "SkipLayerNormalization", prefix + "attended", x, linear(name, context),
            *norm(prefix + "sa_layer_norm"), bias(name), epsilon=1e-12,
        )  # fmt: skip
        name = prefix + "ffn.lin1"
        inner = operation("BiasGelu", prefix + "inner", linear(name, x), bias(name))
        name = prefix + "ffn.lin2"
        x = operation(
            "SkipLayerNormalization", prefix + "output", x, linear(name, inner),
            *norm(prefix + "output_layer_norm"), bias(name), epsilon=1e-12,
        )  # fmt: skip
    cls = operation("Gather", "cls", x, zero, axis=1)
    pooling = operation("Add", "pooling", linear("pre_classifier", cls), bias("pre_classifier"))
    pooled = operation("Relu", "pooled", pooling)
    operation("Add", "logits", linear("classifier", pooled), bias("classifier"))

    shape = ["texts", "tokens"]
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["texts", "labels"])]
    made = onnx.helper.make_graph(graph.nodes, "DistilBERT", inputs, outputs, graph.tensors)
    versions = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("com.microsoft", 1)]
    onnx.save(onnx.helper.make_model(made, opset_imports=versions, ir_version=10), file)


def write_onnxruntime_int8(model, file):
    onnxruntime.quantization.quantize_dynamic(
        model / "onnxruntime-fp32.onnx",
        file,
        weight_type=onnxruntime.quantization.QuantType.QInt8,
        per_channel=True,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # of fused operations, which it does not know
    )


def openvino_model(model):
    import openvino

    shape = openvino.PartialShape([-1, -1])
    converted = openvino.convert_model(
        Logits(load(model, "sdpa")).eval(),
        example_input=example(),
        input=[("input_ids", shape, openvino.Type.i64), ("attention_mask", shape, openvino.Type.i64)],
    )
    return converted


def write_openvino_fp32(model, file):
    import openvino

    openvino.save_model(openvino_model(model), file, compress_to_fp16=False)


def write_openvino_int8(model, file, sentences):
    import nncf
    import openvino

    tokenizer = tokenizers.Tokenizer.from_file(str(model / "huggingface" / "tokenizer.json"))

    def prepare(text):
        ids = numpy.array([tokenizer.encode(text).ids[:512]])
        return {"input_ids": ids, "attention_mask": numpy.ones_like(ids)}

    quantized = nncf.quantize(
        openvino_model(model),
        nncf.Dataset(sentences, prepare),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(sentences),
    )
    openvino.save_model(quantized, file)


def write_ctranslate2(model, folder, kind):
    import ctranslate2

    ctranslate2.converters.TransformersConverter(str(model / "huggingface")).convert(
        str(folder), quantization=None if kind == "float32" else kind
    )


def write_head(model, file):
    tensors = safetensors.torch.load_file(model / "huggingface" / "model.safetensors")
    numpy.savez(
        file,
        pre_weight=tensors["pre_classifier.weight"].numpy(),
        pre_bias=tensors["pre_classifier.bias"].numpy(),
        weight=tensors["classifier.weight"].numpy(),
        bias=tensors["classifier.bias"].numpy(),
    )


def is_shipped(folder):
    file = "model.safetensors"
    return (folder / file).exists() and filecmp.cmp(folder / file, SHIPPED / file, shallow=False)


def write_distilbert(model, folder, precision, converter):
    if model.name == "sst2" and precision == "int8":
        shutil.copytree(SHIPPED, folder)
    else:
        command = [converter, model / "huggingface", folder, "--precision", precision]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def steps(name, model, converter, sentences):
    """(what is written, how) in an order in which each finds what it needs."""
    yield "huggingface", lambda to: write_hugging_face(name, to)
    yield "head.npz", lambda to: write_head(model, to)
    for precision in ("fp32", "bf16", "int8"):
        yield f"distilbert-{precision}", lambda to, p=precision: write_distilbert(model, to, p, converter)
    yield "onnxruntime-fp32.onnx", lambda to: write_onnxruntime_fp32(model, to)
    yield "onnxruntime-int8.onnx", lambda to: write_onnxruntime_int8(model, to)
    yield "openvino-fp32.xml", lambda to: write_openvino_fp32(model, to)
    yield "openvino-int8.xml", lambda to: write_openvino_int8(model, to, sentences)
    for kind in ("float32", "int8"):
        yield f"ctranslate2-{kind}", lambda to, k=kind: write_ctranslate2(model, to, k)


def is_made(path, converter):
    """Our own models are made again after the converter."""
    ours = path.name.startswith("distilbert-")
    return path.exists() and not (ours and path.stat().st_mtime < converter.stat().st_mtime)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=("base", "sst2"), default=["base", "sst2"], metavar="NAME")
    parser.add_argument("--to", type=pathlib.Path, default=BUILD / "models", metavar="DIR")
    parser.add_argument("--bin", type=pathlib.Path, default=BUILD / "bin", metavar="DIR",
                        help="where distilbert-convert is")  # fmt: skip
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build" / "sst", metavar="DIR",
                        help="the Stanford Sentiment Treebank; downloaded unless it is there")  # fmt: skip
    args = parser.parse_args()

    sys.path.insert(0, str(ROOT / "weights_converter" / "train"))
    import sst

    sentences = [sst.as_written(text) for text, _ in sst.read(sst.fetch(args.data), "train", phrases=False)[:64]]
    for name in args.models:
        model = args.to / name
        if name == "sst2" and not is_shipped(model / "distilbert-int8"):
            shutil.rmtree(model, ignore_errors=True)  # of an older models/sst2
        model.mkdir(parents=True, exist_ok=True)
        converter = args.bin / "distilbert-convert"
        progress = tqdm.tqdm(list(steps(name, model, converter, sentences)), desc=name)
        for file, write in progress:
            progress.set_postfix_str(file)
            if not is_made(model / file, converter):
                shutil.rmtree(model / file, ignore_errors=True)
                unfinished = model / "unfinished"  # renamed when whole; an engine may write a second file beside it
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                write(unfinished / file)
                for part in sorted(unfinished.iterdir(), key=lambda part: part.name == file):
                    part.replace(model / part.name)
                unfinished.rmdir()


if __name__ == "__main__":
    main()
