"""Stopping where nothing is lost: between two steps, and on all processes at the same one."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

import jax
from jax.experimental import multihost_utils

from jaxgen.errors import Preempted


class StopRequests:
    """Whether Ctrl-C was pressed or SIGTERM came.

    Attributes:
      error: what to raise once the state is saved; None before anybody asked.
    """

    def __init__(self) -> None:
        self.error: KeyboardInterrupt | None = None
        self._polls = 0

    def __call__(self) -> bool:
        """Whether to stop here. All processes ask equally often, before each compiled call, and get the same answer."""
        if jax.distributed.is_initialized():
            self._polls += 1  # not the step, which JAX would expect to grow by one
            if multihost_utils.reached_preemption_sync_point(self._polls):
                self.error = Preempted()
        return self.error is not None


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """Notes signals instead of dying of them: between calls is the only moment at which the donated state exists.

    A second Ctrl-C stops at once; a second SIGTERM, which schedulers send as they please, changes nothing. On several
    processes JAX itself catches SIGTERM and finds a call that none of them has begun; Ctrl-C then counts as SIGTERM.
    """
    requests = StopRequests()

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before[signal.SIGINT])
        if jax.distributed.is_initialized():
            signal.raise_signal(signal.SIGTERM)
        else:
            requests.error = KeyboardInterrupt()

    def terminate(number: int, frame: Any) -> None:
        requests.error = Preempted()

    handlers = {signal.SIGINT: interrupt}
    if not jax.distributed.is_initialized():
        handlers[signal.SIGTERM] = terminate
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """Lets SIGTERM end a command as Ctrl-C does, with its own exit code, wherever there is nothing to save.

    Does nothing where JAX catches the signal.
    """
    if jax.distributed.is_initialized():
        yield
        return

    def terminate(number: int, frame: Any) -> None:
        raise Preempted

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
