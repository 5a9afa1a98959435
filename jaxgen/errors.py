"""Errors a user can act on. The command line prints the one sentence and exits with the class's code, no traceback."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any


class UserError(ValueError):
    """Bad input: one sentence naming the field, the value and the remedy, raised before anything compiles."""

    exit_code = 2


@contextlib.contextmanager
def naming(who: str, there: Mapping[str, Any], what: str) -> Iterator[None]:
    """Makes one sentence of a name that somebody's function asks for and that is not there.

    Args:
      who: the function.
      there: what it is given by name.
      what: those are, in the plural.

    Raises:
      UserError: a key was asked for that `there` has not.
    """
    try:
        yield
    except KeyError as error:
        (name,) = error.args or ("",)
        if not isinstance(name, str) or name in there:
            raise
        has = ", ".join(there) or "none"
        raise UserError(f"{who} asks for {name!r}, which is not there; the {what} are {has}.") from error


class NonFiniteError(UserError):
    """A metric became NaN or infinite.

    Attributes:
      finding: names the metric, the phase and the step.
      step: the first step whose metrics are not finite, counted from 1.
      advice: what to do about it.

    Args:
      rollbacks: how often the run has gone back to a checkpoint already, in vain.
    """

    exit_code = 3
    advice = "look at the curves, and start over with a lower learning rate"

    def __init__(self, finding: str, step: int, rollbacks: int = 0):
        once = f"{finding}; {self.advice}, or go on past those batches with --on-nonfinite rollback."
        again = f"{finding} after {rollbacks} rollbacks; {self.advice}."
        super().__init__(again if rollbacks else once)
        self.finding = finding
        self.step = step


class Preempted(KeyboardInterrupt):
    """SIGTERM came: the machine is wanted back. As for Ctrl-C, the state has been saved and a restart continues."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: "the user is invited to retry"
