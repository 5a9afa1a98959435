"""Normalization of single maps, against NumPy."""

import jax
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.layers.instance_norm import AdaptiveInstanceNorm, InstanceNorm, instance_norm

X = np.random.default_rng(0).normal(2, 3, size=(3, 4, 5, 6)).astype(np.float32)
W = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)
KEY = jax.random.key(0)


def normalized(x):
    mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5)


def test_each_map_on_its_own():
    np.testing.assert_allclose(instance_norm(X), normalized(X), atol=1e-5)
    np.testing.assert_allclose(instance_norm(X[:1]), instance_norm(X)[:1], atol=1e-6)  # no other example matters
    with pytest.raises(UserError, match="1x1 maps leaves zeros"):
        instance_norm(X[:, :1, :1])


def test_what_is_learned_stands_in_the_place_of_what_is_lost():
    params = {"scale": np.arange(6.0, dtype=np.float32), "shift": np.full(6, 2, np.float32)}
    np.testing.assert_allclose(
        InstanceNorm().apply({"params": params}, X), normalized(X) * np.arange(6) + 2, rtol=1e-4, atol=1e-5
    )
    variables = InstanceNorm().init(KEY, X)
    np.testing.assert_allclose(InstanceNorm().apply(variables, X), normalized(X), atol=1e-5)


def test_a_style_s_statistics_are_the_map_s():
    layer = AdaptiveInstanceNorm()
    variables = layer.init(KEY, X, W)
    y = np.asarray(layer.apply(variables, X, W))
    params = jax.tree.map(np.asarray, variables["params"])
    affine = {name: W @ params[name]["kernel"] / np.sqrt(7) + params[name]["bias"] for name in ("scale", "shift")}
    np.testing.assert_allclose(y.mean((1, 2)), affine["shift"], atol=1e-4)
    np.testing.assert_allclose(y.std((1, 2)), np.abs(affine["scale"]), rtol=1e-4)
    np.testing.assert_array_equal(params["scale"]["bias"], 1)
