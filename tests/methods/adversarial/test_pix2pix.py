"""A target that is one of two values: what each loss makes of it, and where the noise is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxgen.core import Net, view_of
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.pix2pix import gradient_energy, pix2pix
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)
SHAPE = (256, 1, 1, 1)


def batch(key):
    """+1 in seven of ten cases, -1 else, whatever is given."""
    return {"image": jnp.zeros(SHAPE), "target": 2.0 * jax.random.bernoulli(key, 0.7, SHAPE) - 1}


class Noisy(nn.Module):
    """A threshold on noise: it can say +1 and -1, as often as it likes, or anything between throughout."""

    @nn.compact
    def __call__(self, x):
        noise = jax.random.normal(self.make_rng("dropout"), x.shape) if self.has_rng("dropout") else 0 * x
        scale, shift = (self.param(n, nn.initializers.constant(0.5), ()) for n in ("scale", "shift"))
        return jnp.tanh(scale * noise + shift)


class Pair(nn.Module):
    """A critic that in training sees results through noise: two points have no finite ratio."""

    @nn.compact
    def __call__(self, x, y):
        if self.has_rng("noise"):
            y = y + 0.5 * jax.random.normal(self.make_rng("noise"), y.shape)
        h = nn.leaky_relu(nn.Dense(32)(jnp.concatenate([x, y], -1)))
        return nn.Dense(1)(nn.leaky_relu(nn.Dense(32)(h)))[..., 0]


def game(weight):
    nets = (
        Net(Noisy(), optax.adam(0.01, b1=0.5), streams=("dropout",)),
        Net(Pair(), optax.adam(0.02, b1=0.5), streams=("noise",)),
    )
    return pix2pix(*nets, adversarial.non_saturating, weight=weight)


def train(method, steps, only=()):
    if only:
        method = dataclasses.replace(method, phases=tuple(p for p in method.phases if p.name in only))
    state, step = init_state(method, KEY, batch(KEY)), build_step(method)

    def one(state, key):
        return step(state, jax.tree.map(lambda x: x[None], batch(key)), KEY)[0], None

    return jax.jit(lambda s: jax.lax.scan(one, s, jax.random.split(KEY, steps))[0])(state)


@pytest.mark.slow
@pytest.mark.optimized
def test_the_absolute_error_alone_says_the_median_and_the_critic_says_both():
    method = game(1000.0)  # beside which the critic, which stands still, is nothing
    view = view_of(method, train(method, 400, only=("generator",)))
    said = np.asarray(method.latents.decode(view, jnp.zeros((2000, 1, 1, 1)), KEY))
    assert (said > 0.8).mean() > 0.99
    method = game(0.0)
    view = view_of(method, train(method, 1500))
    said = np.asarray(method.latents.decode(view, jnp.zeros((4000, 1, 1, 1)), KEY))
    assert (said > 0).mean() == pytest.approx(0.7, abs=0.06)
    assert (np.abs(said) > 0.5).mean() > 0.6


def test_noise_is_drawn_in_sampling_too():
    method = game(1.0)
    view = view_of(method, init_state(method, KEY, batch(KEY)))
    latents = method.latents.prior(KEY, 256, batch(KEY))
    one, other = (method.latents.decode(view, latents, jax.random.key(i)) for i in range(2))
    assert np.std(one) > 0.1
    assert np.abs(one - other).max() > 0.1


def test_sharpness_by_hand():
    images = np.zeros((2, 4, 4, 1), np.float32)
    images[0, ::2] = 1.0
    np.testing.assert_allclose(gradient_energy(images), [1.0, 0.0])


def test_the_error_is_weighted_and_the_critic_sees_what_was_given():
    method = game(3.0)
    view = view_of(method, init_state(method, KEY, batch(KEY)))
    phase = method.phases[1]
    value, aux = phase.loss(view, batch(KEY), KEY)
    without = game(0.0).phases[1].loss(view, batch(KEY), KEY)[0]
    assert float(value - without) == pytest.approx(3 * float(aux.metrics["l1"]), rel=1e-4)
    other = {**batch(KEY), "image": jnp.ones(SHAPE)}
    assert (
        abs(float(method.phases[0].loss(view, other, KEY)[0] - method.phases[0].loss(view, batch(KEY), KEY)[0])) > 1e-4
    )
