"""The models of the benchmarks as Hugging Face's library reads them: models/sst2 with its int8 weights read back into
fp32, or a DistilBERT-base with random weights."""

import json
import math
import pathlib
import shutil

import numpy
import safetensors.torch
import tokenizers
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "models" / "sst2"
LANES = 16  # of the packed layout: include/distilbert/weights/packed_layout.hpp


def write_tokenizer(folder):
    """vocab.txt as it is, and the same tokenizer as a tokenizer.json."""
    shutil.copy(SHIPPED / "vocab.txt", folder)
    words = (SHIPPED / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    vocab = {word: number for number, word in enumerate(words)}
    model = tokenizers.models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocab[token]) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": True, "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def unpack_linear(packed, rows, columns):
    """(weight, bias) in fp32 of a packed linear layer of [rows, columns], neither of which may be padded inside."""
    panels, panel_bytes = packed.shape
    body = columns * LANES
    if panel_bytes == 64 + 4 * body:
        bias = packed[:, :64].view(numpy.float32)
        weight = packed[:, 64:].view(numpy.float32).reshape(panels, columns, LANES).transpose(0, 2, 1)
    elif panel_bytes == 192 + body:
        bias = packed[:, :64].view(numpy.float32)
        scale = packed[:, 64:128].view(numpy.float32)
        groups = packed[:, 192:].view(numpy.int8).reshape(panels, columns // 4, LANES, 4)
        weight = groups.transpose(0, 2, 1, 3).reshape(panels, LANES, columns) * scale[:, :, None]
    else:
        raise SystemExit(f"a panel of {panel_bytes} bytes is neither fp32 nor int8")
    weight = weight.reshape(panels * LANES, columns)[:rows].astype(numpy.float32)
    return weight, bias.reshape(-1)[:rows]


def unpack(folder):
    """The tensors of a converted int8 DistilBERT under Hugging Face's names, in fp32."""
    config = json.loads((folder / "config.json").read_text())
    dim, hidden, head_dim = config["dim"], config["hidden_dim"], config["dim"] // config["n_heads"]
    if dim % LANES or hidden % LANES or head_dim % LANES or "pre_classifier_activation" in config:
        raise SystemExit(f"{folder} is not a plain DistilBERT in whole lanes")
    packed = {
        name: tensor.numpy() for name, tensor in safetensors.torch.load_file(folder / "model.safetensors").items()
    }
    if any(name.endswith(".input_scale") for name in packed):
        raise SystemExit(f"{folder} has input scales, which are not read here")
    tensors = {}

    def linear(name, weight, bias):
        tensors[name + ".weight"] = numpy.ascontiguousarray(weight)
        tensors[name + ".bias"] = numpy.ascontiguousarray(bias)

    for name, size in (("word", config["vocab_size"]), ("position", config["max_position_embeddings"])):
        table = f"embeddings.{name}_embeddings"
        rows = packed[table + ".weight"].astype(numpy.float32) * packed[table + ".scale"][:, None]
        tensors[f"distilbert.{table}.weight"] = rows[:size]
    for name in (name for name in packed if name.rpartition(".")[0].endswith(("LayerNorm", "layer_norm"))):
        tensors["distilbert." + name] = packed[name]
    for layer in range(config["n_layers"]):
        prefix = f"transformer.layer.{layer}."
        weight, bias = unpack_linear(packed[prefix + "attention.qkv_lin.packed"], 3 * dim, dim)
        for part, name in enumerate(("q_lin", "k_lin", "v_lin")):
            factor = numpy.float32(math.sqrt(head_dim) if part == 0 else 1)  # the layout folds it into q_lin
            rows = slice(part * dim, (part + 1) * dim)
            linear(f"distilbert.{prefix}attention.{name}", weight[rows] * factor, bias[rows] * factor)
        for name, rows, columns in (
            ("attention.out_lin", dim, dim),
            ("ffn.lin1", hidden, dim),
            ("ffn.lin2", dim, hidden),
        ):
            linear(f"distilbert.{prefix}{name}", *unpack_linear(packed[f"{prefix}{name}.packed"], rows, columns))
    for name, rows in (("pre_classifier", dim), ("classifier", len(config["id2label"]))):
        linear(name, *unpack_linear(packed[name + ".packed"], rows, dim))
    return {name: torch.from_numpy(numpy.array(tensor)) for name, tensor in tensors.items()}


def write_hugging_face(name, folder):
    if name == "base":
        torch.manual_seed(0)
        model = transformers.DistilBertForSequenceClassification(transformers.DistilBertConfig())
    else:
        config = transformers.DistilBertConfig.from_pretrained(SHIPPED)
        model = transformers.DistilBertForSequenceClassification(config)
        model.load_state_dict(unpack(SHIPPED))
    model.save_pretrained(folder)
    write_tokenizer(folder)
