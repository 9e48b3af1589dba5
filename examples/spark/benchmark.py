"""Rows per second on Spark: this library in mapInArrow, and transformers in a pandas UDF, with the same weights.

    spark-submit --master 'local[2]' examples/spark/benchmark.py

Both get every core, one thread for each task, and keep their model from one task to the next. They take turns; the
first turn of each is not counted, and of the others the best is. transformers computes in fp32, with the int8 weights
of models/sst2 widened, in padded batches of texts sorted by length. Needs torch and transformers.
"""

import argparse
import functools
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf

import scorer

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/nn/golden"
MODEL = ROOT / "models/sst2"
BATCH = 32


def write_widened(directory):
    """MODEL as transformers reads it."""
    sys.path.insert(0, str(GOLDEN))
    import converted
    from safetensors.numpy import save_file

    config, weights = converted.state_dict(MODEL)
    heads = ("pre_classifier", "classifier")
    tensors = {name if name.startswith(heads) else "distilbert." + name: weight for name, weight in weights.items()}
    save_file(tensors, Path(directory, "model.safetensors"), metadata={"format": "pt"})
    Path(directory, "config.json").write_text(json.dumps(config))
    for name in ("vocab.txt", "tokenizer_config.json"):
        Path(directory, name).write_bytes((MODEL / name).read_bytes())


@functools.lru_cache(maxsize=1)
def load_transformers(directory):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(directory)
    return AutoTokenizer.from_pretrained(directory), model.eval()


def answer_by_transformers(directory, texts):
    import torch

    tokenizer, model = load_transformers(directory)
    by_length = texts.iloc[texts.str.len().argsort(kind="stable")]
    parts = []
    with torch.inference_mode():
        for first in range(0, len(by_length), BATCH):
            part = by_length.iloc[first : first + BATCH]
            inputs = tokenizer(part.tolist(), padding=True, truncation=True, return_token_type_ids=False,
                               return_tensors="pt")
            scores, labels = model(**inputs).logits.softmax(-1).max(-1)
            names = [model.config.id2label[label] for label in labels.tolist()]
            parts.append(pd.DataFrame({"label": names, "score": scores.numpy()}, index=part.index))
    return pd.concat(parts).loc[texts.index]


def with_transformers(rows, directory):
    @pandas_udf("label string, score float")
    def classify(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        for texts in batches:
            yield answer_by_transformers(directory, texts)

    return rows.select("id", "text", classify("text").alias("answer")).select("id", "text", "answer.*")


def with_distilbert(rows, scores):
    return rows.mapInArrow(scores.score, "id long, text string, label string, score float")


def seconds(rows):
    """All rows are computed; none is written."""
    start = time.monotonic()
    rows.write.format("noop").mode("overwrite").save()
    return time.monotonic() - start


def agreement(one, other):
    """The share of rows with the same label, and the largest difference of the scores of those."""
    one, other = (rows.toPandas().set_index("id").sort_index() for rows in (one, other))
    same = one["label"] == other["label"]
    return same.mean(), (one["score"] - other["score"])[same].abs().max()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--texts", type=Path, help="one text a line (default: the sentences of the golden tests)")
    chosen = parser.parse_args()
    if chosen.texts:
        texts = chosen.texts.read_text(encoding="utf-8").splitlines()
    else:
        sys.path.insert(0, str(GOLDEN))
        from sentences import SENTENCES as texts

    with SparkSession.builder.getOrCreate() as spark, tempfile.TemporaryDirectory() as directory:
        context = spark.sparkContext
        cores = context.defaultParallelism
        for module in (scorer.__file__, __file__):
            context.addPyFile(module)
        write_widened(directory)
        numbered = [(i, texts[i % len(texts)]) for i in range(chosen.rows)]
        rows = spark.createDataFrame(numbered, "id long, text string").repartition(4 * cores).cache()
        engines = {
            "distilbert, `mapInArrow`, int8": with_distilbert(rows, scorer.Scorer("text")),
            "transformers, pandas UDF, fp32": with_transformers(rows, directory),
        }
        same, difference = agreement(*engines.values())  # which warms both
        best = dict.fromkeys(engines, float("inf"))
        for _ in range(chosen.rounds):
            for name, answers in engines.items():
                best[name] = min(best[name], seconds(answers))

    words = sum(len(texts[i % len(texts)].split()) for i in range(chosen.rows)) / chosen.rows
    print(f"{chosen.rows} rows of {words:.0f} words, {cores} cores, best of {chosen.rounds}. "
          f"The same label in {same:.2%} of the rows, scores at most {difference:.3f} apart.\n")
    print("| engine | rows a second | ratio |\n| --- | ---: | ---: |")
    slowest = max(best.values())
    for name, time_of_it in best.items():
        print(f"| {name} | {chosen.rows / time_of_it:.0f} | {slowest / time_of_it:.1f} |")


if __name__ == "__main__":
    import benchmark  # by name, so that Spark sends its functions by reference; scorer.py says why

    benchmark.main()
