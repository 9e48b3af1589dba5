"""DistilBertModel: hidden states against numpy."""

import numpy as np
import pytest
import tiny_model

from distilbert import DistilBertModel

TEXTS = ["a very good film", "bad", "the film was not good"]


@pytest.fixture(scope="module")
def model(tiny):
    return DistilBertModel.from_pretrained(tiny)


def test_hidden_states_are_those_of_numpy(model, weights):
    states = model(TEXTS)
    for text, found in zip(TEXTS, states):
        expected = tiny_model.hidden_states(weights, model.tokenizer.encode(text).ids)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_one_text_gives_one_array(model):
    np.testing.assert_array_equal(model("bad"), model(["bad"])[0])
    assert model("bad").shape == (3, tiny_model.DIM) == (3, model.dim)


def test_cls_is_the_first_row(model):
    np.testing.assert_allclose(model.cls(TEXTS), [state[0] for state in model(TEXTS)], rtol=0, atol=2e-5)
    ids = [model.tokenizer.encode(text).ids for text in TEXTS]
    np.testing.assert_array_equal(model.cls(ids), model.cls(TEXTS))
    assert model.cls([]).shape == (0, tiny_model.DIM)


def test_token_ids_are_as_good_as_texts(model):
    ids = [model.tokenizer.encode(text).ids for text in TEXTS]
    for found, expected in zip(model(ids), model(TEXTS)):
        np.testing.assert_array_equal(found, expected)
