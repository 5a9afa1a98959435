"""Drawing from logits that are known: a chain whose every symbol depends on the one before it in the order."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import sampling
from jaxgen.errors import UserError

ORDER = np.array([2, 0, 3, 1, 4])
TABLE = np.random.default_rng(0).normal(0, 2, (5, 4, 4)).astype(np.float32)  # position, symbol before, symbol


def logits(x):
    before = jnp.zeros_like(x).at[:, ORDER[1:]].set(x[:, ORDER[:-1]])
    return jnp.asarray(TABLE)[jnp.arange(5), before]


def step(cache, position, previous):
    at = jnp.asarray(ORDER)[position]
    return cache, jnp.asarray(TABLE)[at, jnp.where(position > 0, previous, 0)]


def by_hand(noise, known=None, adjust=np.asarray):
    """Symbol by symbol in NumPy."""
    x = np.zeros(noise.shape[:2], int)
    for row in range(len(x)):
        before = 0
        for at in ORDER:
            x[row, at] = np.argmax(adjust(TABLE[at, before]) + noise[row, at])
            if known is not None and known[1][at]:
                x[row, at] = known[0][row, at]
            before = x[row, at]
    return x


@functools.cache
def noise():
    return np.random.default_rng(1).gumbel(size=(50, 5, 4)).astype(np.float32)


GIVEN = np.random.default_rng(2).integers(0, 4, (50, 5)).astype(np.int32)
KNOWN = np.array([True, False, False, True, False])  # neither a prompt in this order nor in raster order


@pytest.mark.parametrize("known", [None, (GIVEN, KNOWN)], ids=["free", "filling a hole"])
def test_every_way_is_the_loop_by_hand(known):
    expected = by_hand(noise(), known)

    @jax.jit
    def each(noise):
        return (
            sampling.naive(logits, noise, ORDER, known=known),
            sampling.cached(step, None, noise, ORDER, known=known),
            sampling.jacobi(logits, noise, known=known)[0],
        )

    for x in each(noise()):
        np.testing.assert_array_equal(x, expected)


def test_independent_symbols_take_one_pass_and_one_that_changes_nothing_and_a_chain_at_most_its_length_more():
    passes = {}
    for name, f in {"independent": lambda x: jnp.asarray(TABLE)[:, 0] + 0 * x[..., None], "chain": logits}.items():
        passes[name] = int(sampling.jacobi(f, noise())[1])
    assert passes["independent"] == 2
    assert 2 < passes["chain"] <= 6


def test_what_never_settles_is_stopped():
    x, passes = sampling.fixed_point(lambda x: 1 - x, jnp.zeros(2, jnp.int32), limit=5)
    assert int(passes) == 6
    assert x.shape == (2,)


def test_adjusted_draws_follow_the_adjusted_distribution():
    """Temperature sharpens, top-k and top-p keep the likeliest: their supports and probabilities by hand."""
    p = np.array([0.1, 0.4, 0.2, 0.3])
    log_p = jnp.log(p)

    def after(**settings):
        return np.asarray(jax.nn.softmax(sampling.adjustment(**settings)(log_p)))

    np.testing.assert_allclose(after(), p, rtol=1e-6)
    np.testing.assert_allclose(after(temperature=0.5), p**2 / (p**2).sum(), rtol=1e-6)
    np.testing.assert_allclose(after(top_k=2), [0, 4 / 7, 0, 3 / 7], rtol=1e-6)
    np.testing.assert_allclose(after(top_k=9), p, rtol=1e-6)
    np.testing.assert_allclose(after(top_p=0.35), [0, 1, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(after(top_p=0.75), [0, 4 / 9, 2 / 9, 3 / 9], rtol=1e-6)
    np.testing.assert_allclose(after(top_p=0.95), p, rtol=1e-6)
    np.testing.assert_allclose(after(temperature=0.5, top_p=0.6), [0, 16 / 25, 0, 9 / 25], rtol=1e-6)


def test_the_likeliest_remains_at_a_temperature_near_0():
    x = sampling.jacobi(logits, noise(), adjust=sampling.adjustment(temperature=1e-4))[0]
    np.testing.assert_array_equal(x, by_hand(0 * noise()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"temperature": 0.0}, "temperature is 0.0"), ({"top_k": -1}, "top_k is -1"), ({"top_p": 0.0}, "top_p is 0.0")],
)
def test_settings_that_leave_nothing_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        sampling.adjustment(**settings)
