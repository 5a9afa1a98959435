"""The image pool against a list that is kept in Python."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.methods.adversarial.pool import empty, exchange

SIZE = 5
EXCHANGE = jax.jit(exchange)


def course(batches, batch, seed=0):
    """What went in and what came out, in order: images are their numbers."""
    pool, given, shown = empty(SIZE, jnp.zeros((1,))), [], []
    for index in range(batches):
        fresh = jnp.arange(index * batch, (index + 1) * batch, dtype=jnp.float32)[:, None]
        seen, pool = EXCHANGE(pool, fresh, jax.random.fold_in(jax.random.key(seed), index))
        given += fresh[:, 0].tolist()
        shown += seen[:, 0].tolist()
    return given, shown, sorted(np.asarray(pool.images)[:, 0].tolist())


def test_images_are_neither_lost_nor_doubled():
    """Whatever is shown in the place of a fresh one is gone from the pool: what went in is out, or there."""
    given, shown, kept = course(50, 4)
    assert shown[:SIZE] == given[:SIZE]
    assert sorted(shown[SIZE:] + kept) == sorted(given)  # the first five were shown and kept


def test_half_of_the_time_an_old_one_each_as_likely_as_another():
    given, shown, _ = course(250, 16)
    old = np.array([s != g for g, s in zip(given, shown, strict=True)])[SIZE:]
    assert abs(old.mean() - 0.5) < 4 * 0.5 / np.sqrt(old.size)
    # An image waits for a geometric time: out with probability 1/10 a step.
    waits = np.array([g - s for g, s in zip(given, shown, strict=True) if g != s])
    assert abs(waits.mean() - 10) < 4 * np.sqrt(90 / waits.size)


def test_the_order_is_that_of_the_batch():
    """Within one batch a later image may be exchanged for an earlier one, never the other way round."""
    shown = np.concatenate([course(3, 64, seed)[1][64:] for seed in range(4)])
    given = np.concatenate([np.arange(64, 192)] * 4)
    assert (shown <= given).all()
    assert ((shown < given) & (shown // 64 == given // 64)).any()


def test_no_gradient_passes():
    pool = empty(SIZE, jnp.zeros((1,)))
    gradient = jax.grad(lambda x: exchange(pool, x, jax.random.key(0))[0].sum())(jnp.ones((3, 1)))
    np.testing.assert_array_equal(gradient, 0)
