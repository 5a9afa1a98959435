"""Relaxed symbols: frequencies of their corners, the density between them, and what becomes of real ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import special, stats

from jaxgen.core import Net, view_of
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gumbel import certain, gumbel_gan, relaxed
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.sequence import SequenceCritic, SequenceGenerator
from jaxgen.training.step import init_state

KEY, STEP = jax.random.key(0), jnp.zeros((), int)
LOGITS = np.array([0.5, -1.0, 1.5, 0.0], np.float32)


def test_the_largest_is_as_often_each_symbol_as_the_softmax_says():
    many = jnp.broadcast_to(LOGITS, (20_000, 4))
    p = special.softmax(LOGITS.astype(float))
    for hard in (False, True):
        found = np.asarray(relaxed(0.7, straight_through=hard)(many, KEY, STEP))
        counts = np.bincount(found.argmax(-1), minlength=4)
        assert stats.chisquare(counts, 20_000 * p).pvalue > 1e-3
        np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)
    assert set(np.unique(found).round(6)) == {0.0, 1.0}


def test_of_two_symbols_the_relaxed_one_is_logistic_normal_s_kin():
    """log(y0 / y1) times the temperature is a logistic variable around the difference of the logits."""
    tau, logits = 0.4, jnp.broadcast_to(jnp.array([0.3, -0.5]), (5000, 2))
    y = np.asarray(relaxed(lambda step: tau)(logits, KEY, STEP), np.float64)
    inside = (y > 1e-30).all(-1)
    assert inside.mean() > 0.999
    ratio = tau * np.diff(np.log(y[inside, ::-1]), axis=-1)[:, 0]
    assert stats.kstest(ratio, stats.logistic(loc=0.8).cdf).pvalue > 1e-3


def test_straight_through_has_the_relaxed_one_s_gradient():
    w = jnp.array([1.0, 2.0, -1.0, 0.5])
    soft, hard = (jax.grad(lambda x, s=s: relaxed(0.5, straight_through=s)(x, KEY, STEP) @ w)(LOGITS) for s in (0, 1))
    np.testing.assert_allclose(hard, soft, rtol=1e-6)
    assert np.abs(soft).max() > 1e-3


def test_real_symbols_are_relaxed_too_but_stay_what_they_are():
    tokens = np.random.default_rng(0).integers(0, 4, (500, 6))
    found = np.asarray(relaxed(1.0)(jnp.asarray(certain(tokens, 4)), KEY, STEP))
    assert (found.argmax(-1) == tokens).mean() > 0.999
    assert found.min() > 0


def test_samples_are_drawn_with_noise_and_critics_see_the_simplex():
    generator, critic = SequenceGenerator(4, 3, 8), SequenceCritic(4, (1, 2), 4, deviation=True)
    method = gumbel_gan(
        Net(generator, optax.sgd(0.1)), Net(critic, optax.sgd(0.1)), adversarial.non_saturating, prior=normal(2)
    )
    batch = {"logits": jnp.asarray(certain(np.array([[0, 1, 2], [3, 3, 0]] * 4), 4))}
    view = view_of(method, jax.jit(lambda: init_state(method, KEY, batch))())
    latents = {"z": jnp.zeros((3000, 2))}  # one place of the prior: what differs is the noise
    p = special.softmax(np.asarray(view("generator", latents["z"][:1])[0], float), axis=-1)
    found = np.asarray(jax.jit(lambda z: method.latents.decode(view, z, KEY))(latents))
    for place in range(3):
        counts = np.bincount(found[:, place], minlength=4)
        assert stats.chisquare(counts, 3000 * p[place]).pvalue > 1e-3
    accuracy = jax.jit(lambda: method.evaluate(view, batch, KEY)["critic_accuracy"])()
    assert accuracy.shape == (8,)
