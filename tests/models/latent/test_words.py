"""Encoder to words and back: shapes, and noise in training alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.models.latent.words import WordDecoder, WordEncoder

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (5, 8, 6, 1))


@pytest.fixture(scope="module")
def encoder():
    module = WordEncoder((3, 4), 2, (16,), noise=0.3)
    return module, module.init(KEY, X)


def test_shapes(encoder):
    module, variables = encoder
    z = module.apply(variables, X)
    assert z.shape == (5, 3, 4, 2)
    decoder = WordDecoder((8, 6, 1), (16,), outputs=2)
    assert decoder.init_with_output(KEY, z)[0].shape == (5, 8, 6, 1, 2)


def test_every_word_sees_the_whole_image(encoder):
    module, variables = encoder
    slopes = jax.jacobian(lambda x: module.apply(variables, x[None])[0])(X[0])
    assert np.all(np.any(slopes != 0, axis=2).mean(axis=(2, 3, 4)) > 0.9)


def test_training_sees_noise_and_evaluation_none(encoder):
    module, variables = encoder
    plain = module.apply(variables, X)
    noised = module.apply(variables, X, train=True, rngs={"noise": KEY})
    key = module.bind(variables, rngs={"noise": KEY}).make_rng("noise")
    by_hand = module.apply(variables, X + 0.3 * jax.random.normal(key, X.shape))
    assert jnp.max(jnp.abs(noised - plain)) > 0.05
    np.testing.assert_allclose(noised, by_hand, rtol=1e-5, atol=1e-6)
