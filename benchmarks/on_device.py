"""A contender of `accelerator.py`: a process that answers its parent's questions, a line of JSON each."""

import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

MARK = "@answer "  # libraries print, too


class Contender(Protocol):
    """A training step on the device.

    `prepare` builds and compiles it and takes a first step, and says what it is; `run(n)` takes n steps and returns
    when they are done; `memory` is the bytes that a step needs at most; `kernels` are the device's dearest of a few
    steps, each with its milliseconds a step.
    """

    def prepare(self) -> dict[str, Any]: ...

    def run(self, count: int) -> None: ...

    def memory(self) -> int | None: ...

    def kernels(self) -> list[tuple[str, float]]: ...


def serve(contender: Contender) -> None:
    """Answers `prepare`, `time N`, `memory` and `kernels` until its standard input ends."""

    def timed(count: str) -> float:
        start = time.perf_counter()
        contender.run(int(count))
        return time.perf_counter() - start

    answers: dict[str, Callable[..., Any]] = {
        "prepare": contender.prepare,
        "time": timed,
        "memory": contender.memory,
        "kernels": contender.kernels,
    }
    for line in sys.stdin:
        question, *arguments = line.split()
        try:
            answer = {"value": answers[question](*arguments)}
        except Exception as error:  # whatever goes wrong on a device shall cost one number, not the others
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(MARK + json.dumps(answer), flush=True)
