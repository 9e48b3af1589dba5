"""transformers.pipeline, answered by this library: the same calls, the same dictionaries.

>>> from distilbert import pipeline
>>> classifier = pipeline("sentiment-analysis")
>>> classifier("a joy from first to last", top_k=1)
[{'label': 'POSITIVE', 'score': 0.94...}]

bindings/PIPELINES.md lists what is different on purpose.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterator
from typing import Any, Optional

import numpy as np

from . import _core
from .bulk import checked_batch_size

__all__ = ["Pipeline", "pipeline"]

_DEFAULT_MODEL = os.path.join(os.path.dirname(__file__), "models", "sst2")

#: Options of transformers.pipeline that say where, how fast or from which site; no answer depends on them here.
_IGNORED = {"device", "device_map", "dtype", "framework", "num_workers", "revision", "token", "torch_dtype",
            "trust_remote_code", "use_fast"}

#: Options of from_pretrained() but max_length, which is an option of transformers' tokenizers.
_LOADING = {"check_finite", "encode_special_tokens", "invalid_utf8", "isa", "memory", "precision", "selfcheck",
            "sum_bits", "threads"}


def pipeline(task: str, model: Any = None, tokenizer: Any = None, *, batch_size: Optional[int] = None,
             **options: Any) -> Pipeline:
    """What transformers.pipeline(task, model) is, for a model that lies on this machine.

    task        "text-classification" or "sentiment-analysis", "token-classification" or "ner", "question-answering",
                "fill-mask", "feature-extraction", "zero-shot-classification"
    model       a directory, converted or as save_pretrained() writes it, or a model that is loaded already, which cuts
                texts to its own max_length and not to the tokenizer's model_max_length; None stands for the sentiment
                model that comes with the package, for text classification only
    tokenizer   None, or the model's directory, or the tokenizer of a loaded model: a tokenizer comes with its model
    batch_size  how many texts are taken at a time from a generator, 1 by default; the texts of a list are taken at once
    options     defaults for the calls; and the keywords of from_pretrained(), such as threads and precision

    device, device_map, framework, torch_dtype, dtype, num_workers, use_fast, trust_remote_code, revision and token are
    taken and ignored: there is one device and one framework, and no network. So are padding and pad_to_multiple_of,
    wherever the tokenizer of transformers takes them: texts are never padded here.

    Returns a callable: of one input its answer, of a list a list, of a generator a generator. It may be called from any
    number of threads at once. Raises ValueError for an unknown task, TypeError for an unknown option, and
    FileNotFoundError for a directory that is not there: a name on a model hub, for instance.
    """
    try:
        kind = _TASKS[task]
    except (KeyError, TypeError):
        raise ValueError(f"task is {task!r}, possible are {', '.join(map(repr, _TASKS))}") from None
    loading = {name: options.pop(name) for name in _LOADING & options.keys()}
    for name in _IGNORED:
        options.pop(name, None)
    if model is None:
        if kind is not TextClassificationPipeline:
            raise ValueError(f"{task} needs a model: a directory; only for text classification is there a default")
        model = _DEFAULT_MODEL
    if isinstance(model, (str, os.PathLike)):
        if tokenizer is not None and not _same_directory(tokenizer, model):
            raise ValueError(f"the tokenizer is that of the model, {os.fspath(model)!r}; {tokenizer!r} is another one")
        model = _load(kind._MODEL, os.fspath(model), loading)
    elif not isinstance(model, kind._MODEL):
        raise TypeError(f"model: a directory or a {kind._MODEL.__name__} expected, {type(model).__name__} found")
    elif loading:
        raise TypeError(f"the model is loaded already, {', '.join(sorted(loading))} would come too late")
    elif tokenizer is not None and tokenizer is not model.tokenizer:
        raise ValueError(f"the tokenizer is that of the model, model.tokenizer; {tokenizer!r} is another one")
    return kind(task, model, batch_size, options)


def _same_directory(tokenizer, model):
    return isinstance(tokenizer, (str, os.PathLike)) and os.path.realpath(tokenizer) == os.path.realpath(model)


def _load(kind, directory, loading):
    if not os.path.isdir(directory):
        raise FileNotFoundError(f"{directory!r} is not a directory; this library works offline and knows no model hub: "
                                "download the model, and give the directory that it is in")
    if kind is not _core.QuestionAnswerer:  # whose windows may be longer than what the tokenizer's files say
        length = _core.Tokenizer.from_pretrained(directory).model_max_length  # transformers cuts texts to it
        try:
            return kind.from_pretrained(directory, max_length=length or None, **loading)
        except _core.InvalidInputError as error:
            if error.code != "invalid_truncation":  # which says that the model takes less
                raise
    return kind.from_pretrained(directory, **loading)


class Pipeline:
    """A task with its model; see pipeline().

    A subclass says which options there are, in _options(**options): those of a call, checked, under the names that
    _answer(inputs, **options) has for them. Those that were given to pipeline() come first.
    """

    _MODEL: type

    def __init__(self, task, model, batch_size, options):
        self.task = task
        self.model = model
        self.tokenizer = model.tokenizer
        self._batch_size = 1 if batch_size is None else checked_batch_size(batch_size)
        self._defaults = self._options(**options)

    def __call__(self, inputs: Any, *, batch_size: Optional[int] = None, num_workers: Optional[int] = None,
                 **options: Any) -> Any:
        options = {**self._defaults, **self._options(**options)}
        batch_size = self._batch_size if batch_size is None else checked_batch_size(batch_size)
        if isinstance(inputs, list):
            return self._answer(inputs, **options)
        if isinstance(inputs, Iterator):
            return self._stream(inputs, batch_size, options)
        return self._answer([inputs], **options)[0]

    def _stream(self, inputs, batch_size, options):
        while batch := list(itertools.islice(inputs, batch_size)):
            yield from self._answer(batch, **options)

    def _options(self, **options):
        raise NotImplementedError

    def _answer(self, inputs, **options):
        raise NotImplementedError

    def _run(self, texts, **options):
        """The model's answer to texts that are encoded already."""
        try:
            return self.model(texts, **options)
        except _core.InvalidInputError as error:
            if error.code == "text_too_long":
                error.args = (f"{error}; truncation=True, without a larger max_length, cuts it",)
            raise

    def _encode(self, texts, truncation=None, max_length=None, padding=False, add_special_tokens=True):
        """Texts and pairs (tuples) as transformers' tokenizer encodes them."""
        if truncation is None:
            truncation = max_length is not None and padding is False
        if not truncation or truncation == "do_not_truncate":
            return self.tokenizer.encode(texts, add_special_tokens=add_special_tokens)
        return self.tokenizer.encode(texts, add_special_tokens=add_special_tokens,
                                     truncation="longest_first" if truncation is True else truncation,
                                     max_length=self.model.max_length if max_length is None else max_length)


def _tokenizer_options(options):
    options = dict(options)
    options.pop("pad_to_multiple_of", None)
    unknown = options.keys() - {"truncation", "max_length", "padding", "add_special_tokens"}
    if unknown:
        raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
    return options


def _reusable(strings):
    """What an option holds for more than one call."""
    return list(strings) if isinstance(strings, Iterator) else strings


def _sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def _softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


class TextClassificationPipeline(Pipeline):
    """Takes texts and pairs, {"text": ..., "text_pair": ...}, and options:

    top_k              how many labels, None for all: answers then are lists, best first
    function_to_apply  "sigmoid", "softmax" or "none"; by default what suits the model
    return_all_scores  the older form of top_k
    truncation, max_length, add_special_tokens, padding      see transformers' tokenizers
    """

    _MODEL = _core.TextClassifier
    _FUNCTIONS = {"sigmoid": _sigmoid, "softmax": _softmax, "none": lambda logits: logits}

    def __call__(self, inputs, **options):
        answer = super().__call__(inputs, **options)
        return [answer] if isinstance(inputs, str) and "top_k" not in options else answer

    def _options(self, *, top_k="", function_to_apply=None, return_all_scores=None, **tokenizer_options):
        options = _tokenizer_options(tokenizer_options)
        if top_k is None or isinstance(top_k, int):
            options.update(top_k=top_k, ranked=True)
        elif top_k != "":
            raise TypeError(f"top_k: an int or None expected, {type(top_k).__name__} found")
        elif return_all_scores is not None:
            warnings.warn("return_all_scores is deprecated: top_k=None gives all scores, top_k=1 the best",
                          stacklevel=4)
            options.update(top_k=None if return_all_scores else 1)
        if function_to_apply is not None:
            if str(function_to_apply).lower() not in self._FUNCTIONS:
                raise ValueError(f"function_to_apply is {function_to_apply!r}, possible are "
                                 f"{', '.join(map(repr, self._FUNCTIONS))}")
            options.update(function_to_apply=function_to_apply.lower())
        return options

    def _answer(self, inputs, *, top_k=1, ranked=False, function_to_apply=None, **tokenizer_options):
        answers = []
        for said in self._run(self._encode([_text_or_pair(one) for one in inputs], **tokenizer_options)):
            scores = self._FUNCTIONS[function_to_apply](said.logits) if function_to_apply else said.scores
            labels = [{"label": label, "score": score} for label, score in zip(self.model.labels, scores.tolist())]
            if ranked:
                labels = sorted(labels, key=lambda label: -label["score"])[:top_k]
            elif top_k == 1:
                labels = labels[int(scores.argmax())]
            answers.append(labels)
        return answers


def _text_or_pair(one):
    if isinstance(one, dict):
        if "text" not in one or one.keys() - {"text", "text_pair"}:
            raise ValueError(f"the keys are 'text' and, of a pair, 'text_pair'; found are {', '.join(map(repr, one))}")
        return one["text"] if one.get("text_pair") is None else (one["text"], one["text_pair"])
    if isinstance(one, list):
        if len(one) == 1 and isinstance(one[0], list) and len(one[0]) == 2:  # how pairs once were given
            return tuple(one[0])
        raise ValueError("a list inside a list is no text; a pair is {'text': ..., 'text_pair': ...}")
    return one


class FeatureExtractionPipeline(Pipeline):
    """Answers a text with its last hidden state, [1][tokens][dim] as nested lists. Options:

    truncation       as in tokenize_kwargs
    tokenize_kwargs  truncation, max_length, add_special_tokens, padding
    return_tensors   true: numpy arrays, [1, tokens, dim]
    """

    _MODEL = _core.DistilBertModel

    def _options(self, *, truncation=None, tokenize_kwargs=None, return_tensors=None):
        options = _tokenizer_options(tokenize_kwargs or {})
        if truncation is not None:
            if "truncation" in options:
                raise ValueError("truncation is given twice, as an option and in tokenize_kwargs")
            options["truncation"] = truncation
        if return_tensors is not None:
            options["return_tensors"] = return_tensors
        return options

    def _answer(self, inputs, *, return_tensors=False, **tokenizer_options):
        states = self._run([encoding.ids for encoding in self._encode(inputs, **tokenizer_options)])
        return [state[None] if return_tensors else [state.tolist()] for state in states]


class ZeroShotClassificationPipeline(Pipeline):
    """Options:

    candidate_labels     a list, or one string with commas between the labels; may be the second positional argument
    hypothesis_template  by default "This example is {}."
    multi_label          true: each label has a probability of its own
    """

    _MODEL = _core.ZeroShotClassifier

    def __init__(self, task, model, batch_size, options):
        super().__init__(task, model, batch_size, options)
        if model.entailment_id is None:
            warnings.warn("no label of the model begins with \"entail\": its last is taken for it. The scores mean "
                          "little unless the model was trained on natural language inference", stacklevel=3)

    def __call__(self, inputs, candidate_labels=None, **options):
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        return super().__call__(inputs, **options)

    def _options(self, *, candidate_labels=None, **options):
        unknown = options.keys() - {"hypothesis_template", "multi_label"}
        if unknown:
            raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
        if isinstance(candidate_labels, str):
            candidate_labels = [label.strip() for label in candidate_labels.split(",") if label.strip()]
        if candidate_labels is not None:
            options["candidate_labels"] = _reusable(candidate_labels)
        return options

    def _answer(self, inputs, *, candidate_labels=None, hypothesis_template="This example is {}.", multi_label=False):
        if candidate_labels is None:
            raise TypeError("candidate_labels are missing")
        if "" in inputs:
            raise ValueError("an empty text has no class")
        answers = self.model(inputs, candidate_labels, hypothesis_template=hypothesis_template, multi_label=multi_label)
        return [{"sequence": answer.sequence, "labels": answer.labels, "scores": answer.scores}
                for answer in answers]


class TokenClassificationPipeline(Pipeline):
    """Options:

    aggregation_strategy  "none" (the default), "simple", "first", "average" or "max"
    grouped_entities      the older form: true is "simple"
    ignore_labels         by default ["O"]
    stride                a text is read to its end, in windows that share so many tokens
    is_split_into_words   of a call only: each input is a list of words
    delimiter             of a call only: the white space that words are joined by, by default " "
    """

    _MODEL = _core.TokenClassifier

    def __call__(self, inputs, *, is_split_into_words=False, delimiter=None, **options):
        if isinstance(inputs, list) and not inputs:
            raise ValueError("at least one text is needed")
        if is_split_into_words:
            delimiter = " " if delimiter is None else delimiter
            if not str(delimiter).isspace():
                raise ValueError(f"delimiter is {delimiter!r}, white space is possible: words are tokens of their own")
            if isinstance(inputs, Iterator):
                inputs = (_joined(words, delimiter) for words in inputs)
            else:
                several = _is_list(inputs) and any(map(_is_list, inputs))
                inputs = [_joined(words, delimiter) for words in (inputs if several else [inputs])]
        return super().__call__(inputs, **options)

    def _options(self, *, aggregation_strategy=None, grouped_entities=None, ignore_labels=None, stride=None):
        options = {}
        if grouped_entities is not None:
            aggregation_strategy = "simple" if grouped_entities else "none"
            warnings.warn(f"grouped_entities is deprecated: it is aggregation_strategy={aggregation_strategy!r}",
                          stacklevel=4)
        if aggregation_strategy is not None:
            options["aggregation"] = str(aggregation_strategy).lower()
            if options["aggregation"] not in ("none", "simple", "first", "average", "max"):
                raise ValueError(f"aggregation_strategy is {aggregation_strategy!r}, possible are 'none', 'simple', "
                                 "'first', 'average', 'max'")
        if ignore_labels is not None:
            options["ignore_labels"] = _reusable(ignore_labels)
        if stride is not None:
            if stride >= self.model.max_length:
                raise ValueError(f"stride is {stride}, less than max_length, {self.model.max_length}, is possible")
            if options.get("aggregation") == "none":
                raise ValueError("stride needs another aggregation_strategy than 'none'")
            options["stride"] = stride
        return options

    def _answer(self, inputs, *, aggregation="none", **options):
        keys = ["entity", "score", "index", "word", "start", "end"]
        if aggregation != "none":
            keys = ["entity_group", "score", "word", "start", "end"]
        fields = ["label", *keys[1:]]
        return [[{key: getattr(entity, field) for key, field in zip(keys, fields)} for entity in entities]
                for entities in self.model(inputs, aggregation=aggregation, **options)]


def _is_list(words):
    return isinstance(words, (list, tuple))


def _joined(words, delimiter):
    if not _is_list(words) or not all(isinstance(word, str) for word in words):
        raise ValueError("with is_split_into_words=True an input is a list of words, each a str; "
                         "several are a list or a generator of such lists")
    return delimiter.join(words)


class QuestionAnsweringPipeline(Pipeline):
    """Takes question=..., context=... (of which either may be a list), two strings, {"question": ..., "context": ...},
    or a list or a generator of these; and options:

    top_k                     how many answers, 1 by default; where there is one, it stands alone
    doc_stride                tokens of the context that windows share; by default 128, or half of max_seq_len
    max_answer_len            tokens of an answer, 15 by default
    max_seq_len               tokens of a window; by default 384, or less if the tokenizer's files say so or the model
                              takes less
    max_question_len          has no effect, as in transformers with its fast tokenizers
    handle_impossible_answer  "" may be the answer
    align_to_words            true (the default): answers begin and end where words do
    padding                   has no effect
    """

    _MODEL = _core.QuestionAnswerer

    def __call__(self, *inputs, question=None, context=None, **options):
        if not inputs:
            inputs = _questions(question, context)
        elif question is not None or context is not None:
            raise TypeError("question and context are given twice, with and without their names")
        elif len(inputs) == 2 and all(isinstance(text, str) for text in inputs):
            inputs = [{"question": inputs[0], "context": inputs[1]}]
        else:
            inputs = inputs[0] if len(inputs) == 1 else list(inputs)
        return super().__call__(inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else inputs, **options)

    def _options(self, *, top_k=None, doc_stride=None, max_answer_len=None, max_seq_len=None, max_question_len=None,
                 handle_impossible_answer=None, align_to_words=None, padding=None):
        for name, value in (("top_k", top_k), ("max_answer_len", max_answer_len)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, at least 1 is possible")
        if None not in (doc_stride, max_seq_len) and doc_stride > max_seq_len:
            raise ValueError(f"doc_stride is {doc_stride}, at most max_seq_len, {max_seq_len}, is possible")
        options = dict(top_k=top_k, doc_stride=doc_stride, max_answer_len=max_answer_len, max_seq_len=max_seq_len,
                       handle_impossible_answer=handle_impossible_answer, align_to_words=align_to_words)
        return {name: value for name, value in options.items() if value is not None}

    def _answer(self, inputs, **options):
        for one in inputs:
            if not isinstance(one, dict) or one.keys() != {"question", "context"}:
                raise ValueError("question and context, or {'question': ..., 'context': ...}, are needed")
        options.setdefault("max_seq_len", min(384, self.model.max_length, self.tokenizer.model_max_length or 384))
        found = self.model([one["question"] for one in inputs], [one["context"] for one in inputs], **options)
        if options.get("top_k", 1) == 1:
            found = [[answer] if answer else [] for answer in found]
        answers = [[{"score": answer.score, "start": answer.start, "end": answer.end, "answer": answer.text}
                    for answer in one] for one in found]
        return [one[0] if len(one) == 1 else one for one in answers]


def _questions(question, context):
    if isinstance(question, list) and isinstance(context, list) and len(question) != len(context):
        raise ValueError(f"{len(question)} questions, {len(context)} contexts")
    if isinstance(question, list):
        contexts = context if isinstance(context, list) else [context] * len(question)
        return [{"question": one, "context": its} for one, its in zip(question, contexts)]
    return [{"question": question, "context": context}]


class FillMaskPipeline(Pipeline):
    """Answers a text with the best tokens for its mask; of several masks, with a list for each. Options:

    top_k             how many, 5 by default
    targets           the only tokens to look at: a string or a list of them
    tokenizer_kwargs  truncation, max_length, add_special_tokens, padding
    """

    _MODEL = _core.MaskedLM

    def __call__(self, inputs, **options):
        answer = super().__call__(inputs, **options)
        return answer[0] if isinstance(inputs, list) and len(inputs) == 1 else answer

    def _options(self, *, top_k=None, targets=None, tokenizer_kwargs=None):
        options = {}
        if top_k is not None:
            options["top_k"] = top_k
        if targets is not None:
            options["targets"] = [targets] if isinstance(targets, str) else _reusable(targets)
        if tokenizer_kwargs is not None:
            options["tokenizer_kwargs"] = _tokenizer_options(tokenizer_kwargs)
        return options

    def _answer(self, inputs, *, tokenizer_kwargs={}, **options):
        answers = []
        for masks in self._run(self._encode(inputs, **tokenizer_kwargs), **options):
            rows = [[{"score": one.score, "token": one.token, "token_str": one.token_str, "sequence": one.sequence}
                     for one in mask] for mask in masks]
            answers.append(rows[0] if len(rows) == 1 else rows)
        return answers


_TASKS = {
    "feature-extraction": FeatureExtractionPipeline,
    "fill-mask": FillMaskPipeline,
    "ner": TokenClassificationPipeline,
    "question-answering": QuestionAnsweringPipeline,
    "sentiment-analysis": TextClassificationPipeline,
    "text-classification": TextClassificationPipeline,
    "token-classification": TokenClassificationPipeline,
    "zero-shot-classification": ZeroShotClassificationPipeline,
}
