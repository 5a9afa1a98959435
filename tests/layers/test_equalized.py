"""Equalized layers: what an optimizer's step does to the weights that run, and the variance they keep."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.layers.conv import Conv
from jaxgen.layers.equalized import EqualizedConv, EqualizedDense, pixel_norm

KEY = jax.random.key(0)


def response(layer, params, x):
    """What the layer's weights do to a unit impulse of x's channel 0."""
    bias = layer.apply(params, 0 * x)
    return np.asarray(layer.apply(params, x) - bias)


@pytest.mark.quick("1x1", "ordinary")
@pytest.mark.parametrize(
    ("layer", "shape", "move"),
    [
        (EqualizedDense(4), (1, 50), math.sqrt(2 / 50)),
        (EqualizedDense(4, gain=1.0, multiplier=0.01), (1, 50), 0.01 / math.sqrt(50)),
        (EqualizedConv(4, (1, 1)), (1, 3, 3, 50), math.sqrt(2 / 50)),
        (EqualizedConv(4, (3, 3), gain=1.0), (1, 3, 3, 8), 1 / math.sqrt(72)),
        (Conv(4, (3, 3)), (1, 3, 3, 8), 1.0),  # not equalized: what the others are told from
    ],
    ids=["dense", "slow dense", "1x1", "3x3", "ordinary"],
)
def test_a_step_of_adam_moves_a_weight_by_its_own_scale(layer, shape, move):
    x = jnp.zeros(shape).at[..., 0].set(jnp.zeros(shape[:-1]).at[(0,) * (len(shape) - 1)].set(1.0))
    params = layer.init(KEY, x)
    adam = optax.adam(0.1)
    gradient = jax.grad(lambda p: jnp.sum(layer.apply(p, x)))(params)
    updates, _ = adam.update(gradient, adam.init(params))
    moved = response(layer, params, x) - response(layer, optax.apply_updates(params, updates), x)
    touched = np.abs(moved) > 1e-6
    assert touched.any()
    np.testing.assert_allclose(moved[touched], 0.1 * move, rtol=1e-3)


@pytest.mark.parametrize("layer", [EqualizedDense(64), EqualizedDense(64, multiplier=0.01), EqualizedConv(64, (3, 3))])
def test_rectified_layers_keep_the_mean_square(layer):
    """He's rule, whatever the learning rate's multiplier: twice the mean square goes in, a rectifier takes half."""
    x = jax.random.normal(KEY, (64, 400) if isinstance(layer, EqualizedDense) else (64, 3, 3, 45))
    y = layer.apply(layer.init(KEY, x), x)
    y = y if y.ndim == 2 else y[:, 1, 1]
    assert float(jnp.mean(jax.nn.relu(y) ** 2)) == pytest.approx(1.0, rel=0.1)


def test_biases_begin_as_asked_and_move_with_the_multiplier():
    layer, x = EqualizedDense(3, multiplier=0.01, bias=1.0), jnp.zeros((1, 5))
    params = layer.init(KEY, x)
    np.testing.assert_allclose(layer.apply(params, x), np.ones((1, 3)), rtol=1e-6)
    params["params"]["bias"] += 1.0
    np.testing.assert_allclose(layer.apply(params, x), np.full((1, 3), 1.01), rtol=1e-6)


def test_pixel_norm_gives_every_pixel_a_mean_square_of_one():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 16)).astype(np.float32) * 7
    y = np.asarray(pixel_norm(x))
    np.testing.assert_allclose(np.mean(y**2, -1), 1, rtol=1e-6)
    np.testing.assert_allclose(y, x / np.linalg.norm(x, axis=-1, keepdims=True) * 4, rtol=1e-5)
    assert np.isfinite(jax.grad(lambda x: pixel_norm(x).sum())(jnp.zeros((1, 4)))).all()
