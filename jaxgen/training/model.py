"""A trained method, ready to be used: its networks with averaged weights, on the mesh where they are."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from jaxgen.core import Array, Batch, Method, TrainState, View
from jaxgen.training.evaluate import compiled_on_view
from jaxgen.training.sharding import shardings_of


@dataclasses.dataclass(frozen=True)
class Model:
    """A method with a state.

    Attributes:
      method: the algorithm.
      state: of its networks and memory.
      mesh: the devices.
    """

    method: Method
    state: TrainState
    mesh: Mesh
    _compiled: dict[Any, Any] = dataclasses.field(default_factory=dict, repr=False)

    def apply(self, function: Callable[..., Any], *arrays: Any) -> Any:
        """`function(view, *arrays)` of the averaged networks, compiled once for a function; on the host, in NumPy."""
        if function not in self._compiled:
            self._compiled[function] = compiled_on_view(self.method, function, self.mesh, shardings_of(self.state))
        return jax.device_get(self._compiled[function](self.state, *arrays))

    def sample(self, key: Array, count: int, batch: Batch | None = None) -> Any:
        """Draws `[count, ...]`, float32 where it is of floating point, of the examples of a batch where one is given.

        Raises:
          UserError: the method draws no samples.
        """
        return self.apply(self._sampler(count), key, batch)

    def with_state(self, state: TrainState) -> "Model":
        """The same method with another state; what is compiled is shared."""
        return dataclasses.replace(self, state=state)

    def _sampler(self, count: int) -> Callable[[View, Array, Batch | None], Array]:
        def sample(view: View, key: Array, batch: Mapping[str, Any] | None) -> Array:
            x = self.method.sample(view, key, count, batch)
            return x.astype(jnp.float32) if jnp.issubdtype(x.dtype, jnp.floating) else x

        return self._compiled.setdefault(("sampler", count), sample)
