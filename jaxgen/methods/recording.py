"""A method that keeps what it looked like on the way, in its memory: a resumed run has the whole history."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Method, Phase, View

_HISTORY = "history"


def recorded(
    base: Method, observe: Callable[[View], Array], *, frames: int, shape: tuple[int, ...], every: int = 1
) -> Method:
    """`base`, and what `observe` saw as steps 0, every, 2 every, ... began, for `history` to read.

    Args:
      base: any method.
      observe: a float32 array of the networks, of a fixed key where it draws samples.
      frames: how many are kept: the first ones.
      shape: of what `observe` returns.
      every: steps from one to the next.
    """

    def record(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        # Beyond the last frame the index is out of bounds, where JAX writes nothing.
        kept = history(view).at[view.step // every].set(observe(view), mode="drop")
        return jnp.zeros(()), Aux(memory={_HISTORY: kept})

    def memory(key: Array, batch: Batch) -> Mapping[str, Any]:
        own = {} if base.memory is None else base.memory(key, batch)
        return {**own, _HISTORY: jnp.zeros((frames, *shape))}

    phase = Phase("record", (), record, every=every)
    return dataclasses.replace(base, phases=(phase, *base.phases), memory=memory)


def history(view: View) -> Array:
    """What a `recorded` method saw, `[frames, ...]`; zeros where training has not yet come to a frame."""
    return view.memory[_HISTORY]
