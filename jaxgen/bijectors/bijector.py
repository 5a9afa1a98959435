"""The contract of every invertible layer, and the two directions' helpers."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.errors import UserError


class Misfit(UserError):
    """A part is given what it does not take; what put it there says where that comes from (`compose.Chain`)."""


class Bijector(nn.Module):
    """An invertible map between base noise z and data x, both `[batch, ..., channels]`, as a Linen module.

    `forward_and_log_det(z) = (x, log|det dx/dz|)` and `inverse_and_log_det(x) = (z, log|det dz/dx|)`, log-dets per
    example, `[batch]`, in nats, float32 or wider. A subclass states both maps as formulae and defines the directions it
    has in closed form; the other raises `UserError`. Calling the module runs the inverse, so that
    `module.init(key, batch)` on real data performs data-dependent initialization.

    A `conditional` one takes a condition as the second argument of both directions: arrays `[batch, ...]`, of which it
    says what they are, such as labels or what a network made of an image. What is made of bijectors hands it on.
    """

    conditional = False

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Base to data."""
        raise UserError(f"{type(self).__name__} has no closed form from base to data: it can score but not sample.")

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Data to base."""
        raise UserError(f"{type(self).__name__} has no closed inverse: it can sample but not score data.")

    def __call__(self, x: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        return run(self, "inverse_and_log_det", x, condition)

    @property
    def parts(self) -> tuple["Bijector", ...]:
        """What it is a chain of, from the data's side to the base's; itself if it is none."""
        return (self,)


def run(bijector: Bijector, direction: str, x: jax.Array, condition: Any) -> tuple[jax.Array, jax.Array]:
    """One direction of a bijector, with the condition if it takes one.

    Raises:
      UserError: it takes one and there is none.
    """
    if not bijector.conditional:
        return getattr(bijector, direction)(x)
    if condition is None:
        raise UserError(f"{type(bijector).__name__} takes a condition, and got none; give it as the second argument.")
    return getattr(bijector, direction)(x, condition)


def check_axes(part: nn.Module, x: jax.Array, axes: str) -> None:
    """Refuses arrays of another rank.

    Args:
      part: what takes them.
      x: given to it, `[batch, ...]`.
      axes: the names of those it takes, such as "batch, size".

    Raises:
      Misfit: there are more or fewer.
    """
    if x.ndim != len(axes.split(", ")):
        given = ", ".join(["batch", *map(str, x.shape[1:])])
        raise Misfit(f"{type(part).__name__} takes [{axes}], but got [{given}].")


def widen(x: jax.Array) -> jax.Array:
    """`x` in float32, or in its own type where that is wider: log-dets and the flow's own path never run narrower."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def sum_per_example(x: jax.Array) -> jax.Array:
    """Sums `[batch, ...]` to `[batch]`."""
    return jnp.sum(widen(x), axis=tuple(range(1, x.ndim)))


def repeat_over_pixels(per_pixel: jax.Array, x: jax.Array) -> jax.Array:
    """Log-det `[batch]` of a map that acts alike on every pixel (every axis of `x` between batch and channels).

    Args:
      per_pixel: log-det of the map on one pixel's channels, `[]`.
      x: `[batch, ..., channels]`.
    """
    return jnp.broadcast_to(per_pixel * math.prod(x.shape[1:-1]), x.shape[:1])
