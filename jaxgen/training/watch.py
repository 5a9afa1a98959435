"""A method's watch, compiled: what is too dear to compute at every step and is computed with each row of metrics."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxgen.core import Array, Batch, Method, TrainState, view_of
from jaxgen.training.sharding import batch_sharding, placement, replicated
from jaxgen.training.update import Metrics


def watcher(method: Method, mesh: Mesh, shardings: TrainState) -> Callable[[TrainState, Batch, Array], Metrics]:
    """`(state, batches, key) -> {name: [1]}` of the last batch of a call; empty where nothing is watched.

    Args:
      method: the algorithm.
      mesh: the devices.
      shardings: of the state's leaves.
    """
    watch, place = method.watch, placement(mesh, shardings)
    if watch is None:
        return lambda state, batches, key: {}

    def compute(state: TrainState, batches: Batch, key: Array) -> Metrics:
        batch = jax.tree.map(lambda x: x[-1, 0], batches)
        return {watch.name: jnp.reshape(watch.compute(view_of(method, state, place), batch, key), (1,))}

    whole = replicated(mesh)
    split = batch_sharding(mesh, leading_axes=2)
    return jax.jit(compute, in_shardings=(shardings, split, whole), out_shardings=whole)
