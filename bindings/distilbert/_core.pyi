"""The manual of the package. All objects may be used from any number of threads at once; long calls let other threads
run, and those of the main thread stop within about a second of Ctrl-C, once a text is tokenised (some 15 MB a second).
Results are equal if all their fields are, and may be keys of a dict."""

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
_Aggregation = Literal["none", "simple", "first", "average", "max"]

class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: Optional[object] = None) -> object: ...

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: Optional[object] = None) -> tuple[object, object]: ...

__version__: str

class Error(Exception):
    """What the library refuses or cannot do. str() is a sentence; `code` names the reason, as ErrorCode does in C++."""

    code: str
    """The reason, as ErrorCode names it in C++: "invalid_config", "non_finite_weight", ...; "unknown" of an error that the
    library did not raise."""

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
        side: Optional[_Side] = None,
        add_special_tokens: bool = True,
    ) -> Encoding:
        """Encodes a text, a pair of texts, or each item (a str, or a tuple of two) of an iterable. max_length counts
        special tokens; None: no limit. `side` is where tokens are cut off; None: where the model's files say, on the
        right if they do not."""

    @overload
    def encode(
        self,
        text: Iterable[Union[str, tuple[str, str]]],
        *,
        max_length: Optional[int] = None,
        truncation: _Truncation = "longest_first",
        side: Optional[_Side] = None,
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
        side: Optional[_Side] = None,
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
    def model_max_length(self) -> int:
        """Tokens that the model's files want a text cut to; 0: they do not say."""

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

        precision: of the weights; None: a converted model's own, fp32 for any other. Loading any other in int8 takes a
            moment longer than in fp32, in which it is run over a few texts.
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
    def __call__(  # type: ignore[overload-overlap]  # a str is an iterable of str, too
        self, texts: str, *, stride: Optional[int] = None, progress: bool = False
    ) -> Classification: ...
    @overload
    def __call__(
        self,
        texts: Union[Iterable[str], Iterable[tuple[str, str]], Iterable[Encoding]],
        *,
        stride: Optional[int] = None,
        progress: bool = False,
    ) -> list[Classification]:
        """Classifies a text, each text of an iterable, each pair of texts of an iterable of tuples, which the model
        reads as one, or each of what the tokenizer has encoded, to which nothing is added.

        stride: texts (not pairs) are read to their end, in windows of max_length tokens that share so many; the logits
        are then the mean of the windows', each weighted by the tokens that it is the first to have."""

    def logits(
        self, texts: Union[str, Iterable[str], Iterable[_Ids]], *, progress: bool = False
    ) -> npt.NDArray[np.float32]:
        """[n, labels] of texts, or of token ids with special tokens, to which nothing is added."""

    def map(
        self,
        texts: Union[Iterable[str], Iterable[tuple[str, str]], Iterable[Encoding]],
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

    def inspect(self, text: str) -> Features:
        """One text with all that the model makes of it on the way."""

    @property
    def dim(self) -> int: ...

@final
class Features:
    """One text as the model sees it from inside. All arrays are read-only views."""

    @property
    def ids(self) -> npt.NDArray[np.int32]: ...
    @property
    def tokens(self) -> list[str]: ...
    @property
    def offsets(self) -> npt.NDArray[np.uint32]:
        """[tokens, 2]: text[begin:end] is where the token comes from; 0, 0 for added special tokens."""

    @property
    def truncated(self) -> bool:
        """The text had more tokens than max_length; the rest was not read."""

    @property
    def last_hidden_state(self) -> npt.NDArray[np.float32]:
        """[tokens, dim]"""

    @property
    def hidden_states(self) -> list[npt.NDArray[np.float32]]:
        """[tokens, dim] after the embeddings, and after each layer."""

    @property
    def attentions(self) -> list[npt.NDArray[np.float32]]:
        """[heads, tokens, tokens] of each layer: how much each token (row) attended to each other one."""

@final
class SentenceEmbedder(_Loaded):
    """Sentence embeddings as sentence-transformers makes them: encoder, pooling, normalisation."""

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
        pooling: Optional[Literal["mean", "cls", "max"]] = None,
        normalize: Optional[bool] = None,
        dimensions: Optional[int] = None,
    ) -> SentenceEmbedder:
        """Loads the directory of an encoder, or one of sentence-transformers as it is.

        pooling: None: what the directory says, the mean where it says nothing.
        normalize: True: every vector gets the length 1. False: none does. None: what the directory says.
        dimensions: the first so many values of each vector; None: all.

        For the other options see TextClassifier.from_pretrained(). max_length counts before the directory's own."""

    def __call__(
        self, texts: Union[str, Iterable[str]], *, stride: Optional[int] = None, progress: bool = False
    ) -> npt.NDArray[np.float32]:
        """[dimensions] of a text, [n, dimensions] of an iterable. With a stride texts are read to their end, in windows
        of max_length tokens that share so many; a vector is then made of the windows' mean, weighted by their
        tokens."""

    def map(
        self, texts: Iterable[str], batch_size: Optional[int] = None, *, progress: bool = False
    ) -> Generator[npt.NDArray[np.float32], None, None]:
        """The vector of one text after the other; see TextClassifier.map()."""

    def map_arrow(
        self,
        data: Union[_ArrowStream, _ArrowArray],
        column: str = "text",
        *,
        embedding: str = "embedding",
        batch_size: int = 4096,
        progress: bool = False,
    ) -> arro3.core.RecordBatchReader:
        """The table with a column of vectors, fixed_size_list<float32>[dimensions]; see TextClassifier.map_arrow()."""

    @property
    def dimensions(self) -> int: ...
    @property
    def pooling(self) -> Literal["mean", "cls", "max"]: ...

@final
class Entity:
    """A part of a text and its label. Can be pickled."""

    @property
    def label(self) -> str:
        """Without aggregation as the model has it, else what follows its first "-" if any."""

    @property
    def score(self) -> float: ...
    @property
    def index(self) -> int:
        """Without aggregation: the number of the token, [CLS] being 0."""

    @property
    def word(self) -> str:
        """Its tokens put together."""

    @property
    def start(self) -> int:
        """text[start:end] is where it stands."""

    @property
    def end(self) -> int: ...

@final
class TokenClassifier(_Loaded):
    """Token classification, named entities for instance: DistilBertForTokenClassification with its tokenizer and
    labels."""

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
    ) -> TokenClassifier:
        """As TextClassifier.from_pretrained()."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        texts: str,
        aggregation: _Aggregation = "simple",
        ignore_labels: Sequence[str] = ("O",),
        stride: Optional[int] = None,
        *,
        progress: bool = False,
    ) -> list[Entity]: ...
    @overload
    def __call__(
        self,
        texts: Iterable[str],
        aggregation: _Aggregation = "simple",
        ignore_labels: Sequence[str] = ("O",),
        stride: Optional[int] = None,
        *,
        progress: bool = False,
    ) -> list[list[Entity]]:
        """The entities of a text, or of each text of an iterable, in their order.

        aggregation: what becomes an entity. "none": a token; "simple": neighbouring tokens of one label; "first",
        "average", "max": neighbouring words, which get the label of their first token, of the mean of their tokens'
        scores, or of their surest token.
        ignore_labels: entities with these labels are left out.
        stride: a text is read to its end, in windows of max_length tokens that share so many."""

    @property
    def labels(self) -> list[str]: ...

@final
class Answer:
    """A part of a context that answers a question; "" if handle_impossible_answer finds none. Can be pickled."""

    @property
    def text(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def start(self) -> int:
        """context[start:end] is the text."""

    @property
    def end(self) -> int: ...

@final
class QuestionAnswerer(_Loaded):
    """Extractive question answering: DistilBertForQuestionAnswering with its tokenizer."""

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
    ) -> QuestionAnswerer:
        """As TextClassifier.from_pretrained()."""

    @overload
    def __call__(
        self,
        question: str,
        context: str,
        *,
        doc_stride: Optional[int] = None,
        max_answer_len: int = 15,
        max_seq_len: Optional[int] = None,
        handle_impossible_answer: bool = False,
        align_to_words: bool = True,
        progress: bool = False,
    ) -> Optional[Answer]: ...
    @overload
    def __call__(
        self,
        question: Union[str, Iterable[str]],
        context: Union[str, Iterable[str]],
        top_k: int = 1,
        doc_stride: Optional[int] = None,
        max_answer_len: int = 15,
        max_seq_len: Optional[int] = None,
        handle_impossible_answer: bool = False,
        align_to_words: bool = True,
        *,
        progress: bool = False,
    ) -> Union[Optional[Answer], list[Answer], list[Optional[Answer]], list[list[Answer]]]:
        """The best answer, None if there is no word in the context; for top_k > 1 a list of so many, best first. Of
        several questions, about one context or one each, a list of that.

        doc_stride: tokens that the windows of a long context share; None: 128, or half of max_seq_len if that is less.
        max_answer_len: tokens that an answer may have.
        max_seq_len: tokens of a window, question included; None: 384, or max_length if that is less.
        handle_impossible_answer: "" may be the answer.
        align_to_words: answers begin and end where words do."""

@final
class Prediction:
    """What may stand in the place of a mask. Can be pickled."""

    @property
    def token(self) -> int:
        """Its id."""

    @property
    def token_str(self) -> str: ...
    @property
    def score(self) -> float:
        """Its probability, among all tokens."""

    @property
    def sequence(self) -> str:
        """The text with it; if there are several masks, with the special tokens."""

@final
class MaskedLM(_Loaded):
    """Masked language modelling: DistilBertForMaskedLM with its tokenizer."""

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
    ) -> MaskedLM:
        """As TextClassifier.from_pretrained()."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        texts: str,
        top_k: int = 5,
        targets: Optional[Sequence[str]] = None,
        *,
        progress: bool = False,
    ) -> list[list[Prediction]]: ...
    @overload
    def __call__(
        self,
        texts: Union[Iterable[str], Iterable[Encoding]],
        top_k: int = 5,
        targets: Optional[Sequence[str]] = None,
        *,
        progress: bool = False,
    ) -> list[list[list[Prediction]]]:
        """For each mask of a text, in order, its top_k predictions, best first; of an iterable a list of that. With
        targets only these are looked at: one that is no token stands for its first token."""

@final
class Choice:
    """What a MultipleChoice says of one prompt. Can be pickled."""

    @property
    def best(self) -> int:
        """The choice of the best score."""

    @property
    def scores(self) -> list[float]:
        """The softmax of the logits."""

    @property
    def logits(self) -> list[float]: ...
    @property
    def truncated(self) -> bool:
        """The prompt was too long with one of the choices."""

@final
class MultipleChoice(_Loaded):
    """Multiple choice: DistilBertForMultipleChoice with its tokenizer."""

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
    ) -> MultipleChoice:
        """As TextClassifier.from_pretrained()."""

    def __call__(self, prompt: str, choices: Iterable[str]) -> Choice: ...

@final
class ZeroShot:
    """What a ZeroShotClassifier says of one text. Can be pickled."""

    @property
    def sequence(self) -> str:
        """The text."""

    @property
    def labels(self) -> list[str]:
        """From the likeliest to the least likely."""

    @property
    def scores(self) -> list[float]:
        """Theirs."""

    @property
    def truncated(self) -> bool:
        """The text had more tokens than were left beside one of the hypotheses."""

@final
class ZeroShotClassifier(_Loaded):
    """Classification by labels of the user's own: a model for natural language inference says how far a text entails
    "This example is LABEL."."""

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
    ) -> ZeroShotClassifier:
        """As TextClassifier.from_pretrained()."""
    @property
    def entailment_id(self) -> Optional[int]:
        """The id of the label that stands for entailment: the first in label2id whose name begins with "entail", in
        upper or lower case. None: there is no such label, the last is taken, and the scores mean little unless that is
        right."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self,
        texts: str,
        labels: Sequence[str],
        hypothesis_template: str = "This example is {}.",
        multi_label: bool = False,
        *,
        progress: bool = False,
    ) -> ZeroShot: ...
    @overload
    def __call__(
        self,
        texts: Iterable[str],
        labels: Sequence[str],
        hypothesis_template: str = "This example is {}.",
        multi_label: bool = False,
        *,
        progress: bool = False,
    ) -> list[ZeroShot]:
        """multi_label: each label is judged by itself; else one label is right, and the scores add up to 1."""

@final
class Conversion:
    """What convert() did. Can be pickled."""

    @property
    def precision(self) -> _Precision: ...
    @property
    def source_bytes(self) -> int:
        """Of the source's model.safetensors."""

    @property
    def bytes(self) -> int:
        """Of the target's."""

    @property
    def seconds(self) -> float: ...
    @property
    def largest_change(self) -> float:
        """How far rounding moved an answer: the largest change of a logit of one text, or of the first hidden states of
        [CLS] for models that do not classify texts."""

def convert(
    source: _Path,
    target: _Path,
    precision: _Precision = "int8",
    *,
    sum_bits: Literal[16, 32] = 32,
    rounding: Literal["calibrated", "nearest"] = "calibrated",
    force: bool = False,
    progress: bool = False,
) -> Conversion:
    """Turns a model directory, as save_pretrained() writes it, into one that is smaller (unless precision is "fp32")
    and starts at once: what distilbert-convert does. The settings of sentence-transformers in it are kept.

    target: made if it does not exist. It appears whole or not at all, also when Ctrl-C stops the call.
    sum_bits: 16 makes int8 faster on CPUs without VNNI, and less exact.
    rounding: of int8, by what enters the layers for a few short texts of random word pieces, or each weight to the
        nearest step. (Loading with precision="int8" does something of both: it evens out what enters the layers, then
        takes the nearest steps.) Weights that lie on steps of int8 already stay there.
    force: replace the model that target holds.

    Raises FileExistsError without `force` if target holds a model, OSError where it cannot be written, and Error if
    source holds no model that the library runs, or one that is converted already."""
