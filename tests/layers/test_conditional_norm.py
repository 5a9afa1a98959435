"""Conditional batch normalization against numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.layers.conditional_norm import ConditionalBatchNorm

RNG = np.random.default_rng(0)
X = (3 + 2 * RNG.normal(size=(6, 2, 3, 4))).astype(np.float32)
LABELS = np.asarray([0, 1, 2, 0, 1, 2])
CONDITION = np.eye(3, dtype=np.float32)[LABELS]


def test_every_label_has_a_scale_and_a_shift_of_its_own():
    layer = ConditionalBatchNorm()
    variables = jax.jit(functools.partial(layer.init, train=True))(jax.random.key(0), X, CONDITION)
    train = jax.jit(functools.partial(layer.apply, train=True, mutable=["batch_stats"]))
    mean, variance = X.mean((0, 1, 2)), X.var((0, 1, 2))
    normal = (X - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(train(variables, X, CONDITION)[0], normal, atol=1e-4)

    scale, shift = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    params = {"scale": {"kernel": scale}, "shift": {"kernel": shift}}
    assert jax.tree.structure(params) == jax.tree.structure(variables["params"])
    y, moved = train({**variables, "params": params}, X, CONDITION)
    for example, label in enumerate(LABELS):
        np.testing.assert_allclose(y[example], normal[example] * (1 + scale[label]) + shift[label], atol=1e-4)
    statistics = moved["batch_stats"]["norm"]
    np.testing.assert_allclose(statistics["mean"], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(statistics["var"], 0.9 + 0.1 * variance, rtol=1e-4)

    alone = layer.apply({"params": params, **moved}, X[:1], CONDITION[:1], train=False)
    normal = (X[0] - statistics["mean"]) / np.sqrt(statistics["var"] + 1e-5)
    np.testing.assert_allclose(alone[0], normal * (1 + scale[0]) + shift[0], atol=1e-4)


def test_without_a_condition_it_learns_one_scale_and_shift():
    layer = ConditionalBatchNorm(dtype=jnp.bfloat16)
    variables = jax.eval_shape(lambda key: layer.init(key, X, None, train=True), jax.random.key(0))
    assert variables["params"] == {
        "norm": {name: jax.ShapeDtypeStruct((4,), jnp.float32) for name in ("scale", "bias")}
    }
