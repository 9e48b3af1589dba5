"""The protocols' own clients against distilbert-server: tritonclient, openai, huggingface_hub.

Needs the environment of requirements-protocols.txt.
"""

import base64
import json
import os
import sys
import tempfile
from pathlib import Path

import huggingface_hub
import numpy as np
import openai
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

TESTS = Path(os.environ["DISTILBERT_SOURCE_DIR"], "tests")
sys.path += [str(TESTS / "service"), str(TESTS / "bindings")]
import tiny_model
from server_process import ServerProcess

TEXTS = ["a joy from first to last", "two hours I will not get back", "", "caf\u00e9 \u4e2d\u6587 \U0001f389"]
LABELS = [b"POSITIVE", b"NEGATIVE"]


def tiny_embedder(directory):
    """A directory of sentence-transformers, and what it makes of token ids, computed in numpy."""
    weights = tiny_model.random_weights()
    encoder = {name: tensor for name, tensor in weights.items() if "classifier" not in name}
    tiny_model.write(directory, encoder)
    (directory / "modules.json").write_text(json.dumps([
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]))
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling/config.json").write_text(json.dumps({
        "word_embedding_dimension": tiny_model.DIM, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False,
        "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False,
    }))

    def embed(text, dimensions=tiny_model.DIM):
        ids = [2, *map(tiny_model.WORDS.index, text.split()), 3]
        vector = tiny_model.hidden_states(weights, np.array(ids)).mean(0)[:dimensions]
        return vector / np.linalg.norm(vector)

    return embed


def refused(call, *errors):
    """The exception of a call that must fail."""
    try:
        call()
    except errors as error:
        return error
    raise AssertionError("not refused")


def text_input(texts, binary):
    tensor = triton.InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_), binary_data=binary)
    return tensor


def test_triton_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("sst2") and client.is_model_ready("sst2", "1")
    assert not client.is_model_ready("other") and not client.is_model_ready("sst2", "2")
    assert client.get_server_metadata()["name"] == "distilbert-server"
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("sst2")
    assert metadata["versions"] == ["1"] and metadata == client.get_model_metadata("sst2", "1")
    assert {"name": "logits", "datatype": "FP32", "shape": [-1, 2]} in metadata["outputs"]
    for model, version, status in ("other", "", "404"), ("sst2", "2", "501"):
        error = refused(lambda: client.get_model_metadata(model, version), InferenceServerException)
        assert error.status() == status and "there is no such" in error.message()


def test_triton_texts(client):
    """Binary or in JSON, in and out: the same numbers to the last bit."""
    answers = []
    for binary_in in (True, False):
        for binary_out in (None, True, False):
            outputs = None if binary_out is None else [
                triton.InferRequestedOutput(name, binary_data=binary_out)
                for name in ("label", "score", "probabilities", "logits")]
            result = client.infer("sst2", [text_input(TEXTS, binary_in)], outputs=outputs, request_id="id 7")
            assert result.get_response()["id"] == "id 7" and result.get_response()["model_version"] == "1"
            labels = [str(x, "utf-8") if isinstance(x, bytes) else str(x) for x in result.as_numpy("label")]
            answers.append((labels, *(result.as_numpy(name) for name in ("score", "probabilities", "logits"))))
    labels, scores, probabilities, logits = answers[0]
    assert labels[:2] == ["POSITIVE", "NEGATIVE"]
    assert logits.dtype == np.float32 and logits.shape == probabilities.shape == (4, 2) and scores.shape == (4,)
    assert np.array_equal(scores, probabilities.max(1))
    assert np.allclose(probabilities, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), atol=1e-6)
    for other in answers[1:]:
        assert other[0] == labels
        assert all(np.array_equal(a, b) for a, b in zip(other[1:], answers[0][1:]))
    return logits


def test_triton_ids(client):
    """A padded batch of ids: what the texts get."""
    by_text = client.infer("sst2", [text_input(["i love this film", "film"], True)]).as_numpy("logits")
    ids = np.array([[101, 1045, 2293, 2023, 2143, 102], [101, 2143, 102, 0, 0, 0]], np.int64)
    for binary in (True, False):
        inputs = []
        for name, values in ("input_ids", ids), ("attention_mask", (ids != 0).astype(np.int64)):
            inputs.append(triton.InferInput(name, [2, 6], "INT64"))
            inputs[-1].set_data_from_numpy(values, binary_data=binary)
        assert np.array_equal(client.infer("sst2", inputs, model_version="1").as_numpy("logits"), by_text)


def test_triton_classes(client):
    output = triton.InferRequestedOutput("probabilities", class_count=2)
    classes = client.infer("sst2", [text_input(TEXTS[:2], True)], outputs=[output]).as_numpy("probabilities")
    assert classes.shape == (2, 2)
    for row, label in zip(classes, LABELS):
        value, index, name = row[0].split(b":")
        assert name == label and int(index) == LABELS[::-1].index(label) and 0.5 < float(value) <= 1


def test_triton_errors(client):
    wrong = triton.InferInput("text", [1], "FP32")
    wrong.set_data_from_numpy(np.zeros(1, np.float32))
    error = refused(lambda: client.infer("sst2", [wrong]), InferenceServerException)
    assert error.status() == "400" and "BYTES" in error.message()
    error = refused(lambda: client.infer("other", [text_input(["a"], True)]), InferenceServerException)
    assert error.status() == "404"
    gzip = {"request_compression_algorithm": "gzip"}
    error = refused(lambda: client.infer("sst2", [text_input(["a"], True)], **gzip), InferenceServerException)
    assert error.status() == "415"


def test_triton_async(client):
    requests = [client.async_infer("sst2", [text_input([text], True)]) for text in TEXTS * 5]
    logits = np.concatenate([request.get_result().as_numpy("logits") for request in requests])
    assert np.array_equal(logits, np.tile(test_triton_texts(client), (5, 1)))


def test_triton_statistics(client):
    before = client.get_inference_statistics("sst2")["model_stats"][0]
    client.infer("sst2", [text_input(TEXTS, True)])
    after = client.get_inference_statistics()["model_stats"][0]
    assert after["inference_count"] == before["inference_count"] + len(TEXTS)
    assert after["inference_stats"]["success"]["count"] == before["inference_stats"]["success"]["count"] + 1


def test_openai_models(client, name):
    models = list(client.models.list())
    assert [model.id for model in models] == [name] and models[0].object == "model"
    assert client.models.retrieve(name).id == name
    refused(lambda: client.models.retrieve("other"), openai.NotFoundError)


def test_openai_embeddings(client, embed):
    texts = ["a good film", "not very bad", "the film"]
    expected = np.array([embed(text) for text in texts])
    whole = client.embeddings.create(input=texts, model="tiny")
    assert whole.usage.prompt_tokens == whole.usage.total_tokens == 14 and whole.model == "sst2"
    assert [data.index for data in whole.data] == [0, 1, 2]
    vectors = np.array([data.embedding for data in whole.data])
    assert np.allclose(vectors, expected, atol=1e-5)

    floats = client.embeddings.create(input=texts, model="tiny", encoding_format="float")
    assert np.array_equal(np.array([data.embedding for data in floats.data], np.float32), vectors.astype(np.float32))
    coded = client.embeddings.create(input=texts[0], model="tiny", encoding_format="base64").data[0].embedding
    assert np.array_equal(np.frombuffer(base64.b64decode(coded), "<f4"), vectors[0].astype(np.float32))

    ids = [[2, *map(tiny_model.WORDS.index, text.split()), 3] for text in texts]
    for given, wanted in (ids, vectors), (ids[0], vectors[:1]):
        answer = client.embeddings.create(input=given, model="tiny")
        assert np.array_equal(np.array([data.embedding for data in answer.data]), wanted)

    short = client.embeddings.create(input=texts[0], model="any name", dimensions=5, user="somebody")
    assert np.allclose(short.data[0].embedding, embed(texts[0], 5), atol=1e-5)


def test_openai_errors(client):
    error = refused(lambda: client.embeddings.create(input=[], model="tiny"), openai.BadRequestError)
    assert error.type == "invalid_request_error" and "input" in error.message
    assert refused(lambda: client.embeddings.create(input="a", model="tiny", dimensions=999), openai.BadRequestError)
    assert refused(lambda: client.embeddings.create(input=["a"] * 33, model="tiny"), openai.APIStatusError
                   ).status_code == 413


def test_triton_embeddings(client, embed):
    result = client.infer("sst2", [text_input(["a good film", "bad"], True)])
    assert np.allclose(result.as_numpy("embedding"), [embed("a good film"), embed("bad")], atol=1e-5)


def test_hugging_face_classifier(url):
    client = huggingface_hub.InferenceClient(model=url)
    for text, label in zip(TEXTS, LABELS):
        answer = client.text_classification(text)
        best = answer[0] if isinstance(answer, list) else answer
        assert best.label == label.decode() and 0.5 < best.score <= 1


def test_hugging_face_embedder(url, embed):
    client = huggingface_hub.InferenceClient(model=url)
    assert np.allclose(client.feature_extraction("a good film"), [embed("a good film")], atol=1e-5)
    vectors = client.feature_extraction(["a good film", "bad"], normalize=True, truncate=True)
    assert np.allclose(vectors, [embed("a good film"), embed("bad")], atol=1e-5)
    scores = huggingface_hub.InferenceClient(model=url + "/similarity").sentence_similarity(
        "good film", other_sentences=["good film", "bad"])
    assert np.allclose(scores, [1, embed("good film") @ embed("bad")], atol=1e-5)


def main():
    with ServerProcess() as server:
        client = triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=4)
        for test in (test_triton_metadata, test_triton_texts, test_triton_ids, test_triton_classes, test_triton_errors,
                     test_triton_async, test_triton_statistics):
            test(client)
        client.close()
        with openai.OpenAI(base_url=server.url + "/v1", api_key="none") as client:
            test_openai_models(client, "sst2")
            refused(lambda: client.embeddings.create(input="a", model="sst2"), openai.NotFoundError)
        test_hugging_face_classifier(server.url)

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder, "sst2")
        embed = tiny_embedder(directory)
        with ServerProcess(directory) as server:
            with openai.OpenAI(base_url=server.url + "/v1", api_key="none") as client:
                test_openai_models(client, "sst2")
                test_openai_embeddings(client, embed)
                test_openai_errors(client)
            client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
            test_triton_embeddings(client, embed)
            client.close()
            test_hugging_face_embedder(server.url, embed)


if __name__ == "__main__":
    main()
