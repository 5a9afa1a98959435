"""Moving latents about: what turns draws from a prior into rows of related ones.

Latents are arrays `[count, ...]` or pytrees of them, whose floating-point leaves are standard normal; others stay as
they are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri

from jaxgen.errors import UserError

Array = jax.Array


def sweep(values: Sequence[float], move: Callable[..., Array], *latents: Any) -> Any:
    """A row for each latent: `move(value, leaf, ...)` for every value.

    Args:
      values: one for each column.
      move: `(value, *leaves) -> leaf`, on the leaves `[rows, ...]` of each of `latents`.
      *latents: one or more, alike in structure; leaves that are not of floating point are the first one's.

    Returns:
      Latents `[rows * len(values), ...]`, row by row.

    Raises:
      UserError: no leaf is of floating point.
    """
    if not any(_is_real(leaf) for leaf in jax.tree.leaves(latents[0])):
        raise UserError("this model's latents are no real numbers, so nothing lies between them; draw plain samples.")

    def rows(*leaves: Array) -> Array:
        if not _is_real(leaves[0]):
            return jnp.repeat(leaves[0], len(values), axis=0)
        moved = jnp.stack([move(value, *leaves) for value in values], axis=1)
        return moved.reshape(-1, *moved.shape[2:])

    return jax.tree.map(rows, *latents)


def scale(temperature: float, z: Array) -> Array:
    """z times the temperature: below 1 nearer to the mode. Kingma & Dhariwal, 2018, section 6."""
    return temperature * z


def truncate(threshold: float, z: Array) -> Array:
    """The standard normal z `[...]` moved to the same quantile of the normal truncated to ±threshold.

    So it is distributed as if values beyond were drawn anew. Brock et al., 2019, section 3.1.
    """
    beyond = ndtr(-jnp.asarray(threshold, z.dtype))
    return jnp.clip(ndtri(beyond + ndtr(z) * (1 - 2 * beyond)), -threshold, threshold)


def truncations(values: Sequence[float], latents: Any, own: Callable[[Any, Array], Any] | None) -> Any:
    """A row for each latent, truncated to every value in turn.

    Args:
      values: one for each column.
      latents: `[rows, ...]`.
      own: a model's own way (`jaxgen.core.Latents.truncated`); None is `truncate`.

    Returns:
      Latents `[rows * len(values), ...]`, row by row.
    """
    if own is None:
        return sweep(values, truncate, latents)
    rows = len(jax.tree.leaves(latents)[0])
    return own(sweep([1.0] * len(values), scale, latents), jnp.tile(jnp.asarray(values), rows))


def between(t: float, a: Array, b: Array) -> Array:
    """From a at t = 0 to b at t = 1, each `[count, ...]`, along the great circle: White, 2016.

    The straight line would pass nearer to the origin than a Gaussian's draws ever are.
    """
    axes = tuple(range(1, a.ndim))
    length = [jnp.sqrt(jnp.sum(x**2, axes, keepdims=True)) for x in (a, b)]
    cosine = jnp.sum(a * b, axes, keepdims=True) / jnp.maximum(length[0] * length[1], jnp.finfo(a.dtype).tiny)
    angle = jnp.arccos(jnp.clip(cosine, -1.0, 1.0))
    apart = jnp.sin(angle) > 1e-4  # else the two are parallel, and the line is as good
    sine = jnp.where(apart, jnp.sin(angle), 1.0)
    shares = [jnp.where(apart, jnp.sin(s * angle) / sine, s) for s in (1 - t, t)]
    return shares[0] * a + shares[1] * b


def shift(strength: float, z: Array, direction: Array) -> Array:
    """z `[count, ...]` moved along a direction `[1, ...]`, such as one class's mean latent less another's."""
    return z + strength * direction


def mean(latents: Any) -> Any:
    """The mean over the examples, `[1, ...]`; of leaves that are not of floating point, the first."""
    return jax.tree.map(lambda x: jnp.mean(x, 0, keepdims=True) if _is_real(x) else x[:1], latents)


def combine(signs: Sequence[int], latents: Sequence[Any]) -> Any:
    """The sum of latents with signs; of leaves that are not of floating point, the first one's."""

    def total(*leaves: Array) -> Array:
        if not _is_real(leaves[0]):
            return leaves[0]
        return sum((s * leaf for s, leaf in zip(signs, leaves, strict=True)), jnp.zeros_like(leaves[0]))

    return jax.tree.map(total, *latents)


def _is_real(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)
