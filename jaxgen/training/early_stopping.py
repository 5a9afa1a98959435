"""Early stopping: training ends when a figure of validation examples no longer improves, and the best state is kept."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from jaxgen.core import TrainState
from jaxgen.errors import UserError

if TYPE_CHECKING:
    from jaxgen.training.checkpoint import Checkpoints  # whose storage library a command's help need not wait for


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

    def check(self, method: str, log_every: int, figures: Sequence[str]) -> None:
        """Refuses a metric that the method does not have, and an evaluation that no row would log.

        Args:
          method: its name.
          log_every: steps between rows of metrics.
          figures: names of its held-out figures.

        Raises:
          UserError: one of the two.
        """
        if self.every % log_every:
            raise UserError(
                f"early_stopping.every {self.every} is not a multiple of log_every {log_every}; change one of them."
            )
        if self.metric not in figures:
            raise UserError(
                f"early_stopping.metric is {self.metric!r}, which {method} has not; choose {' or '.join(figures)}."
            )


class Validation:
    """Early stopping under way; without a rule it evaluates nothing and ends nothing.

    Args:
      rule: when to end training.
      evaluate: `state -> {figure: number}` of the validation examples.
      stage: of the run, whose best state is kept.
      checkpoints: of the run. What they were saved with is all that is remembered, so that a kill loses none of it.
      say: takes a sentence about the state that was best.
    """

    def __init__(
        self,
        rule: EarlyStopping | None,
        evaluate: Callable[[TrainState], Mapping[str, float]],
        stage: str,
        checkpoints: "Checkpoints",
        say: Callable[[str], None],
    ):
        self._rule, self._evaluate, self._stage = rule, evaluate, stage
        self._checkpoints, self._say = checkpoints, say

    def evaluate(self, state: TrainState, due: Callable[[int], bool]) -> tuple[dict[str, np.ndarray], float | None]:
        """The state's figure as a metric `[1]`, and its score; neither where no evaluation is `due(every)`."""
        if self._rule is None or not due(self._rule.every):
            return {}, None
        figure = self._evaluate(state)[self._rule.metric]
        return {f"validation/{self._rule.metric}": np.reshape(figure, 1)}, self._rule.score(figure)

    def is_over(self, step: int) -> bool:
        """Whether training ends at `step`."""
        return self._rule is not None and self._rule.is_over(self._checkpoints.best_step(self._stage), step)

    def is_best(self, score: float | None) -> bool:
        """Whether no checkpoint of the stage was saved with a score as good."""
        return self._checkpoints.is_best(self._stage, score)

    def best(self, last: TrainState, like: Callable[[str], TrainState]) -> TrainState:
        """The best of the stage's states saved, as `like`; without a rule the last one."""
        if self._rule is None:
            return last
        restored = self._checkpoints.restore_best(like)
        assert restored is not None  # the last has been saved
        state = restored.state
        self._say(
            f"{self._rule.metric} on validation examples was best at step {state.step} of {last.step}, to which the "
            "run goes back."
        )
        return state
