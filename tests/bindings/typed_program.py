"""A program that uses all of the package; mypy --strict must find nothing in it."""

from typing import Optional

import numpy as np
import numpy.typing as npt

import distilbert


def classify() -> tuple[str, float, int]:
    classifier = distilbert.TextClassifier.default(threads=1)
    answer: distilbert.Classification = classifier("a joy from first to last")
    answers: list[distilbert.Classification] = classifier(["a", "b"], progress=False)
    logits: npt.NDArray[np.float32] = classifier.logits([[101, 102], [101, 2023, 102]])
    scores: dict[str, float] = dict(zip(classifier.labels, answers[0].scores.tolist()))
    for mapped in classifier.map(iter(["a", "b"]), batch_size=1, progress=False):
        answer = mapped
    return answer.label, scores["POSITIVE"] + float(logits[0, 0]), classifier.max_length


def encode(tokenizer: distilbert.Tokenizer) -> Optional[int]:
    encoding: distilbert.Encoding = tokenizer.encode("one", "two", max_length=8)
    windows: list[distilbert.Encoding] = tokenizer.encode_windows("a long text", max_length=4, stride=1)
    text: str = tokenizer.decode(windows[0].ids)
    return tokenizer.id(text) if len(encoding) > 3 else tokenizer.mask_id


def hidden_states(directory: str) -> npt.NDArray[np.float32]:
    model = distilbert.DistilBertModel.from_pretrained(directory, "fp32", memory="copy")
    states: list[npt.NDArray[np.float32]] = model(["a", "b"])
    return np.concatenate([states[0][:1], model.cls("c")])


def heads(directory: str) -> list[str]:
    embedder = distilbert.SentenceEmbedder.from_pretrained(directory, pooling="mean", dimensions=64)
    vectors: npt.NDArray[np.float32] = embedder(["a", "b"], stride=8)
    entities: list[distilbert.Entity] = distilbert.TokenClassifier.from_pretrained(directory)("a", "first")
    best: Optional[distilbert.Answer] = distilbert.QuestionAnswerer.from_pretrained(directory)("who?", "a")
    masks: list[list[distilbert.Prediction]] = distilbert.MaskedLM.from_pretrained(directory)("[MASK]", top_k=2)
    choice: distilbert.Choice = distilbert.MultipleChoice.from_pretrained(directory)("a", ["b", "c"])
    judged: distilbert.ZeroShot = distilbert.ZeroShotClassifier.from_pretrained(directory)("a", ["b", "c"])
    features: distilbert.Features = distilbert.DistilBertModel.from_pretrained(directory).inspect("a")
    words = [entity.word for entity in entities] + [best.text if best else "", masks[0][0].token_str]
    return [*words, *judged.labels, *features.tokens, str(vectors.shape), str(choice.best)]


def pipelines(directory: str) -> list[dict[str, object]]:
    classify: distilbert.Pipeline = distilbert.pipeline("sentiment-analysis")
    answers: list[dict[str, object]] = distilbert.pipeline("ner", directory, threads=1)("a")
    return answers + classify("a", top_k=None)  # type: ignore[no-any-return]


def smaller(directory: str) -> tuple[float, int]:
    report: distilbert.Conversion = distilbert.convert(directory, directory + "-int8", "int8", force=True)
    return report.largest_change, report.bytes


try:
    classify()
except distilbert.Error as error:
    code: str = error.code
