"""DistilBERT on CPUs: exact, fast and small, without PyTorch.

>>> import distilbert
>>> classifier = distilbert.TextClassifier.default()
>>> classifier("a joy from first to last").label
'POSITIVE'

help() of a class or a method is its manual, distilbert.pipeline() what transformers.pipeline() is.
"""

from . import bulk as _bulk  # adds map() and map_arrow()
from ._core import (
    Answer,
    Choice,
    Classification,
    Conversion,
    DistilBertModel,
    Encoding,
    Entity,
    Error,
    Features,
    FileMissingError,
    InvalidInputError,
    MaskedLM,
    MultipleChoice,
    OutOfMemoryError,
    Prediction,
    QuestionAnswerer,
    SentenceEmbedder,
    TextClassifier,
    TokenClassifier,
    Tokenizer,
    ZeroShot,
    ZeroShotClassifier,
    __version__,
    available_isas,
    convert,
    isa,
    set_isa,
    set_threads,
)
from .pipelines import Pipeline, pipeline

__all__ = [
    "Answer",
    "Choice",
    "Classification",
    "Conversion",
    "DistilBertModel",
    "Encoding",
    "Entity",
    "Error",
    "Features",
    "FileMissingError",
    "InvalidInputError",
    "MaskedLM",
    "MultipleChoice",
    "OutOfMemoryError",
    "Pipeline",
    "Prediction",
    "QuestionAnswerer",
    "SentenceEmbedder",
    "TextClassifier",
    "TokenClassifier",
    "Tokenizer",
    "ZeroShot",
    "ZeroShotClassifier",
    "__version__",
    "available_isas",
    "convert",
    "isa",
    "pipeline",
    "set_isa",
    "set_threads",
]


def _restore(cls, state):
    """An answer from its pickle."""
    return cls._from_state(state)


for _name in __all__:
    if _name[0].isupper():
        globals()[_name].__module__ = __name__  # where users, pickles and messages find them
del _name
