"""When things happen in a run."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from jaxgen.errors import UserError

_paced: contextvars.ContextVar[Mapping[str, int]] = contextvars.ContextVar("paced", default=MappingProxyType({}))


@contextlib.contextmanager
def paced(**fields: int | None) -> Iterator[None]:
    """Schedules made within have these fields, of those that are not None, whatever an experiment gives them.

    So what a command line asks for is checked, and not first what it takes the place of.
    """
    token = _paced.set({field: value for field, value in fields.items() if value is not None})
    try:
        yield
    finally:
        _paced.reset(token)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """When things happen, in steps.

    Attributes:
      steps: length of the run.
      log_every: steps between rows of `metrics.jsonl`.
      sample_every: steps between pictures.
      checkpoint_every: steps between checkpoints.
      steps_per_call: steps compiled into one dispatch; more than 1 pays for small models without convolutions.
    """

    steps: int
    log_every: int = 50
    sample_every: int = 500
    checkpoint_every: int = 500
    steps_per_call: int = 1

    def __post_init__(self) -> None:
        for field, value in _paced.get().items():
            object.__setattr__(self, field, value)
        for field, value in dataclasses.asdict(self).items():
            if value < 1:
                raise UserError(f"{field} is {value}; it must be at least 1.")
            if value >= 2**31:  # the state counts its steps in 32 bits
                raise UserError(f"{field} is {value}; it must be at most {2**31 - 1}.")
        for field, value in dataclasses.asdict(self).items():
            if value % self.steps_per_call:
                raise UserError(
                    f"{field} is {value}, which is not a multiple of the {self.steps_per_call} steps of a compiled "
                    "call; change it, or give steps_per_call=1."
                )

    def logs(self, step: Any) -> Any:
        """Whether a row of metrics is due after `step` steps, an int or an array."""
        return (step % self.log_every == 0) | (step == self.steps)

    def reports(self, step: Any) -> Any:
        """Whether metrics that cost a pass over the gradients are computed: for a row, and before a checkpoint."""
        return self.logs(step) | (step % self.checkpoint_every == 0)
