"""Lazy regularization against a NumPy Adam, and against the plain sum of which it is a first-order copy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net
from jaxgen.fitting import fit
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import lazy, priors, regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.players import Players

KEY = jax.random.key(0)
DATA = {"x": np.full((8, 1), 1.0, np.float32)}  # and a generator that stays at -1
WEIGHT, EVERY = 0.3, 4


class Nowhere(nn.Module):
    @nn.compact
    def __call__(self, z, *, train):
        return self.param("at", lambda key: -jnp.ones(())) + 0 * z


class Slope(nn.Module):
    """f(x) = psi x, so that R1 is WEIGHT / 2 psi^2 and the Wasserstein game's gradient -2."""

    @nn.compact
    def __call__(self, x, *, train):
        return self.param("psi", lambda key: jnp.asarray(0.5)) * x[:, 0]


def play(optimizer, steps, *, every=EVERY, lazily=True):
    generator, critic = Net(Nowhere(), optax.sgd(0.0)), Net(Slope(), optimizer)
    players, r1 = Players(priors.normal(1)), regularizers.r1(WEIGHT)
    plain = {"critic_regularizers": () if lazily else (r1,)}
    game = gan(generator, critic, adversarial.wasserstein, prior=players.prior, field="x", **plain)
    if lazily:
        game = lazy.lazily(game, players, r1, name="r1", every=every, field="x")
    state, history = fit(game, DATA, steps=steps, key=KEY, batch_size=4)
    return float(state.nets["critic"].params["psi"]), history


def test_updates_are_those_of_an_adam_of_scaled_rate_and_decays():
    rate, b1, b2, c = 0.05, 0.5, 0.9, EVERY / (EVERY + 1)
    psi, history = play(lazy.adam(rate, b1, b2, every=EVERY), 10)
    x, m, v, t = 0.5, 0.0, 0.0, 0
    for step in range(10):
        gradients = [lambda x: -2.0] + ([lambda x: EVERY * WEIGHT * x] if step % EVERY == 0 else [])
        for gradient in gradients:
            t += 1
            m = b1**c * m + (1 - b1**c) * gradient(x)
            v = b2**c * v + (1 - b2**c) * gradient(x) ** 2
            x -= c * rate * (m / (1 - b1 ** (c * t))) / (np.sqrt(v / (1 - b2 ** (c * t))) + 1e-8)
    assert psi == pytest.approx(x, rel=1e-5)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(history["r1/loss"])), [0, 4, 8])


@pytest.mark.slow
def test_the_displacement_is_the_plain_sum_s_to_first_order():
    """Both begin at the same place; in one period of SGD they end apart by the square of the rate."""
    apart = []
    for rate in (0.02, 0.01):
        ends = [play(optax.sgd(rate), EVERY, lazily=lazily)[0] for lazily in (True, False)]
        apart.append(abs(ends[0] - ends[1]))
    assert apart[0] > 1e-6
    assert apart[0] / apart[1] > 3.5
