"""The contract of every autoregressive model: logits of each symbol, given those before it in a stated order."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxgen.errors import UserError
from jaxgen.losses.autoregressive import categorical_log_prob


def check_class(classes: int, condition: jax.Array | None) -> None:
    """Where a model is conditional on `classes` classes, it is told one.

    Raises:
      UserError: it is not.
    """
    if classes and condition is None:
        raise UserError(f"this model is conditional on {classes} classes: give it labels [batch].")


def known_class(classes: int, condition: jax.Array | None) -> jax.Array | None:
    """The condition as one-hot `[batch, classes]`; None where there are no classes.

    Raises:
      UserError: there are, and no condition.
    """
    check_class(classes, condition)
    return jax.nn.one_hot(condition, classes) if classes else None


class AutoregressiveModel(nn.Module):
    """p(x | c) = Π_i p(x_o(i) | x_o(0) … x_o(i-1), c), of integer symbols x `[batch, *event]` in an order o.

    A subclass defines `logits`; everything else follows from it. One that keeps what it has computed defines `start`
    and `step` too, of the same logits up to rounding. Dropout is active when a `dropout` key is given.

    Attributes:
      levels: values of a symbol, 0 to `levels - 1`.
    """

    levels: int

    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        """Of every symbol at once, none of which moves with itself or a later one.

        Args:
          x: integers `[batch, *event]`.
          condition: integers `[batch]`, the class; None where the model has none.

        Returns:
          `[batch, *event, levels]`, float32 or wider.
        """
        raise NotImplementedError

    def order(self, event: tuple[int, ...]) -> np.ndarray:
        """o: the symbols' indices in the flattened event, first to last; raster order by default."""
        return np.arange(math.prod(event))

    def log_prob(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        """log p(x | c), `[batch]`, nats."""
        return categorical_log_prob(x, self.logits(x, condition))

    def start(self, event: tuple[int, ...], batch: int, condition: jax.Array | None = None) -> Any:
        """What `step` keeps, before the first symbol: a pytree of arrays of fixed shapes."""
        return jnp.zeros((batch, *event), jnp.int32), condition

    def step(self, cache: Any, position: jax.Array, previous: jax.Array) -> tuple[Any, jax.Array]:
        """One symbol's logits.

        Args:
          cache: what `start` or the step before returned.
          position: i, int `[]`; the steps are taken in order.
          previous: x_o(i-1), integers `[batch]`; not looked at where i = 0.

        Returns:
          The cache, and the logits of x_o(i), `[batch, levels]`.
        """
        x, condition = cache
        order = jnp.asarray(self.order(x.shape[1:]))
        flat = x.reshape(x.shape[0], -1)
        flat = jnp.where(position > 0, flat.at[:, order[position - 1]].set(previous), flat)
        x = flat.reshape(x.shape)
        logits = self.logits(x, condition).reshape(*flat.shape, self.levels)
        return (x, condition), logits[:, order[position]]

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        return self.logits(x, condition)
