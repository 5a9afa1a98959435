"""One file, whatever computes it: compiled, op by op, in any batch, or NumPy alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.codec.direct import Direct
from jaxgen.codec.integer_pixelcnn import frequencies, quantize, step
from jaxgen.models.autoregressive.pixelcnn import PixelCNN

LEVELS, SHAPE = 5, (4, 5)
MODEL = PixelCNN(LEVELS, width=8, layers=3, size=3)
X = np.random.default_rng(0).integers(0, LEVELS, (32, *SHAPE)).astype(np.int32)


@pytest.fixture(scope="module")
def variables():
    shapes = jax.eval_shape(lambda: MODEL.init(jax.random.key(0), X[:1, ..., None]))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda p: np.float32(rng.normal(0, 0.2 if p.ndim < 2 else p.shape[0] ** -0.5, p.shape)), shapes)


@pytest.fixture(scope="module")
def integers(variables):
    return quantize(variables["params"], LEVELS, MODEL.size, X)


def test_all_are_integers_and_no_sum_can_overflow(integers):
    for leaf in jax.tree.leaves(integers):
        assert np.issubdtype(leaf.dtype, np.integer)
    for layer in integers.layers:
        largest = 127 * np.abs(layer.kernel.astype(np.int64)).sum(0) * layer.multiplier
        assert largest.max() < 2**31 - 2**24


def test_probabilities_are_the_float_network_s_to_a_hundredth_of_a_bit(variables, integers):
    p = np.asarray(frequencies(integers, X, np), np.float64)
    log_p = np.log2(np.take_along_axis(p / p.sum(-1, keepdims=True), X[..., None], -1))
    logits = np.asarray(MODEL.apply(jax.tree.map(jnp.asarray, variables), X[..., None]))[..., 0, :]
    expected = np.take_along_axis(np.asarray(jax.nn.log_softmax(logits)), X[..., None], -1) / np.log(2)
    assert expected.std() > 0.3
    assert abs((log_p - expected).mean()) < 0.01
    assert np.abs(log_p - expected).max() < 0.2


def test_the_same_integers_come_of_every_program(integers):
    alone = np.asarray(frequencies(integers, X, np))
    compiled = jax.jit(functools.partial(frequencies, integers))
    np.testing.assert_array_equal(compiled(X), alone)
    np.testing.assert_array_equal(frequencies(integers, X), alone)
    np.testing.assert_array_equal(compiled(X[:7]), alone[:7])
    np.testing.assert_array_equal(compiled(X[:1]), alone[:1])


def test_a_file_of_one_program_is_another_s(integers):
    def coder(xp, batch):
        once = functools.partial(step, integers, xp=xp)
        return Direct(once if xp is np else jax.jit(once), np.zeros((batch, *SHAPE), np.int32), np.arange(20), batch)

    symbols = X[:7].ravel()
    words = coder(jnp, 7).encode(symbols)
    np.testing.assert_array_equal(coder(np, 7).encode(symbols), words)
    np.testing.assert_array_equal(coder(np, 7).decode(words, len(symbols)), symbols)
