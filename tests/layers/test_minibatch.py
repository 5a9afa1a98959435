"""What is said of a batch, against loops over its pairs, and that it does not depend on their order."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.layers.minibatch import MinibatchDiscrimination, append_standard_deviation

RNG = np.random.default_rng(0)
ORDER = np.asarray([2, 0, 3, 1])


def check(function, x, mate):
    """The result follows a permutation of the batch, and another example in it changes the first one's."""
    y = function(x)
    np.testing.assert_allclose(function(x[ORDER]), y[ORDER], atol=1e-5)
    assert np.abs(function(np.concatenate([x[:-1], mate]))[0] - y[0]).max() > 1e-2
    return y


def test_minibatch_discrimination_is_a_sum_over_pairs():
    x, mate = RNG.normal(size=(4, 6)).astype(np.float32), np.full((1, 6), 2.0, np.float32)
    layer = MinibatchDiscrimination(features=3, size=2)
    kernel = RNG.normal(size=(6, 6)).astype(np.float32) / 4
    function = jax.jit(functools.partial(layer.apply, {"params": {"kernel": kernel}}))
    y = check(function, x, mate)
    np.testing.assert_array_equal(y[:, :6], x)
    rows = (x @ kernel).reshape(4, 3, 2)
    for i in range(4):
        for b in range(3):
            nearness = sum(np.exp(-np.abs(rows[i, b] - rows[j, b]).sum()) for j in range(4))
            np.testing.assert_allclose(y[i, 6 + b], nearness, rtol=1e-5)
    assert layer.init(jax.random.key(0), x)["params"]["kernel"].shape == (6, 6)


def test_the_standard_deviation_is_averaged_over_channels_and_pixels():
    x, mate = RNG.normal(size=(4, 2, 3, 5)).astype(np.float32), np.full((1, 2, 3, 5), 2.0, np.float32)
    y = check(jax.jit(append_standard_deviation), x, mate)
    np.testing.assert_array_equal(y[..., :5], x)
    deviations = [np.std(x[:, i, j, c]) for i in range(2) for j in range(3) for c in range(5)]
    np.testing.assert_allclose(y[..., 5], np.mean(deviations), rtol=1e-5)


@pytest.mark.parametrize(("batch", "group"), [(8, 4), (7, 4), (3, 4), (6, 1)])
def test_groups_are_neighbours_and_the_last_has_what_is_left(batch, group):
    x = RNG.normal(size=(batch, 2, 3, 5)).astype(np.float32)
    y = jax.jit(functools.partial(append_standard_deviation, group=group))(x)
    for start in range(0, batch, group):
        deviation = np.std(x[start : start + group], 0).mean()
        np.testing.assert_allclose(y[start : start + group, ..., 5], deviation, rtol=1e-4, atol=1.1e-4)


@pytest.mark.parametrize("group", [None, 4])
def test_a_shared_batch_has_the_deviation_of_the_whole(group):
    """Not that of each device's part; and groups that lie within devices need no word between them."""
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    along = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    x = RNG.normal(size=(16, 2, 2, 3)).astype(np.float32) * np.arange(1, 17)[:, None, None, None]
    function = jax.jit(
        functools.partial(append_standard_deviation, group=group), in_shardings=along, out_shardings=along
    )
    np.testing.assert_allclose(function(x), append_standard_deviation(x, group), rtol=1e-5)
    text = function.lower(x).compile().as_text()
    assert ("all-reduce" in text) == (group is None)
    assert "all-gather" not in text


class Judge(nn.Module):
    look: Callable

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.relu(nn.Dense(16)(self.look(x))))[:, 0]


@pytest.mark.quick("standard deviation")
@pytest.mark.parametrize(
    ("look", "right"),
    [
        (lambda x: x, (0.4, 0.6)),
        (lambda x: MinibatchDiscrimination(features=4, size=4)(x), (0.99, 1.0)),
        (lambda x: append_standard_deviation(x[:, None, None])[:, 0, 0], (0.99, 1.0)),
    ],
    ids=["points alone", "minibatch discrimination", "standard deviation"],
)
def test_only_who_sees_the_batch_tells_a_collapsed_generator_from_data(look, right):
    """Data are -1 and 1 alike; a generated batch is one of them throughout."""

    def draw(key):
        keys = jax.random.split(key)
        collapsed = jax.random.rademacher(keys[1], (1, 1), float)
        return jax.random.rademacher(keys[0], (16, 1), float), jnp.broadcast_to(collapsed, (16, 1))

    judge, adam = Judge(look), optax.adam(0.01)
    params = judge.init(jax.random.key(0), jnp.ones((16, 1)))

    def step(carry, key):
        params, moments = carry
        real, fake = draw(key)
        gradient = jax.grad(
            lambda p: jnp.mean(nn.softplus(-judge.apply(p, real))) + jnp.mean(nn.softplus(judge.apply(p, fake)))
        )(params)
        updates, moments = adam.update(gradient, moments)
        return (optax.apply_updates(params, updates), moments), None

    keys = jax.random.split(jax.random.key(1), 500)
    (params, _), _ = jax.jit(lambda c: jax.lax.scan(step, c, keys))((params, adam.init(params)))
    scores = jax.vmap(lambda key: jnp.stack([judge.apply(params, x) for x in draw(key)]))(
        jax.random.split(jax.random.key(2), 64)
    )
    assert right[0] <= float(((scores > 0) == jnp.array([True, False])[:, None]).mean()) <= right[1]


def test_the_gradient_is_finite_where_a_generator_has_collapsed():
    same = np.ones((4, 2, 2, 3), np.float32)
    gradient = jax.jit(jax.grad(lambda x: append_standard_deviation(x).sum()))(same)
    assert np.isfinite(gradient).all()
