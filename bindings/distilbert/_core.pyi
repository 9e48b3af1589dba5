"""The manual of the package. All objects may be used from any number of threads at once; long calls let other threads
run, and stop within about a second of Ctrl-C."""

import os
from collections.abc import Generator, Iterable, Sequence
from typing import Literal, Optional, Protocol, Union, final, overload

import arro3.core
import numpy as np
import numpy.typing as npt

_Path = Union[str, "os.PathLike[str]"]
_Precision = Literal["fp32", "bf16", "int8"]
_Ids = Union[Sequence[int], npt.NDArray[np.integer]]
_Truncation = Literal["longest_first", "only_first", "only_second"]
_Side = Literal["left", "right"]

class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object: ...

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: Optional[object] = None) -> tuple[object, object]: ...

__version__: str

class Error(Exception):
    """What the library refuses or cannot do. str() is a whole sentence."""

    code: str
    """The reason, as ErrorCode names it in C++: "invalid_config", "non_finite_weight", ..."""

class InvalidInputError(Error, ValueError):
    """An argument or a text is at fault."""

class FileMissingError(Error, FileNotFoundError):
    """A file of the model does not exist."""

class OutOfMemoryError(Error, MemoryError):
    """The memory for it cannot be had."""

def isa() -> str:
    """The instruction set whose kernels run: "avx512_bf16", "avx512_vnni", "avx512", "avx2", "neon_dotprod", "neon" or
    "portable". The environment variable DISTILBERT_ISA chooses another than the best."""

def set_isa(isa: str) -> None:
    """Makes all calls that begin from now on, of every model, run on that instruction set. Raises InvalidInputError if
    this CPU lacks it."""

def available_isas() -> list[str]:
    """The instruction sets of this CPU that there are kernels for, best first."""

def set_threads(threads: int) -> None:
    """How many threads a call may use of models loaded from now on, unless from_pretrained() says otherwise. Models
    that are loaded already keep theirs. 0: as many as CPUs that this process may really use."""

@final
class Encoding:
    """One encoded text or pair of texts. All arrays have one row for each token; they are read-only views."""

    @property
    def ids(self) -> npt.NDArray[np.int32]: ...
    @property
    def type_ids(self) -> npt.NDArray[np.int32]:
        """1 for the second text and the [SEP] after it, 0 for the rest."""

    @property
    def offsets(self) -> npt.NDArray[np.uint32]:
        """[n, 2]: text[begin:end] is where the token comes from; 0, 0 for added special tokens."""

    @property
    def word_ids(self) -> npt.NDArray[np.int32]:
        """Which word of its own text; -1 for added special tokens."""

    @property
    def sequence_ids(self) -> npt.NDArray[np.int32]:
        """0: first text, 1: second; -1 for added special tokens."""

    @property
    def special_tokens_mask(self) -> npt.NDArray[np.uint8]:
        """1 for added special tokens."""

    @property
    def truncated(self) -> bool:
        """Tokens of a text are missing here."""

    def __len__(self) -> int: ...

@final
class Tokenizer:
    """Text to token ids and back, exactly as BertTokenizerFast."""

    @staticmethod
    def from_pretrained(
        directory: _Path,
        *,
        invalid_utf8: Literal["refuse", "replace"] = "refuse",
        encode_special_tokens: bool = False,
    ) -> Tokenizer:
        """Reads vocab.txt or tokenizer.json of a model directory. For the options see
        TextClassifier.from_pretrained()."""

    @overload
    def encode(  # type: ignore[overload-overlap]  # a str is an iterable of str, too
        self,
        text: str,
        pair: Optional[str] = None,
        *,
        max_length: Optional[int] = None,
        truncation: _Truncation = "longest_first",
        side: _Side = "right",
        add_special_tokens: bool = True,
    ) -> Encoding:
        """Encodes a text, a pair of texts, or each item (a str, or a tuple of two) of an iterable. max_length counts
        special tokens; None: no limit. `side` is where tokens are cut off."""

    @overload
    def encode(
        self,
        text: Iterable[Union[str, tuple[str, str]]],
        *,
        max_length: Optional[int] = None,
        truncation: _Truncation = "longest_first",
        side: _Side = "right",
        add_special_tokens: bool = True,
    ) -> list[Encoding]: ...
    def encode_windows(
        self,
        text: str,
        pair: Optional[str] = None,
        *,
        max_length: int,
        stride: int = 0,
        truncation: _Truncation = "longest_first",
        side: _Side = "right",
        add_special_tokens: bool = True,
    ) -> list[Encoding]:
        """Encodes all of a text, in as many windows of max_length tokens as it takes, consecutive ones sharing `stride`
        tokens."""

    def decode(self, ids: _Ids, *, skip_special_tokens: bool = True) -> str: ...
    def token(self, id: int) -> str:
        """The token with that id. Raises InvalidInputError for an id outside [0, vocabulary_size)."""

    def id(self, token: str) -> Optional[int]:
        """The id of a token, by its exact text; None if there is no such token."""

    @property
    def vocabulary_size(self) -> int: ...
    @property
    def unk_id(self) -> int: ...
    @property
    def cls_id(self) -> int: ...
    @property
    def sep_id(self) -> int: ...
    @property
    def pad_id(self) -> int: ...
    @property
    def mask_id(self) -> Optional[int]: ...

@final
class Classification:
    """What a TextClassifier says of one text. Can be pickled."""

    @property
    def label(self) -> str:
        """The label of the best score."""

    @property
    def score(self) -> float: ...
    @property
    def scores(self) -> npt.NDArray[np.float32]:
        """[labels], in the order of TextClassifier.labels. As transformers' text-classification pipeline: the bare
        logits of a regression, the sigmoid of each for several labels at once or a single one, else their softmax."""

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """[labels]: what the scores are made of."""

    @property
    def token_count(self) -> int:
        """Tokens that were read, special tokens included."""

    @property
    def truncated(self) -> bool:
        """The text had more tokens than max_length; the rest was not read."""

class _Loaded:
    @property
    def max_length(self) -> int:
        """Tokens of one text, special tokens included, that are read."""

    @property
    def precision(self) -> _Precision: ...
    @property
    def threads(self) -> int:
        """Threads that one call may use."""

    @property
    def memory_bound(self) -> int:
        """The most bytes of activations that one call holds."""

    @property
    def tokenizer(self) -> Tokenizer: ...

@final
class TextClassifier(_Loaded):
    """Sequence classification: DistilBertForSequenceClassification with its tokenizer and labels. A text's scores do
    not depend, to the last bit, on what else is in the call or on the number of threads."""

    @staticmethod
    def from_pretrained(
        directory: _Path,
        precision: Optional[_Precision] = None,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
        max_length: Optional[int] = None,
        *,
        sum_bits: Optional[Literal[16, 32]] = None,
        memory: Literal["map", "copy"] = "map",
        check_finite: bool = False,
        selfcheck: bool = False,
        invalid_utf8: Literal["refuse", "replace"] = "refuse",
        encode_special_tokens: bool = False,
    ) -> TextClassifier:
        """Loads a model directory, converted or as save_pretrained() writes it.

        precision: of the weights; None: a converted model's own, fp32 for any other.
        threads: that one call may use; None: what set_threads() says.
        isa: as set_isa(), for the whole process.
        max_length: tokens of one text above which it is truncated; None: what the model can take.
        sum_bits: bits that sums of int8 products need; 16 is faster on CPUs without VNNI, and less exact.
        memory: "map" starts at once and reads weights from the file's pages; "copy" answers a little faster.
        check_finite: look at every weight for NaN and infinity.
        selfcheck: replay the answer that a converted model carries.
        invalid_utf8: lone surrogates in a text are an error, or ("replace") read as U+FFFD.
        encode_special_tokens: "[SEP]" in a text is text like any other.

        Raises FileMissingError, InvalidInputError, or another Error if the directory holds no such model."""

    @staticmethod
    def default(
        *,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
        max_length: Optional[int] = None,
        memory: Literal["map", "copy"] = "map",
        check_finite: bool = False,
        selfcheck: bool = False,
        invalid_utf8: Literal["refuse", "replace"] = "refuse",
        encode_special_tokens: bool = False,
    ) -> TextClassifier:
        """The model that comes with the package: English sentiment, NEGATIVE or POSITIVE."""

    @overload
    def __call__(self, texts: str, *, progress: bool = False) -> Classification: ...  # type: ignore[overload-overlap]  # a str is an iterable of str, too
    @overload
    def __call__(
        self, texts: Union[Iterable[str], Iterable[tuple[str, str]]], *, progress: bool = False
    ) -> list[Classification]:
        """Classifies a text, each text of an iterable, or each pair of texts of an iterable of tuples, which the model
        reads as one."""

    def logits(
        self, texts: Union[str, Iterable[str], Iterable[_Ids]], *, progress: bool = False
    ) -> npt.NDArray[np.float32]:
        """[n, labels] of texts, or of token ids with special tokens, to which nothing is added."""

    def map(
        self,
        texts: Union[Iterable[str], Iterable[tuple[str, str]]],
        batch_size: Optional[int] = None,
        *,
        progress: bool = False,
    ) -> Generator[Classification, None, None]:
        """Classifies one text after the other of an iterable that may never end, batch_size of them at a time (None:
        256 for each thread), and keeps no more than these. Texts are read when answers are asked for."""

    def map_arrow(
        self,
        data: Union[_ArrowStream, _ArrowArray],
        column: str = "text",
        *,
        label: str = "label",
        score: str = "score",
        scores: Optional[str] = None,
        batch_size: int = 4096,
        progress: bool = False,
    ) -> arro3.core.RecordBatchReader:
        """Classifies a column of an Arrow table, or an Arrow array of texts, that pandas, Polars, DuckDB, pyarrow or
        another library has (pip install "distilbert-cpp[arrow]").

        Gives a stream of its columns, which are not copied, and of new ones, named as said: label (string), score
        (float32) and, if named, scores (fixed_size_list<float32>, in the order of labels). A null text has null
        answers. An array is a table of one column here, named `column`. Texts are string, large_string, string_view,
        or a dictionary of such, of which each is classified once in a batch.

        Any of these libraries reads the stream: pyarrow.table(s), polars.DataFrame(s), pandas.DataFrame.from_arrow(s),
        duckdb.sql("from s"). It can be read once. It reads `data` as it is read itself, and gives batches of at most
        batch_size rows; no more than one lies in memory. What goes wrong then, its reader raises in its own way."""

    @property
    def labels(self) -> list[str]: ...
    @property
    def id2label(self) -> dict[int, str]: ...

@final
class DistilBertModel(_Loaded):
    """The encoder alone."""

    @staticmethod
    def from_pretrained(
        directory: _Path,
        precision: Optional[_Precision] = None,
        threads: Optional[int] = None,
        isa: Optional[str] = None,
        max_length: Optional[int] = None,
        *,
        sum_bits: Optional[Literal[16, 32]] = None,
        memory: Literal["map", "copy"] = "map",
        check_finite: bool = False,
        selfcheck: bool = False,
        invalid_utf8: Literal["refuse", "replace"] = "refuse",
        encode_special_tokens: bool = False,
    ) -> DistilBertModel:
        """As TextClassifier.from_pretrained(); a head that the model may have is left alone."""

    @overload
    def __call__(self, texts: str, *, progress: bool = False) -> npt.NDArray[np.float32]: ...  # type: ignore[overload-overlap]  # a str is an iterable of str, too
    @overload
    def __call__(
        self, texts: Union[Iterable[str], Iterable[_Ids]], *, progress: bool = False
    ) -> list[npt.NDArray[np.float32]]:
        """The last hidden states of each text, [tokens, dim]; of texts, or of token ids with special tokens."""

    def cls(
        self, texts: Union[str, Iterable[str], Iterable[_Ids]], *, progress: bool = False
    ) -> npt.NDArray[np.float32]:
        """Those of each text's first token, [n, dim]."""

    @property
    def dim(self) -> int: ...
