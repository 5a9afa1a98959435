"""Which phases are due when: known to the host, which picks among a few compiled programs."""

import math
from collections.abc import Iterable, Sequence

from jaxgen.core import Method
from jaxgen.errors import UserError

Due = frozenset[str]  # names of the phases that run in a step

MOST_PROGRAMS = 8  # compiled for one method: each costs its seconds and its memory


def due_phases(method: Method, step: int) -> Due:
    """The phases that run in a stage's step number `step`, from 0."""
    return frozenset(phase.name for phase in method.phases if step % phase.every == 0)


def check_pace(method: Method, steps_per_call: int) -> None:
    """Refuses phases whose pace does not fit steps that are compiled together, or makes too many programs.

    Raises:
      UserError: `every` neither divides `steps_per_call` nor is a multiple, or calls are of more than 8 kinds.
    """
    for phase in method.phases:
        if phase.every % steps_per_call and steps_per_call % phase.every:
            raise UserError(
                f"every is {phase.every} in phase {phase.name!r}, which neither divides steps_per_call "
                f"{steps_per_call} nor is a multiple of it; change one of them."
            )
    calls = {due_in_call(method, step, steps_per_call) for step in calls_of_a_period(method, steps_per_call)}
    if len(calls) > MOST_PROGRAMS:
        raise UserError(
            f"the phases' every ({', '.join(str(phase.every) for phase in method.phases)}) make {len(calls)} programs, "
            f"more than {MOST_PROGRAMS}; choose multiples of one another."
        )


def calls_of_a_period(method: Method, steps_per_call: int) -> range:
    """The steps that calls begin at until the same phases are due in the same order again."""
    return range(0, math.lcm(steps_per_call, *(phase.every for phase in method.phases)), steps_per_call)


def due_in_call(method: Method, step: int, steps_per_call: int) -> tuple[Due, ...]:
    """The phases due in each step of the call that a stage's step `step` begins."""
    return tuple(due_phases(method, each) for each in range(step, step + steps_per_call))


def runs(due: Sequence[Due]) -> Iterable[tuple[Due, int, int]]:
    """Equal neighbours: what they are, where they begin and where they end."""
    start = 0
    for stop in range(1, len(due) + 1):
        if stop == len(due) or due[stop] != due[start]:
            yield due[start], start, stop
            start = stop
