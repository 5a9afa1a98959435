"""Self-attention against a loop over pixels in numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.layers.attention import SelfAttention
from jaxgen.layers.conv import Conv

X = np.random.default_rng(0).normal(size=(2, 4, 6, 16)).astype(np.float32)


def attend(x, params):
    """Of one image, pixel by pixel."""
    kernels = {name: np.asarray(params[name]["kernel"][0, 0], np.float64) for name in params if name != "gamma"}
    pooled = {}
    for name in ("key", "value"):
        y = x @ kernels[name]
        pooled[name] = [y[i : i + 2, j : j + 2].max((0, 1)) for i in range(0, 4, 2) for j in range(0, 6, 2)]
    out = np.empty_like(x)
    for i in range(4):
        for j in range(6):
            weights = np.exp([x[i, j] @ kernels["query"] @ key for key in pooled["key"]])
            mixed = sum(w * value for w, value in zip(weights / weights.sum(), pooled["value"], strict=True))
            out[i, j] = x[i, j] + params["gamma"] * (mixed @ kernels["output"])
    return out


def test_it_starts_as_the_identity_and_is_a_softmax_over_pooled_pixels():
    layer = SelfAttention()
    variables = jax.jit(layer.init)(jax.random.key(0), X)
    apply = jax.jit(layer.apply)
    np.testing.assert_array_equal(apply(variables, X), X)
    params = {**variables["params"], "gamma": jnp.asarray(1.5)}
    params["query"] = {"kernel": 3 * params["query"]["kernel"]}  # far from an equal mean
    truth = np.stack([attend(image.astype(np.float64), params) for image in X])
    np.testing.assert_allclose(apply({"params": params}, X), truth, atol=1e-4)


def test_in_bfloat16_the_softmax_is_float32():
    layer = SelfAttention(functools.partial(Conv, dtype=jnp.bfloat16))
    x = jnp.asarray(X, jnp.bfloat16)
    variables = jax.eval_shape(layer.init, jax.random.key(0), x)
    jaxpr = jax.make_jaxpr(layer.apply)(variables, x)
    assert jaxpr.out_avals[0].dtype == jnp.bfloat16
    exponentials = [line for line in str(jaxpr).splitlines() if " exp " in line]
    assert exponentials
    assert all(":f32" in line for line in exponentials)
