#!/usr/bin/env python3
"""Accuracy of models on the sentences of the Stanford Sentiment Treebank: evaluate.py MODEL [MODEL...]

Each model answers through distilbert-classify. With several models, the first is the one the others are compared with:
how often do their labels agree? The treebank is downloaded into the folder --data unless it is there.
"""

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "weights_converter" / "train"))

import sst  # noqa: E402 (found through the line above)

LABELS = ["NEGATIVE", "NEGATIVE", "NEUTRAL", "POSITIVE", "POSITIVE"]  # by grade


def classify(program, model, texts):
    """The label of each text."""
    lines = "".join(text + "\n" for text in texts)
    command = [program, "--model", model, "--json", "-"]
    run = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line)["label"] for line in run.stdout.splitlines()]


def percent(found, expected):
    return 100 * sum(a == b for a, b in zip(found, expected, strict=True)) / len(expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--data", default=ROOT / "build" / "sst", type=pathlib.Path)
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "distilbert-classify", type=pathlib.Path)
    args = parser.parse_args()
    data = sst.fetch(args.data)

    for split in ("dev", "test"):
        reference = None
        for model in args.models:
            known = json.loads((model / "config.json").read_text())["id2label"].values()
            rows = [(text, LABELS[grade]) for text, grade in sst.read(data, split, phrases=False)]
            texts, expected = zip(*[(text, label) for text, label in rows if label in known])
            labels = classify(args.program, model, texts)
            line = f"{split:4}  {percent(labels, expected):6.2f} % of {len(texts)} right  {model}"
            if reference is not None:
                line += f"  ({percent(labels, reference):.2f} % as {args.models[0]})"
            print(line)
            reference = reference or labels


if __name__ == "__main__":
    main()
