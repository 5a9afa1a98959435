"""Transformations of updates that optax does not have, to chain with its own."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen.errors import UserError


def clip_weights(limit: float) -> optax.GradientTransformation:
    """Every parameter stays in [-limit, limit]: WGAN's, Arjovsky et al. 2017, algorithm 1. It goes last in a chain.

    Parameters that begin outside are inside after the first update.

    Raises:
      UserError: limit is not positive.
    """
    if not limit > 0:
        raise UserError(f"limit is {limit}; it must be positive, e.g. 0.01.")

    def clip(updates: Any, params: Any) -> Any:
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -limit, limit) - p, updates, params)

    return optax.stateless(clip)


def matrices(params: Any) -> Any:
    """Which parameters weight decay is for, as a mask: kernels and embeddings, not biases and normalizations' scales.

    By name and not by axes, as the layers of a scanned network are stacked along one more.
    """

    def decays(path: tuple[Any, ...], _: Any) -> bool:
        return getattr(path[-1], "key", None) in ("kernel", "embedding")

    return jax.tree_util.tree_map_with_path(decays, params)


class HistoryState(NamedTuple):
    """How many parameters were seen, int32 `[]`, and their mean."""

    count: jax.Array
    mean: Any


def historical_averaging(weight: float) -> optax.GradientTransformation:
    """Adds the gradient of `weight |theta - mean of all theta so far|^2`, the mean held still; first in a chain.

    Salimans et al. 2016, "Improved Techniques for Training GANs", section 3.3.
    """

    def init(params: Any) -> HistoryState:
        return HistoryState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, HistoryState]:
        count = state.count + 1
        mean = jax.tree.map(lambda m, p: m + (p - m) / count, state.mean, params)
        pulled = jax.tree.map(lambda u, p, m: u + 2 * weight * (p - m), updates, params, mean)
        return pulled, HistoryState(count, mean)

    return optax.GradientTransformation(init, update)


class SkipState(NamedTuple):
    """The inner optimizer's state, and how many updates in a row were skipped, int32 `[]`."""

    inner: Any
    skipped: jax.Array


def skip_large(
    optimizer: optax.GradientTransformation, limit: float, *, patience: int = 10
) -> optax.GradientTransformation:
    """Leaves out updates whose gradient's norm is above the limit, but never for good: Child 2021, section 4.

    After `patience` of them in a row the next is taken, scaled down to the limit: else a norm that has come to stay
    above it would end training without a word. What is not finite is never taken.

    Args:
      optimizer: which does not see what is left out.
      limit: of the gradient's norm over all parameters.
      patience: updates left out in a row, at most.

    Raises:
      UserError: limit or patience is not positive.
    """
    if not limit > 0 or patience < 1:
        raise UserError(f"limit is {limit} and patience {patience}; both must be positive, e.g. 200 and 10.")

    def init(params: Any) -> SkipState:
        return SkipState(optimizer.init(params), jnp.zeros((), jnp.int32))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, SkipState]:
        norm = optax.tree.norm(updates)
        taken = jnp.isfinite(norm) & ((norm <= limit) | (state.skipped >= patience))
        share = limit / jnp.maximum(norm, limit)
        moved, after = optimizer.update(jax.tree.map(lambda u: u * share, updates), state.inner, params)
        moved = jax.tree.map(lambda u: jnp.where(taken, u, 0), moved)
        kept = jax.tree.map(lambda new, old: jnp.where(taken, new, old), after, state.inner)
        return moved, SkipState(kept, jnp.where(taken, 0, state.skipped + 1))

    return optax.GradientTransformation(init, update)
