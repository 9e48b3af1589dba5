"""What runs in the Python workers of Spark's executors: a model, and the function that DataFrame.mapInArrow calls.

A module of its own, because Spark sends the functions of a main program by value, and a value has no place where a
model could stay from one task to the next. score.py sends this file to the executors.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import distilbert
import pyarrow as pa
from pyspark import SparkFiles

SCORES = pa.map_(pa.string(), pa.float32())


def model_directory(archive):
    """Where Spark unpacked the archive of that name: the folder with config.json, at its top or one below."""
    root = Path(SparkFiles.get(archive))
    for config in [root / "config.json", *sorted(root.glob("*/config.json"))]:
        if config.is_file():
            return config.parent
    raise FileNotFoundError("the archive of the model holds no config.json, neither at its top nor one folder below")


@functools.lru_cache(maxsize=1)
def load(archive, **options):
    """The model of that archive, or of the wheel for None; loaded by the first task of the process that asks."""
    if archive is None:
        return distilbert.TextClassifier.default(**options)
    return distilbert.TextClassifier.from_pretrained(model_directory(archive), **options)


def decode(text, invalid_utf8):
    """A text from its bytes, of which Spark promises UTF-8 but checks nothing."""
    if text is None:
        return None
    try:
        return text.decode("utf-8", "replace" if invalid_utf8 == "replace" else "strict")
    except UnicodeDecodeError as error:
        if invalid_utf8 == "null":
            return None
        raise ValueError(f"a text is not valid UTF-8 ({error.reason} at byte {error.start}): {text[:60]!r}; "
                         "--invalid-utf8 replace or null lets it pass") from None


@dataclass(frozen=True)
class Scorer:
    """Adds label, score and, if asked for, scores to batches of rows.

    `score` is for DataFrame.mapInArrow. A null text gets nulls; an empty one is a text like any other.
    """

    column: str
    prefix: str = ""
    scores: bool = False  # also the scores of all labels
    invalid_utf8: str = "replace"  # or "null", or "refuse"
    archive: Optional[str] = None  # None: the model of the wheel
    max_length: Optional[int] = None
    threads: int = 1

    def load(self):
        return load(self.archive, threads=self.threads, max_length=self.max_length)

    def score(self, batches):
        classifier = self.load()
        for batch in batches:
            yield self.answer(batch, classifier)

    def answer(self, batch, classifier):
        column = batch.column(batch.schema.get_field_index(self.column)).cast(pa.large_binary())
        texts = [decode(text, self.invalid_utf8) for text in column.to_pylist()]
        answers = iter(classifier([text for text in texts if text is not None]))
        answers = [None if text is None else next(answers) for text in texts]

        def added(value, kind):
            return pa.array([None if answer is None else value(answer) for answer in answers], kind)

        new = {"label": added(lambda answer: answer.label, pa.string()),
               "score": added(lambda answer: answer.score, pa.float32())}
        if self.scores:
            labels = classifier.labels
            new["scores"] = added(lambda answer: list(zip(labels, answer.scores.tolist())), SCORES)
        names = [*batch.schema.names, *(self.prefix + name for name in new)]
        return pa.RecordBatch.from_arrays([*batch.columns, *new.values()], names=names)
