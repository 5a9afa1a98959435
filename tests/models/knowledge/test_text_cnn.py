"""The text CNN against windows taken one by one, in float64."""

import jax
import numpy as np
import pytest

from jaxgen.models.knowledge.text_cnn import TextCNN


@pytest.fixture(scope="module")
def network():
    """A small network with biases that are not zero, and its parameters as NumPy arrays."""
    module = TextCNN(11, classes=3, embedding=4, widths=(2, 3), features=5)
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), np.zeros((1, 6), np.int32), train=False))
    rng = np.random.default_rng(0)
    return module, jax.tree.map(lambda x: rng.normal(size=x.shape), variables)


def one_by_one(params, sentence):
    """Kim's network on a sentence of words: the maximum over all windows that hold at least one of them."""
    maxima = []
    words = params["Embed_0"]["embedding"][sentence]
    for width in (2, 3):
        kernel, bias = params[f"width_{width}"]["kernel"], params[f"width_{width}"]["bias"]
        padded = np.concatenate([np.zeros((width - 1, 4)), words, np.zeros((width - 1, 4))])
        windows = [padded[start : start + width] for start in range(len(words) + width - 1)]
        maxima.append(np.max([np.maximum(np.tensordot(w, kernel, 2) + bias, 0) for w in windows], axis=0))
    return np.concatenate(maxima) @ params["output"]["kernel"] + params["output"]["bias"]


def test_it_is_kims_network_however_far_sentences_are_padded(network, x64):
    module, variables = network
    sentences = [[3], [5, 1, 9, 2], [7, 7, 8, 2, 1, 10]]
    for length in (6, 11):
        tokens = np.array([s + [0] * (length - len(s)) for s in sentences])
        found = jax.jit(lambda x: module.apply(variables, x, train=False))(tokens)
        expected = [one_by_one(variables["params"], s) for s in sentences]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_training_drops_maxima_by_its_key(network):
    module, variables = network
    tokens = np.array([[5, 1, 9, 2]])
    still = jax.jit(lambda: module.apply(variables, tokens, train=False))()

    @jax.jit
    @jax.vmap
    def draw(key):
        return module.apply(variables, tokens, train=True, rngs={"dropout": key})

    draws = draw(jax.random.split(jax.random.key(0), 400))
    assert np.std(draws, axis=0).min() > 0.1
    standard_error = np.std(draws, axis=0) / 20
    np.testing.assert_allclose(np.mean(draws, axis=0), still, atol=4 * standard_error.max())
