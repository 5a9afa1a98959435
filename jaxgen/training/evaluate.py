"""Held-out figures of a trained state."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgen.core import Array, Batch, Method, TrainState, View, view_of
from jaxgen.training.sharding import batch_sharding, placement, replicated, shardings_of

_KEY_SEED = 0  # the noise of an evaluation is the same every time


Figures = dict[str, dict[str, Any]]
Masked = tuple[Batch, Array]  # leaves [batch, ...], and 1 for an example, 0 for padding, [batch]


def evaluate(method: Method, state: TrainState, batches: Iterable[Masked], mesh: Mesh) -> Figures:
    """Evaluates once what `evaluator` evaluates as often as it is called."""
    return evaluator(method, mesh, shardings_of(state))(state, batches)


def evaluator(method: Method, mesh: Mesh, shardings: TrainState) -> Callable[[TrainState, Iterable[Masked]], Figures]:
    """Means of the method's own figures over every example, with averaged (EMA) weights where they are kept.

    Args:
      method: the algorithm.
      mesh: the devices.
      shardings: of the state's leaves.

    Returns:
      `(state, batches) -> {figure: {"mean", "standard_error"}}`, compiled when first called, once for
      each size of batch. The standard error is that of the mean over examples.
    """
    columns = of_examples(method, method.evaluate, mesh, shardings)

    def over(state: TrainState, batches: Iterable[Masked]) -> Figures:
        return {name: mean_of(values) for name, values in columns(state, batches).items()}

    return over


def of_examples(
    method: Method, function: Callable[[View, Batch, Array], Mapping[str, Array]], mesh: Mesh, shardings: TrainState
) -> Callable[[TrainState, Iterable[Masked]], dict[str, np.ndarray]]:
    """The compiled `(state, batches) -> {name: [examples, ...]}`, float64, in the batches' order, padding left out.

    Args:
      method: the algorithm.
      function: `(view, batch, key) -> {name: [batch, ...]}`, of averaged weights where they are kept.
      mesh: the devices.
      shardings: of the state's leaves.
    """
    place = placement(mesh, shardings)

    def figures(state: TrainState, batch: Batch, mask: Array, index: Array) -> tuple[dict[str, Array], Array]:
        key = jax.random.fold_in(jax.random.key(_KEY_SEED), index)
        return dict(function(view_of(method, state, place).averaged(), batch, key)), mask

    rows = batch_sharding(mesh)
    compiled = jax.jit(figures, in_shardings=(None, rows, rows, None), out_shardings=replicated(mesh))

    def over(state: TrainState, batches: Iterable[Masked]) -> dict[str, np.ndarray]:
        columns: dict[str, list[np.ndarray]] = {}
        for index, (batch, mask) in enumerate(batches):
            # Whole on every device, so that every process can read them.
            examples, real = jax.device_get(compiled(state, batch, mask, np.uint32(index)))
            for name, values in examples.items():
                columns.setdefault(name, []).append(np.asarray(values, np.float64)[real > 0])
        return {name: np.concatenate(parts) for name, parts in columns.items()}

    return over


def mean_of(values: np.ndarray) -> dict[str, float | None]:
    """The mean over examples and its standard error; of one example there is none."""
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return {"mean": float(values.mean()), "standard_error": error}


def standing(method: Method, mesh: Mesh, shardings: TrainState) -> Callable[[TrainState], TrainState]:
    """`state -> state` whose samples and figures are those of the averaged weights: see `Latents.standing`.

    For looking at, not for training on: the parameters stay as they are.

    Args:
      method: the algorithm.
      mesh: the devices.
      shardings: of the state's leaves.
    """
    compute = method.latents and method.latents.standing
    if compute is None:
        return lambda state: state
    collections = compiled_on_view(method, lambda view: compute(view, jax.random.key(_KEY_SEED)), mesh, shardings)

    def settled(state: TrainState) -> TrainState:
        found = collections(state)
        nets = {
            name: dataclasses.replace(net, variables={**net.variables, **found.get(name, {})})
            for name, net in state.nets.items()
        }
        return dataclasses.replace(state, nets=nets)

    return settled


def compiled_on_view(method: Method, function: Callable[..., Any], mesh: Mesh, shardings: TrainState) -> Any:
    """The compiled `(state, *arrays) -> function(view, *arrays)`, with averaged weights where they are kept.

    Args:
      method: the algorithm.
      function: of a view and arrays; what it returns is whole on every device.
      mesh: the devices.
      shardings: of the state's leaves.
    """

    place = placement(mesh, shardings)

    def on_state(state: TrainState, *arrays: Any) -> Any:
        return function(view_of(method, state, place).averaged(), *arrays)

    return jax.jit(on_state, out_shardings=replicated(mesh))


def sampler(method: Method, mesh: Mesh, shardings: TrainState, count: int) -> Any:
    """The compiled `(state, key) -> samples [count, ...]`, float32, with averaged weights where they are kept.

    Args:
      method: the algorithm.
      mesh: the devices.
      shardings: of the state's leaves.
      count: how many samples a call draws.
    """

    def sample(view: View, key: Array) -> Array:
        return method.sample(view, key, count).astype(jnp.float32)

    return compiled_on_view(method, sample, mesh, shardings)
