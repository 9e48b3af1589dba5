"""Seed 004's requests as its users send them, and hostile bodies, over HTTP against the default model."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from server_process import SOURCE, ServerProcess  # noqa: E402

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="session")
def server():
    with ServerProcess() as running:
        yield running


def predictions(server, texts, fields=JSON):
    reply = server.post("/bulk-predict", {"text": texts}, fields=fields)
    assert (reply.status, reply.fields["content-type"]) == (200, "application/json"), reply.body
    return reply.json["predictions"]


def test_the_examples_of_the_class(server):
    """Two texts, two lists of two labels, the likelier first; scores are probabilities."""
    both = predictions(server, ["I hate you.", "I love you."])
    assert [[score["label"] for score in text] for text in both] == [["NEGATIVE", "POSITIVE"], ["POSITIVE", "NEGATIVE"]]
    for text in both:
        assert all(set(score) == {"label", "score"} for score in text)
        assert sum(score["score"] for score in text) == pytest.approx(1, abs=1e-6)
    assert server.get("/health").json == {"status": "healthy"}


def test_the_load_test_sends_no_content_type(server):
    """k6's http.post(url, JSON.stringify(...)): a bare body. http.client, too, adds no type."""
    connection = server.connection()
    connection.putrequest("POST", "/bulk-predict", skip_accept_encoding=True)
    body = b'{"text":["I love you."]}'
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    reply = connection.getresponse()
    assert reply.status == 200
    assert json.loads(reply.read())["predictions"][0][0]["label"] == "POSITIVE"
    connection.close()


def test_a_thousand_texts_and_the_same_bits_alone(server):
    texts = [f"film number {i} is {'bad' if i % 3 else 'good'}" for i in range(1000)]
    together = predictions(server, texts)
    assert len(together) == 1000
    for i in (0, 1, 500, 999):
        assert predictions(server, [texts[i]]) == [together[i]]


TEXTS = ["", " ", "a" * 10_000, "word " * 10_000, "\U0001f389" * 300,
         "\u0645\u0631\u062d\u0628\u0627 \u4e2d\u6587 caf\u00e9", "a\u0000b", "[SEP] [CLS]", "x" * 1_900_000]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:12]))
def test_any_text_is_answered(server, text):
    assert len(predictions(server, [text])[0]) == 2


def test_no_texts(server):
    assert predictions(server, []) == []


@pytest.mark.parametrize("body, status", [
    (b"", 422), (b"  ", 422), (b"{", 422), (b"\xef\xbb\xbf{}", 422), (b'{"text":["a"]} x', 422),
    (b'{"text":["a"]}{}', 422),
    (b'{"text":["a",]}', 422), (b"{'text':['a']}", 422), (b'{"text":["a"]/**/}', 422), (b'{"text":[01]}', 422),
    (b'{"text":[+1]}', 422), (b'{"text":["\\x"]}', 422), (b'{"text":["a', 422), (b'{"text":["\x01"]}', 422),
    ('{"text":["a"]}'.encode("utf-16"), 400), ('{"text":["a"]}'.encode("utf-16-le"), 422),
    (b'{"text":[NaN]}', 400), (b'{"text":["\xff"]}', 400), (b'{"text":["\xc0\xaf"]}', 400),
    (b'{"text":["\xed\xa0\x80"]}', 400), (b'{"text":["\\ud800"]}', 400), (b'{"text":["\\udc00"]}', 400),
    (b'{"text":["a"],"x":1e999}', 400), (b'{"text":["a"],"x":18446744073709551616}', 400),
    (b'{"text":["a"],"x":' + b"9" * 1000 + b"}", 400), (b"[" * 1025 + b"]" * 1025, 400),
    (b"[" * 100_000 + b"]" * 100_000, 400), (b"[" * 100_000, 422),
    (b'{"text":["a"],"text":["b"]}', 422), (b"{}", 422), (b"[]", 422), (b'"a"', 422), (b'{"text":null}', 422),
    (b'{"text":5}', 422), (b'{"text":[1]}', 422), (b'{"text":{}}', 422), (b'{"text":["a",null]}', 422),
    (b'{"text":["a"],"top_k":-1}', 422), (b'{"text":["a"],"timeout_ms":1e300}', 422),
    (b'{"text":[' + b'"a",' * 4096 + b'"a"]}', 413),
], ids=lambda value: ascii(value[:24]) if isinstance(value, bytes) else str(value))
def test_hostile_bodies(server, body, status):
    reply = server.post("/bulk-predict", body, fields=JSON)
    assert reply.status == status, reply.body[:300]
    assert "detail" in reply.json
    if status == 422:
        assert all({"type", "loc", "msg", "input"} <= set(problem) for problem in reply.json["detail"])


def test_as_deep_as_it_may_be(server):
    """Read, and refused for what it is; the reply is too deep for Python's json."""
    reply = server.post("/bulk-predict", b"[" * 1024 + b"]" * 1024, fields=JSON)
    assert reply.status == 422
    assert reply.body.startswith(b'{"detail":[{"type":"model_attributes_type","loc":["body"],')


def test_media_types(server):
    body = '{"text":["a"]}'
    for kind, status in (("application/json; charset=utf-8", 200), ("text/plain", 415),
                         ("application/x-www-form-urlencoded", 415)):
        assert server.post("/bulk-predict", body, fields={"Content-Type": kind}).status == status
    assert server.post("/bulk-predict", body, fields={**JSON, "Content-Encoding": "gzip"}).status == 415


def test_every_form_of_predict(server):
    text = server.post("/predict", {"text": "a joy from first to last"}).json
    assert set(text) == {"text", "sentiment", "confidence", "scores"}
    assert (text["text"], text["sentiment"]) == ("a joy from first to last", "POSITIVE")
    assert text["confidence"] == text["scores"]["positive"] > 0.5
    assert server.post("/predict", {"payload": "dull"}).json == {"Raw Text": "dull", "Categories": "negative"}
    values = server.post("/predict", {"values": ["good", [101, 2919, 102]]})
    assert values.json == {"predictions": ["POSITIVE", "NEGATIVE"]}
    tei = server.post("/predict", {"inputs": "a joy from first to last"}).json
    assert [p["label"] for p in tei] == ["POSITIVE", "NEGATIVE"]
    assert tei[0]["score"] == pytest.approx(text["confidence"], abs=1e-7)


def test_the_examples_of_the_openapi_document(server):
    """Each example of a request gets a 200; the routes of embedders and rerankers say that the model is none."""
    asked = 0
    for family in ("seeds", "classifier", "tei"):
        document = json.loads((SOURCE / f"examples/service/openapi/{family}.json").read_text())
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                for example in content.get("examples", {"": {"value": None}}).values():
                    if "classifier" not in example.get("x-tasks", ["classifier"]):
                        continue
                    reply = server.request(method.upper(), path, example["value"], fields=JSON)
                    foreign = path in ("/rerank", "/embed", "/embed_all", "/similarity")
                    assert reply.status == (424 if foreign else 200), (path, reply.body)
                    asked += 1
    assert asked > 20


def test_tokens_there_and_back(server):
    text = "A caf\u00e9 na\u00efvet\u00e9, unbelievable \U0001f389!"
    tokens = server.post("/tokenize", {"inputs": text}).json[0]
    data = text.encode()
    for token in tokens:
        assert token["special"] == (token["start"] is None)
        if not token["special"]:
            assert token["text"].encode() == data[token["start"]:token["stop"]]
    ids = [token["id"] for token in tokens]
    assert server.post("/decode", {"ids": ids}).json == ["a cafe naivete, unbelievable!"]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider", "--durations=5", *sys.argv[1:]]))
