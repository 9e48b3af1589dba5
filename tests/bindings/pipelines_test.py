"""distilbert.pipeline against transformers.pipeline: every call of tests/tasks/golden/calls.py."""

import builtins
import copy
import json
import shutil
import types

import numpy as np
import pytest
from golden import TOLERANCE, difference, model, read

import distilbert
from distilbert import pipeline

ANSWERED = read("pipelines.json")["calls"]
BEYOND_THE_VOCABULARY = 4001  # words asked for of 4000: answered here
RAISING = [
    call for call in read("pipeline_errors.json")["calls"] if call["kwargs"].get("top_k") != BEYOND_THE_VOCABULARY
]
TEXT = "The film is slow at first, but its last hour is a quiet wonder."
TASKS = {
    "text-classification": "distilbert_sentiment",
    "sentiment-analysis": "distilbert_sentiment",
    "feature-extraction": "distilbert_encoder",
    "token-classification": "distilbert_ner",
    "ner": "distilbert_ner",
    "question-answering": "distilbert_qa",
    "fill-mask": "distilbert_mlm",
    "zero-shot-classification": "distilbert_nli",
}


def names(calls):
    return [f"{i}-{call['task']}-{call['model']}" for i, call in enumerate(calls)]


def ask(call):
    pipe = pipeline(call["task"], model=model(call["model"]), threads=1, **copy.deepcopy(call["init"]))
    return pipe(*copy.deepcopy(call["args"]), **copy.deepcopy(call["kwargs"]))


@pytest.mark.parametrize("call", ANSWERED, ids=names(ANSWERED))
def test_answers(call):
    assert difference(ask(call), call["result"]) == ""


# What is different on purpose: bindings/PIPELINES.md.
CLEARER = {
    "KeyError": (ValueError,),  # an unknown task or word, a missing key: with a sentence
    "RuntimeError": (ValueError,),  # of PyTorch: too long a text
    "PanicException": (ValueError,),  # of tokenizers: a stride that leaves no room
    "PipelineException": (ValueError,),  # no mask in the text
    "Exception": (ValueError,),  # of tokenizers: a question that leaves no room
}


@pytest.mark.parametrize("call", RAISING, ids=names(RAISING))
def test_what_is_refused(call):
    expected = CLEARER.get(call["raises"]) or (getattr(builtins, call["raises"]),)
    if call["raises"] in ("ValueError", "TypeError"):
        expected = (ValueError, TypeError)  # transformers has either for an input of the wrong type
    with pytest.raises(expected) as caught:
        ask(call)
    assert len(str(caught.value)) > 10, caught.value


def test_top_k_beyond_the_vocabulary():
    words = pipeline("fill-mask", model("distilbert_mlm"))("a [MASK]", top_k=BEYOND_THE_VOCABULARY)
    assert len(words) == 4000


@pytest.mark.parametrize("task", TASKS)
def test_generators(task):
    pipe = pipeline(task, model(TASKS[task]), batch_size=2)
    inputs = ["Maria is in Paris. [MASK]", "a", "The cat [MASK]"]
    options = {}
    if task == "question-answering":
        inputs = [{"question": "Who?", "context": text} for text in inputs]
    if task == "zero-shot-classification":
        options = {"candidate_labels": ["film", "cat"]}
    if task == "fill-mask":
        inputs[1] = "[MASK]"
    taken = []

    def source():
        for one in inputs:
            taken.append(one)
            yield one

    answers = pipe(source(), **options)
    assert isinstance(answers, types.GeneratorType)
    next(answers)
    assert len(taken) == 2
    answers = list(pipe(source(), **options))
    assert difference(answers, pipe(inputs, **options)) == ""


def words_of(*texts):
    return [text.split() for text in texts]


def test_words():
    pipe = pipeline("ner", model("distilbert_ner"))
    texts = ["Maria lives in Oxford", "Smith too"]
    expected = pipe(texts)
    assert all(expected)
    lists = words_of(*texts)
    assert pipe(lists, is_split_into_words=True) == expected
    assert pipe(lists[0], is_split_into_words=True) == expected[:1]
    assert pipe(tuple(lists[0]), is_split_into_words=True, delimiter=None) == expected[:1]
    with pytest.raises(ValueError, match="white space is possible"):
        pipe(lists, is_split_into_words=True, delimiter=1)


def test_words_of_a_generator():
    pipe = pipeline("ner", model("distilbert_ner"))
    texts = ["Maria lives in Oxford", "Smith too", "Anna"]
    source = iter(words_of(*texts))
    answers = pipe(source, is_split_into_words=True, batch_size=2)
    assert isinstance(answers, types.GeneratorType)
    first = next(answers)
    assert list(source) == words_of(texts[2])  # two were taken
    assert [first, *answers] == pipe(texts[:2])


@pytest.mark.parametrize("inputs", ["Maria", None, 7, [None], ["Maria", 7], [["Maria"], "Smith"], [["Maria"], [7]]])
def test_what_is_no_list_of_words(inputs):
    pipe = pipeline("ner", model("distilbert_ner"))
    with pytest.raises(ValueError, match="a list of words"):
        pipe(inputs, is_split_into_words=True)
    with pytest.raises(ValueError, match="a list of words"):
        list(pipe(iter([inputs, "Maria"]), is_split_into_words=True))


@pytest.mark.parametrize("task, option, values, text", [
    ("zero-shot-classification", "candidate_labels", ["film", "cat"], TEXT),
    ("fill-mask", "targets", ["good", "bad"], "a [MASK] film"),
    ("ner", "ignore_labels", ["B-PER", "I-LOC"], TEXT),
])  # fmt: skip
def test_options_from_a_generator_stay(task, option, values, text):
    expected = pipeline(task, model(TASKS[task]), **{option: values})(text)
    pipe = pipeline(task, model(TASKS[task]), **{option: iter(values)})
    assert [pipe(text), pipe(text)] == [expected, expected]
    assert list(pipe(iter([text, text]), **{option: iter(values)})) == [expected, expected]


def test_return_tensors_are_arrays():
    pipe = pipeline("feature-extraction", model("distilbert_encoder"))
    array = pipe(TEXT, return_tensors=True)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, pipe(TEXT))


def test_return_all_scores():
    pipe = pipeline("text-classification", model("distilbert_topics"))
    with pytest.warns(UserWarning, match="return_all_scores is deprecated"):
        all_scores = pipe(TEXT, return_all_scores=True)
    ranked = pipe(TEXT, top_k=None)
    assert [one["label"] for one in all_scores[0]] == pipe.model.labels
    assert sorted(all_scores[0], key=lambda one: -one["score"]) == ranked
    with pytest.warns(UserWarning, match="return_all_scores is deprecated"):
        assert pipe(TEXT, return_all_scores=False) == ranked[:1]


def test_grouped_entities():
    pipe = pipeline("ner", model("distilbert_ner"))
    with pytest.warns(UserWarning, match="grouped_entities is deprecated"):
        assert pipe(TEXT, grouped_entities=True) == pipe(TEXT, aggregation_strategy="simple")


def test_the_model_of_the_package():
    pipe = pipeline("sentiment-analysis")
    assert pipe.task == "sentiment-analysis"
    answers = pipe(["a joy from first to last", "two hours I will not get back"])
    assert [answer["label"] for answer in answers] == ["POSITIVE", "NEGATIVE"]
    for task in TASKS.keys() - {"sentiment-analysis", "text-classification"}:
        with pytest.raises(ValueError, match="needs a model"):
            pipeline(task)


def test_a_loaded_model():
    classifier = distilbert.TextClassifier.from_pretrained(model("distilbert_topics"))
    pipe = pipeline("text-classification", classifier)
    assert pipe.model is classifier
    assert abs(pipe(TEXT)[0]["score"] - classifier(TEXT).score) < TOLERANCE
    with pytest.raises(TypeError, match="TokenClassifier expected, TextClassifier found"):
        pipeline("ner", classifier)
    with pytest.raises(TypeError, match="threads would come too late"):
        pipeline("text-classification", classifier, threads=1)


def with_length(key, length, directory):
    """The model with another model_max_length in its tokenizer's files."""
    shutil.copytree(model(key), directory)
    config = json.loads((directory / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps({**config, "model_max_length": length}))
    return directory


def test_windows_may_be_longer_than_the_tokenizers_files_say(tmp_path):
    free = pipeline("question-answering", model("distilbert_qa"))
    pipe = pipeline("question-answering", with_length("distilbert_qa", 64, tmp_path / "qa"))
    asked = {"question": "Who feeds the cat?", "context": "Maria lives in Oxford and feeds the cat. " * 20, "top_k": 3}
    assert pipe(**asked, max_seq_len=100) == free(**asked, max_seq_len=100)
    assert pipe(**asked) == free(**asked, max_seq_len=64) != free(**asked)
    with pytest.raises(ValueError, match="128"):
        pipe(**asked, max_seq_len=129)


@pytest.mark.parametrize("length, taken", [(24, 24), (128, 128), (512, 128), (10**30, 128)])
def test_texts_are_cut_to_what_the_tokenizers_files_say(tmp_path, length, taken):
    pipe = pipeline("sentiment-analysis", with_length("distilbert_sentiment", length, tmp_path / "model"))
    assert pipe.model.max_length == taken
    assert pipe("long " * 200, truncation=True) == pipe("long " * (taken - 2))


def test_a_model_is_loaded_once(monkeypatch):
    kind, loaded = distilbert.pipelines.TokenClassificationPipeline, []

    def load(directory, **options):
        loaded.append(options)
        return distilbert.TokenClassifier.from_pretrained(directory, **options)

    monkeypatch.setattr(kind, "_MODEL", types.SimpleNamespace(from_pretrained=load))
    assert pipeline("ner", model("distilbert_window_ner"), threads=1).model.max_length == 24
    assert len(loaded) == 1


def test_names_of_a_hub():
    for name in ("distilbert/distilbert-base-uncased", "no-such-directory"):
        with pytest.raises(FileNotFoundError, match="works offline"):
            pipeline("ner", name)


def test_the_tokenizer_is_the_models_own():
    directory = model("distilbert_ner")
    assert pipeline("ner", directory, tokenizer=str(directory))("Maria") is not None
    with pytest.raises(ValueError, match="the tokenizer is that of the model"):
        pipeline("ner", directory, tokenizer=model("bert_cased_ner"))
    loaded = distilbert.TokenClassifier.from_pretrained(directory)
    assert pipeline("ner", loaded, tokenizer=loaded.tokenizer).tokenizer is loaded.tokenizer
    for other in (model("bert_cased_ner"), 42, distilbert.Tokenizer.from_pretrained(directory)):
        with pytest.raises(ValueError, match="the tokenizer is that of the model"):
            pipeline("ner", loaded, tokenizer=other)


def test_a_model_without_entailment():
    with pytest.warns(UserWarning, match="natural language inference"):
        pipe = pipeline("zero-shot-classification", model("distilbert_sentiment"))
    assert pipe.model.entailment_id is None
    assert pipe("a", ["b"])["labels"] == ["b"]
    assert pipeline("zero-shot-classification", model("distilbert_nli")).model.entailment_id is not None


def test_sizes_of_batches():
    for size, error in [(0, ValueError), (-1, ValueError), ("a", TypeError), (1.5, TypeError)]:
        with pytest.raises(error):
            pipeline("sentiment-analysis", batch_size=size)
        with pytest.raises(error):
            pipeline("sentiment-analysis")(iter([TEXT]), batch_size=size)


def test_options_that_change_nothing():
    expected = pipeline("sentiment-analysis")(TEXT)
    pipe = pipeline("sentiment-analysis", device=-1, framework="pt", torch_dtype="auto", trust_remote_code=False)
    assert pipe(TEXT, padding=True, batch_size=8, num_workers=2, pad_to_multiple_of=8) == expected


@pytest.mark.parametrize("task", TASKS)
def test_unknown_options(task):
    with pytest.raises(TypeError, match="colour"):
        pipeline(task, model(TASKS[task]), colour="red")
    pipe = pipeline(task, model(TASKS[task]))
    with pytest.raises(TypeError, match="colour"):
        pipe("a", colour="red")


def test_a_text_that_is_too_long_needs_truncation():
    pipe = pipeline("sentiment-analysis", model("distilbert_sentiment"))
    with pytest.raises(ValueError, match="truncation=True") as caught:
        pipe(["short", "long " * 200])
    assert caught.value.code == "text_too_long"
    assert "text 1" in str(caught.value)
    assert len(pipe("long " * 200, truncation=True)) == 1
