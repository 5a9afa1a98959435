"""The recurrence of maps against SciPy's convolutions, frame by frame."""

import jax
import numpy as np
from scipy import signal, special

from jaxgen.layers.conv_gru import ConvGRU


def convolved(x, kernel):
    """`[height, width, in]` by a dense layer's `[9 * in, out]` over its neighbours, row by row from the upper left."""
    kernel = np.asarray(kernel).reshape(3, 3, x.shape[-1], -1)
    maps = [
        sum(signal.correlate2d(x[..., i], kernel[..., i, o], mode="same") for i in range(x.shape[-1]))
        for o in range(kernel.shape[-1])
    ]
    return np.stack(maps, axis=-1)


def test_it_is_the_recurrence_by_hand(x64):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 3, 5, 2))
    layer = ConvGRU(3)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), x)
    variables = jax.tree.map(lambda p: rng.normal(0, 0.5, p.shape), shapes)
    found = np.asarray(jax.jit(layer.apply)(variables, x))
    weights = variables["params"]
    for clip, states in zip(x, found, strict=True):
        h = np.zeros((3, 5, 3))
        for frame, state in zip(clip, states, strict=True):
            added = convolved(frame, weights["frames"]["kernel"]) + weights["frames"]["bias"]
            gates = special.expit(convolved(h, weights["gates"]["kernel"]) + added[..., :6])
            r, u = gates[..., :3], gates[..., 3:]
            candidate = np.maximum(0, convolved(r * h, weights["candidate"]["kernel"]) + added[..., 6:])
            h = u * h + (1 - u) * candidate
            np.testing.assert_allclose(state, h, rtol=1e-9, atol=1e-12)
    assert np.abs(found[:, -1]).max() > 0.1
