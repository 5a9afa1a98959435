"""Any order: a model of sequences that reads an event's symbols in a stated permutation."""

from typing import Any

import jax
import numpy as np

from jaxgen.errors import UserError
from jaxgen.models.autoregressive.contract import AutoregressiveModel


class Ordered(AutoregressiveModel):
    """p(x) = Π_i p(x_o(i) | x_o(0) … x_o(i-1)) by a model of sequences in the order o.

    Raises `UserError` where the permutation is not one of the event's symbols.

    Attributes:
      model: of symbols `[batch, length]`, first to last, of as many levels.
      permutation: o, indices in the flattened event.
    """

    model: AutoregressiveModel
    permutation: tuple[int, ...]

    def order(self, event: tuple[int, ...]) -> np.ndarray:
        order, size = np.array(self.permutation), int(np.prod(event))
        if not np.array_equal(np.sort(order), np.arange(size)):
            raise UserError(f"permutation has {len(order)} numbers; give the {size} from 0 to {size - 1}, each once.")
        return order

    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        order = self.order(x.shape[1:])
        logits = self.model.logits(x.reshape(x.shape[0], -1)[:, order], condition)
        return logits[:, np.argsort(order)].reshape(*x.shape, self.levels)

    def start(self, event: tuple[int, ...], batch: int, condition: jax.Array | None = None) -> Any:
        """Of the model, for the sequence."""
        return self.model.start(self.order(event).shape, batch, condition)

    def step(self, cache: Any, position: jax.Array, previous: jax.Array) -> tuple[Any, jax.Array]:
        return self.model.step(cache, position, previous)
