"""Going back to the last checkpoint when a metric is no longer finite, and on past the batches that did it."""

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Callable, Generator
from pathlib import Path

import jax

from jaxgen.core import Batch
from jaxgen.errors import NonFiniteError, UserError
from jaxgen.files import read_regular
from jaxgen.training.run_folder import write_json

Batches = Callable[[int], Generator[Batch, None, None]]


@dataclasses.dataclass(frozen=True)
class Rollback:
    """One return.

    Attributes:
      step: of the checkpoint that training returned to.
      skipped: steps whose batches are passed over from there on.
      finding: what was not finite.
    """

    step: int
    skipped: int
    finding: str


class Rollbacks:
    """The rollbacks of a run: what a step is trained on depends on them, so they are kept in its folder.

    Args:
      file: where; read at once if it exists.

    Raises:
      UserError: the file cannot be read.
    """

    def __init__(self, file: Path):
        self._file = file
        try:
            entries = json.loads(read_regular(file)) if file.exists() else []
            self._done = [Rollback(_count(e["step"]), _count(e["skipped"]), str(e["finding"])) for e in entries]
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise UserError(f"{file} cannot be read ({error!r}); mend it, or start over with --fresh.") from error

    def __len__(self) -> int:
        return len(self._done)

    def add(self, step: int, error: NonFiniteError) -> Rollback:
        """Records a return to `step`: the batches from there to the one of the error are never used again."""
        skipped = self.position(error.step - 1) + 1 - self.position(step)
        rollback = Rollback(step, skipped, error.finding)
        self._done.append(rollback)
        if jax.process_index() == 0:
            write_json(self._file, [dataclasses.asdict(rollback) for rollback in self._done])
        return rollback

    @property
    def last(self) -> int | None:
        """The step of the last return, if that did not help; a return to the same one would be the same again."""
        return self._done[-1].step if self._done else None

    def position(self, step: int, start: int = 0) -> int:
        """Where in a stage's data, which began after `start` steps of the run, the training after `step` goes on."""
        return step - start + sum(rollback.skipped for rollback in self._done if start <= rollback.step <= step)

    def batches(self, batches: Batches, step: int, start: int, steps_per_call: int) -> Generator[Batch, None, None]:
        """`batches` of a stage for the training after `step` steps, with a leap at every step that was returned to.

        Raises:
          UserError: such a step is not a multiple of `steps_per_call`.
        """
        leaps = sorted({rollback.step for rollback in self._done if rollback.step > step})
        for end in leaps:
            calls, remainder = divmod(end - step, steps_per_call)
            if remainder:
                raise UserError(
                    f"steps_per_call {steps_per_call} does not divide step {end}, of a rollback; change it."
                )
            with contextlib.closing(batches(self.position(step, start))) as data:
                yield from itertools.islice(data, calls)
            step = end
        with contextlib.closing(batches(self.position(step, start))) as data:
            yield from data


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise ValueError(f"{value!r} is no number of steps")
    return value
