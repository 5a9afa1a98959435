"""Maximum likelihood against counts: a model of pairs learns the data's own frequencies, and draws by them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.models.autoregressive.contract import AutoregressiveModel
from jaxgen.training.step import build_step, init_state


class Table(AutoregressiveModel):
    """Of two symbols: logits of the first, and of the second given the first, each a parameter, for every class."""

    def setup(self):
        zeros = jax.nn.initializers.zeros
        self.first = self.param("first", zeros, (2, self.levels))
        self.second = self.param("second", zeros, (2, self.levels, self.levels))

    def logits(self, x, condition=None):
        return jnp.stack([self.first[condition], self.second[condition, x[:, 0]]], axis=1)


DATA = np.array([[0, 1], [0, 1], [0, 2], [1, 0], [2, 2], [2, 2], [2, 0], [2, 2]], np.int32)
LABEL = np.array([0, 0, 0, 0, 1, 1, 1, 1])


@pytest.fixture(scope="module")
def trained():
    method = maximum_likelihood(
        Net(Table(3), optax.adam(0.3)), event=(2,), levels=3, field="text", classes=2, draw="cached"
    )
    batch = {"text": DATA, "label": LABEL}
    state, step = init_state(method, jax.random.key(0), batch), build_step(method)
    once = jax.tree.map(lambda x: jnp.asarray(x)[None], batch)
    run = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(s, once, jax.random.key(1)), s, None, 200))
    state, metrics = run(state)
    return method, view_of(method, state), batch, metrics


def test_the_optimum_is_the_entropy_of_the_data_in_bits_per_symbol(trained):
    method, view, batch, metrics = trained
    first = 0.75 * np.log2(4 / 3) + 0.25 * np.log2(4)  # of class 0: 0, 0, 0, 1
    given_0 = 2 / 3 * np.log2(3 / 2) + 1 / 3 * np.log2(3)  # then 1, 1, 2
    of_2 = 0.75 * np.log2(4 / 3) + 0.25 * np.log2(4)  # of class 1: always 2, then 2, 2, 0, 2
    expected = ((first + 0.75 * given_0) + of_2) / 2 / 2
    figures = method.evaluate(view, batch, jax.random.key(0))
    assert figures["bits_per_dim"].mean() == pytest.approx(expected, abs=1e-2)
    assert metrics["likelihood/bits_per_dim"][-1] == pytest.approx(expected, abs=1e-2)
    np.testing.assert_allclose(figures["nats"], figures["bits_per_dim"] * 2 * np.log(2), rtol=1e-6)


def test_samples_have_the_frequencies_of_their_class_and_are_functions_of_their_latents(trained):
    method, view, _, _ = trained
    latents = method.latents.prior(jax.random.key(2), 4000, None)
    x = np.asarray(method.latents.decode(view, latents, jax.random.key(3)))
    label = np.asarray(latents["label"])
    assert label.mean() == pytest.approx(0.5, abs=0.04)
    pairs = x[label == 0] @ [3, 1]
    expected = [0, 0.5, 0.25, 0.25, 0, 0, 0, 0, 0]
    np.testing.assert_allclose(np.bincount(pairs, minlength=9) / len(pairs), expected, atol=0.05)
    assert (x[label == 1, 0] == 2).mean() > 0.98
    some = jax.tree.map(lambda leaf: leaf[:10], latents)
    np.testing.assert_array_equal(method.latents.decode(view, some, jax.random.key(4)), x[:10])


def test_both_ways_of_drawing_make_one_sample_and_images_are_from_minus_one_to_one():
    class Chain(AutoregressiveModel):
        def setup(self):
            self.bias = self.param("bias", jax.nn.initializers.normal(1.0), (4,))

        def logits(self, x, condition=None):
            before = jnp.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1]
            return self.bias + before[..., None] * (jnp.arange(4) % 2)

    draws = []
    for draw in ("jacobi", "cached"):
        method = maximum_likelihood(Net(Chain(4)), event=(1, 3, 1), levels=4, draw=draw)
        state = init_state(method, jax.random.key(0), {"image": np.zeros((2, 1, 3, 1), np.uint8)})
        draws.append(np.asarray(method.sample(view_of(method, state), jax.random.key(1), 50)))
    np.testing.assert_array_equal(*draws)
    np.testing.assert_allclose(np.unique(draws[0]), [-1, -1 / 3, 1 / 3, 1], rtol=1e-6)
