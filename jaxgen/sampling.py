"""Drawing from an autoregressive model: symbol by symbol, with or without a cache, or all at once to a fixed point.

A symbol is the argmax of its logits plus Gumbel noise, so noise `[batch, size, levels]` drawn beforehand decides the
whole sample, and all three ways make the same of it. Events are flat here: `[batch, size]`, with an `order` of indices.
Symbols that are `known` (a prompt, or all but a hole to fill) stay as `given`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.errors import UserError

Array = jax.Array
Adjust = Callable[[Array], Array]  # logits [..., levels] to logits


def unchanged(logits: Array) -> Array:
    """The `Adjust` that draws from the model itself."""
    return logits


def adjustment(*, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Adjust:
    """Draws from fewer or likelier symbols than the model's own distribution would.

    Args:
      temperature: logits are divided by it; near 0 the likeliest symbol remains.
      top_k: how many of the likeliest symbols remain; 0 is all.
      top_p: the likeliest symbols that together have this probability remain, the one that reaches it included:
        Holtzman et al., 2020.

    Raises:
      UserError: temperature is not positive, top_k negative or top_p outside (0, 1].
    """
    if temperature <= 0:
        raise UserError(f"temperature is {temperature}: make it positive; near 0 takes the likeliest symbol.")
    if top_k < 0:
        raise UserError(f"top_k is {top_k}: make it a number of symbols, or 0 for all.")
    if not 0 < top_p <= 1:
        raise UserError(f"top_p is {top_p}: make it a probability in (0, 1].")

    def adjust(logits: Array) -> Array:
        logits = logits / temperature
        if top_k and top_k < logits.shape[-1]:
            least = jax.lax.top_k(logits, top_k)[0][..., -1:]
            logits = jnp.where(logits < least, -jnp.inf, logits)
        if top_p < 1:
            descending = -jnp.sort(-logits, axis=-1)
            probability = jax.nn.softmax(descending, axis=-1)
            needed = jnp.cumsum(probability, axis=-1) - probability < top_p  # those before it do not suffice
            least = jnp.min(jnp.where(needed, descending, jnp.inf), axis=-1, keepdims=True)
            logits = jnp.where(logits < least, -jnp.inf, logits)
        return logits

    return adjust


def _pick(logits: Array, noise: Array, adjust: Adjust, given: Array, known: Array) -> Array:
    drawn = jnp.argmax(adjust(logits) + noise, axis=-1).astype(jnp.int32)
    return jnp.where(known, given, drawn)


def _known(noise: Array, known: tuple[Array, Array] | None) -> tuple[Array, Array]:
    given, kept = known or (jnp.zeros(noise.shape[:2]), jnp.zeros(noise.shape[1]))
    return jnp.asarray(given, jnp.int32), jnp.asarray(kept, bool)


def naive(
    logits: Callable[[Array], Array],
    noise: Array,
    order: np.ndarray,
    *,
    known: tuple[Array, Array] | None = None,
    adjust: Adjust = unchanged,
) -> Array:
    """One whole pass for every symbol.

    Args:
      logits: `[batch, size]` to `[batch, size, levels]`.
      noise: standard Gumbel, `[batch, size, levels]`.
      order: the indices of the symbols, first to last, `[size]`.
      known: symbols `[batch, size]` and which of them to keep, bool `[size]`; None is none.
      adjust: of the logits.

    Returns:
      int32 `[batch, size]`.
    """
    noise, given, kept = jnp.asarray(noise), *_known(noise, known)
    indices = jnp.asarray(order)

    def draw(i: Array, x: Array) -> Array:
        at = indices[i]
        return x.at[:, at].set(_pick(logits(x)[:, at], noise[:, at], adjust, given[:, at], kept[at]))

    return jax.lax.fori_loop(0, noise.shape[1], draw, jnp.zeros(noise.shape[:2], jnp.int32))


def cached(
    step: Callable[[Any, Array, Array], tuple[Any, Array]],
    cache: Any,
    noise: Array,
    order: np.ndarray,
    *,
    known: tuple[Array, Array] | None = None,
    adjust: Adjust = unchanged,
) -> Array:
    """One step of a model that keeps what it has computed for every symbol, in one compiled loop.

    Args:
      step: `(cache, position, previous symbols [batch]) -> (cache, logits [batch, levels])`.
      cache: what the first step starts from.
      noise, order, known, adjust: as of `naive`.

    Returns:
      int32 `[batch, size]`.
    """
    noise, given, kept = jnp.asarray(noise), *_known(noise, known)
    indices = jnp.asarray(order)

    def draw(carry: tuple[Any, Array], i: Array) -> tuple[tuple[Any, Array], Array]:
        cache, previous = carry
        at = indices[i]
        cache, logits = step(cache, i, previous)
        symbol = _pick(logits, noise[:, at], adjust, given[:, at], kept[at])
        return (cache, symbol), symbol

    start = cache, jnp.zeros(noise.shape[0], jnp.int32)
    _, symbols = jax.lax.scan(draw, start, jnp.arange(noise.shape[1]))
    return symbols.T[:, np.argsort(order)]


def jacobi(
    logits: Callable[[Array], Array],
    noise: Array,
    *,
    known: tuple[Array, Array] | None = None,
    adjust: Adjust = unchanged,
) -> tuple[Array, Array]:
    """Draws every symbol from the last pass's symbols until a pass changes none: Song et al., 2021, algorithm 1.

    After t passes the first t symbols are those of `naive`, whatever the order, so `size` suffice; the fewer depend on
    the others, the fewer it takes.

    Args:
      logits, noise, known, adjust: as of `naive`.

    Returns:
      int32 `[batch, size]`, and the number of passes `[]`, the last one, which found nothing to change, included.
    """
    given, kept = _known(noise, known)
    return fixed_point(
        lambda x: _pick(logits(x), noise, adjust, given, kept), jnp.zeros(noise.shape[:2], jnp.int32), noise.shape[1]
    )


def fixed_point(update: Callable[[Array], Array], x: Array, limit: int) -> tuple[Array, Array]:
    """`x <- update(x)` until nothing changes, at most `limit` + 1 times; x, and how many times it was."""

    def unfinished(carry: tuple[Array, Array, Array]) -> Array:
        _, passes, changed = carry
        return changed & (passes <= limit)

    def once(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, passes, _ = carry
        new = update(x)
        return new, passes + 1, jnp.any(new != x)

    x, passes, _ = jax.lax.while_loop(unfinished, once, (x, jnp.zeros((), jnp.int32), jnp.ones((), bool)))
    return x, passes
