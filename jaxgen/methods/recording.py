"""A method that keeps what it looked like on the way, in its own state: a resumed run has the whole history."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.core import Array, Aux, Batch, Method, Module, Net, View
from jaxgen.errors import UserError


class _Nothing(nn.Module):
    """A network of no parameters."""


def recorded(base: Method, observe: Callable[[View], Array], *, frames: int, every: int = 1) -> Method:
    """`base`, and what `observe` saw as steps 0, every, 2 every, ... began, for `history` to read.

    Args:
      base: any method.
      observe: an array of the networks, of the same shape always, of a fixed key where it draws samples.
      frames: how many are kept: the first ones.
      every: steps from one to the next.

    Raises:
      UserError: the first phase repeats, so that its networks move within a step.
    """
    if base.phases[0].repeats > 1:
        raise UserError(f"repeats is {base.phases[0].repeats} in the first phase of {base.name}; recorded takes one.")

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        initial = base.init(modules, key, batch)
        params = {name: variables.get("params", {}) for name, variables in initial.items()}
        rest = {name: {c: x for c, x in variables.items() if c != "params"} for name, variables in initial.items()}
        view = View(modules, params, rest, dict.fromkeys(params), jnp.zeros((), jnp.int32))
        first = jax.eval_shape(lambda: observe(view))
        return {**initial, "history": {"params": {}, "history": {"frames": jnp.zeros((frames, *first.shape))}}}

    first_phase = base.phases[0]

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        value, aux = first_phase.loss(view, batch, key)
        kept = history(view)
        # Beyond the last frame and between two of them the index is out of bounds, where JAX writes nothing.
        index = jnp.where(view.step % every == 0, view.step // every, frames)
        kept = kept.at[index].set(jax.lax.stop_gradient(observe(view)), mode="drop")
        return value, Aux(aux.metrics, {**aux.variables, "history": {"history": {"frames": kept}}})

    return dataclasses.replace(
        base,
        nets={**base.nets, "history": Net(_Nothing())},
        phases=(dataclasses.replace(first_phase, loss=loss), *base.phases[1:]),
        init=init,
    )


def history(view: View) -> Array:
    """What a `recorded` method saw, `[frames, ...]`; zeros where training has not yet come to a frame."""
    return view.variables["history"]["history"]["frames"]
