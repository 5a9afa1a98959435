"""Times contenders in turn: each in a process of its own, one working while the others wait.

Libraries' threads would disturb one another in one process, and on a shared machine only steps timed moments apart
compare; so the figure is the ratio within a round, and its spread over rounds. On a core of their own (`taskset -c 0`)
it is processor time that is measured, which says how much work a step is however many others want that core.
"""

import contextlib
import dataclasses
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

_PAUSE = 0.05  # seconds in which the last contender's threads stop spinning

Commands = Mapping[str, Sequence[str]]  # contender -> a script that ends in `serve`


@dataclasses.dataclass(frozen=True)
class Timing:
    """What `contend` measured, by contender.

    Attributes:
      first: seconds of the first step, which compiles it.
      seconds: a step's, one number a round.
      peak_memory: bytes its process held at most, compilation included.
    """

    first: dict[str, float]
    seconds: dict[str, list[float]]
    peak_memory: dict[str, int]

    def median(self, name: str) -> float:
        """Seconds a step, over the rounds."""
        return statistics.median(self.seconds[name])

    def ratio(self, ours: str, other: str) -> tuple[float, float, float]:
        """How many times faster `ours` is than `other`: first quartile, median and third quartile of the rounds."""
        ratios = [b / a for a, b in zip(self.seconds[ours], self.seconds[other], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return low, middle, high


def cores() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def contend(commands: Commands, env: Mapping[str, str], rounds: int, steps: int) -> Timing:
    """Times `steps` steps of every contender in every round.

    Raises:
      ValueError: their networks have different numbers of parameters.
    """
    with contextlib.ExitStack() as stack:
        children = {name: stack.enter_context(_child(command, env)) for name, command in commands.items()}
        parameters = {name: int(_ask(child, "parameters")) for name, child in children.items()}
        if len(set(parameters.values())) > 1:
            raise ValueError(f"these are not the same network: {parameters} parameters")
        first = {name: _ask(child, "1") for name, child in children.items()}
        for child in children.values():
            _ask(child, str(steps))
        seconds: dict[str, list[float]] = {name: [] for name in children}
        for _ in range(rounds):
            for name, child in children.items():
                time.sleep(_PAUSE)
                seconds[name].append(_ask(child, str(steps)) / steps)
        peak_memory = {name: int(_ask(child, "memory")) for name, child in children.items()}
    return Timing(first, seconds, peak_memory)


def serve(run: Callable[[int], None], parameters: int) -> None:
    """What a contender does: answers its parent, a line a question.

    Args:
      run: `run(n)` takes n steps and returns when they are done.
      parameters: how many the network has.
    """
    clock = time.process_time if cores() == 1 else time.perf_counter
    for line in sys.stdin:
        question = line.strip()
        if question == "parameters":
            answer = parameters
        elif question == "memory":
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        else:
            start = clock()
            run(int(question))
            answer = clock() - start
        print(answer, flush=True)


@contextlib.contextmanager
def _child(command: Sequence[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        yield process  # leaving closes its standard input, which ends it


def _ask(process: subprocess.Popen, question: str) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(question + "\n")
    process.stdin.flush()
    while line := process.stdout.readline():
        with contextlib.suppress(ValueError):  # libraries may print, too
            return float(line)
    raise RuntimeError(f"{process.args} ended with exit code {process.wait()}")
