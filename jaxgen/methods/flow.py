"""Normalizing flows by maximum likelihood: exact log-densities through the change of variables.

Dinh et al., 2017, "Density Estimation using Real NVP", eq. 2-3; uniform dequantization as in Theis et al., 2016,
"A Note on the Evaluation of Generative Models", section 3.1.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View
from jaxgen.losses.flow import bits_per_dim, dequantize, log_likelihood


def flow(net: Net, *, event_shape: tuple[int, ...]) -> Method:
    """A flow on the real-valued batch field `x` `[batch, *event_shape]`; its figures are nats.

    Args:
      net: a bijector whose base has the data's shape; in training it gets a key named `dropout`.
      event_shape: shape of an example.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        return -jnp.mean(_log_likelihood(view, batch["x"], dropout=key)), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"flow": modules["flow"].init(key, batch["x"], method="inverse_and_log_det")}

    def sample(view: View, key: Array, count: int) -> Array:
        return _sample(view, key, (count, *event_shape))

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"log_likelihood_nats": _log_likelihood(view, batch["x"])}

    return Method("Flow", {"flow": net}, (Phase(("flow",), loss),), init, sample, evaluate)


def image_flow(net: Net, *, event_shape: tuple[int, ...], levels: int = 256) -> Method:
    """A flow on the batch field `image`, integers in {0, ..., levels-1} dequantized to [0, 1); its figure is bits/dim.

    Args:
      net: a bijector whose base has the data's shape; in training it gets a key named `dropout`.
      event_shape: `(height, width, channels)`.
      levels: how many values a pixel takes.
    """

    def bits(view: View, batch: Batch, key: Array, **rngs: Array) -> Array:
        x = dequantize(batch["image"], key, levels)
        return bits_per_dim(_log_likelihood(view, x, **rngs), event_shape, levels)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key)
        return jnp.mean(bits(view, batch, keys[0], dropout=keys[1])), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        x = dequantize(batch["image"], keys[0], levels)
        return {"flow": modules["flow"].init(keys[1], x, method="inverse_and_log_det")}

    def sample(view: View, key: Array, count: int) -> Array:
        return jnp.clip(2 * _sample(view, key, (count, *event_shape)) - 1, -1, 1)

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"bits_per_dim": bits(view, batch, key)}

    return Method("Flow", {"flow": net}, (Phase(("flow",), loss),), init, sample, evaluate)


def _log_likelihood(view: View, x: Array, **rngs: Array) -> Array:
    return log_likelihood(*view("flow", x, method="inverse_and_log_det", rngs=rngs))


def _sample(view: View, key: Array, shape: tuple[int, ...]) -> Array:
    x, _ = view("flow", jax.random.normal(key, shape), method="forward_and_log_det")
    return x
