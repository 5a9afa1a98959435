"""Early stopping: training ends when a figure of validation examples no longer improves, and the best state is kept."""

import dataclasses
from typing import Literal

import jax

from jaxgen.core import Batch, Method, TrainState, view_of
from jaxgen.errors import UserError


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """When to end training, by validation examples, which are neither trained nor tested on.

    Prechelt, 1998, "Early Stopping - But When?", the criterion UP.

    Attributes:
      metric: which of the method's held-out figures.
      every: steps between evaluations; a state better than all before it is saved as a checkpoint.
      patience: evaluations in a row, none better than the best before them, after which training ends.
      mode: whether the smallest figure is the best or the largest.
    """

    metric: str
    every: int
    patience: int
    mode: Literal["min", "max"] = "min"

    def __post_init__(self) -> None:
        for field in ("every", "patience"):
            if (value := getattr(self, field)) < 1:
                raise UserError(f"early_stopping.{field} is {value}; it must be at least 1.")

    def score(self, figure: float) -> float:
        """The figure, or its negative: larger is better."""
        return figure if self.mode == "max" else -figure

    def is_over(self, best: int | None, step: int) -> bool:
        """Whether patience is used up at `step`, the best evaluation yet having been at step `best`."""
        return best is not None and step - best >= self.every * self.patience

    def check(self, method: Method, log_every: int, state: TrainState, batch: Batch) -> None:
        """Refuses a metric that the method does not have, and an evaluation that no row would log; computes nothing.

        Args:
          method: the algorithm.
          log_every: steps between rows of metrics.
          state: shapes and types.
          batch: shapes and types of leaves `[batch, ...]`.

        Raises:
          UserError: one of the two.
        """
        if self.every % log_every:
            raise UserError(
                f"early_stopping.every {self.every} is not a multiple of log_every {log_every}; change one of them."
            )
        key = jax.eval_shape(lambda: jax.random.key(0))
        figures = jax.eval_shape(
            lambda state, batch, key: method.evaluate(view_of(method, state).averaged(), batch, key), state, batch, key
        )
        if self.metric not in figures:
            raise UserError(
                f"early_stopping.metric is {self.metric!r}, which {method.name} has not; choose {' or '.join(figures)}."
            )
