"""Several processes that train as one: JAX's own runtime, found or told, and an end for all when one of them fails."""

import contextlib
import hashlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np
from jax._src.clusters import ClusterEnv  # which JAX has nowhere else
from jax.experimental import multihost_utils

from jaxgen.console import say
from jaxgen.errors import UserError
from jaxgen.training.rendezvous import meet

_HEARTBEAT_SECONDS = 30  # after so long without a sign of life from one process, JAX ends the others
_FAREWELL_SECONDS = 1  # by which process 0, where JAX's runtime lives, outlives the others when all end
_MOST_BYTES = 1 << 16  # of a process's settings, when they differ


def join(
    coordinator: str | None, process_count: int | None, process_id: int | None, *, detect: bool, timeout: int = 300
) -> None:
    """Makes this process one of several, before JAX touches a device; a process on its own stays as it is.

    Args:
      coordinator: HOST:PORT of process 0, where it will listen.
      process_count: how many there are.
      process_id: which one this is, from 0.
      detect: without the three, ask the cluster (Cloud TPU, GKE, SLURM, Open MPI) if this process runs on one.
      timeout: seconds to wait for the others.

    Raises:
      UserError: some of the three are missing or impossible, or the others cannot be reached.
    """
    given = {"coordinator": coordinator, "num_processes": process_count, "process_id": process_id}
    missing = [name for name, value in given.items() if value is None]
    if missing and len(missing) < len(given):
        raise UserError(f"{missing[0]} is missing; coordinator, num_processes and process_id are given together.")
    local_devices = None
    if detect and coordinator is None:
        coordinator, process_count, process_id, local_devices = _detected(timeout)
        if process_count == 1:
            return
    if coordinator is None:
        return
    assert process_count is not None  # or it would be missing
    assert process_id is not None
    host, _, port = coordinator.rpartition(":")
    if not host.strip("[]") or "/" in host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"coordinator is {coordinator!r}; it must be HOST:PORT, as in 10.0.0.1:1234.")
    if process_count < 1:
        raise UserError(f"num_processes is {process_count}; it must be at least 1.")
    if not 0 <= process_id < process_count:
        raise UserError(f"process_id is {process_id}; it must be from 0 to {process_count - 1}, below num_processes.")
    meet(host.strip("[]"), int(port), process_count, process_id, timeout=timeout, say=say)
    try:
        jax.distributed.initialize(
            coordinator,
            process_count,
            process_id,
            local_devices,
            cluster_detection_method="deactivate",
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
            initialization_timeout=timeout,
        )
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"coordinator {coordinator} cannot be reached ({reason}); start process 0 there.") from error
    except RuntimeError as error:
        if not _came_too_late(error):
            raise
        raise UserError(
            "the experiment's file computes with JAX when it is imported, before this process has joined the others; "
            "move that into `experiment(config)`."
        ) from error


def check_agreement(settings: Callable[[], Mapping[str, Any]], remedy: str = "start all with the same command") -> None:
    """Refuses to go on where processes differ, on all of them alike; one on its own agrees.

    Args:
      settings: gives name -> JSON value, which all shall have; asked where there are several processes.
      remedy: what to do where they have not.

    Raises:
      UserError: names the first that differs, and two processes.
    """
    if jax.process_count() == 1:
        return
    texts = {name: _shortened(json.dumps(value, sort_keys=True, default=str)) for name, value in settings().items()}
    mine = json.dumps(texts, sort_keys=True).encode()[:_MOST_BYTES]
    digests = multihost_utils.process_allgather(np.frombuffer(hashlib.sha256(mine).digest(), np.uint8))
    if (digests == digests[0]).all():
        return
    rows = multihost_utils.process_allgather(np.frombuffer(mine.ljust(_MOST_BYTES), np.uint8))
    first, *others = (json.loads(row.tobytes()) for row in rows)
    for index, other in enumerate(others, 1):
        for name in sorted(first.keys() | other.keys()):
            here, there = (each.get(name, "absent") for each in (first, other))
            if here != there:
                raise UserError(f"{name} is {here} for process 0 and {there} for process {index}; {remedy}.")


def code_version(*files: Path) -> str:
    """A hash of the library's source and of further files."""
    library = sorted(Path(__file__).parents[1].rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in (*library, *files))).hexdigest()[:12]


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:60]}... (SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:8]})"


def on_first_process(action: Callable[[], Any]) -> None:
    """Acts once on what all processes share, such as a folder; the others wait until it is done."""
    if jax.process_index() == 0:
        action()
    multihost_utils.sync_global_devices("jaxgen first process")


@contextlib.contextmanager
def failing_together() -> Iterator[None]:
    """Around a command: a process of several that fails ends at once, so that the others, waiting for it, fail too.

    An exception alone would not: on its way out the process waits, in JAX, for the others to finish.
    """
    try:
        with crashing_at_once():
            yield
    except UserError as error:
        if not jax.distributed.is_initialized():
            raise
        say(error)
        if jax.process_index() == 0:
            time.sleep(_FAREWELL_SECONDS)
        _end(error.exit_code)


@contextlib.contextmanager
def crashing_at_once() -> Iterator[None]:
    """Around training: as above, and at the place of the crash, for closing what is open there waits for the others.

    A `UserError` passes: all processes raise it together, and what is open is closed in order.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or not jax.distributed.is_initialized():
            raise
        traceback.print_exc()
        say(
            f"process {jax.process_index()} of {jax.process_count()} failed and ends; if it lost its "
            "connection, look at the one that ended first. The same command on all of them continues from the last "
            "checkpoint."
        )
        _end(1)


def _end(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _detected(timeout: int) -> tuple[str | None, int | None, int | None, Sequence[int] | None]:
    """What the cluster says of the coordinator, how many processes there are, which this is, and its devices.

    `jax.distributed.initialize` asks the same, but goes on to wait without a word and to end in a stack of C++.
    """
    return ClusterEnv.auto_detect_unset_distributed_params(None, None, None, None, None, timeout)


def _came_too_late(error: RuntimeError) -> bool:
    """Whether devices were already in use, as in a notebook."""
    return "must be called before" in str(error)
