"""Where processes meet before JAX joins them, so that whoever is missing is named and a signal ends the waiting.

JAX waits for minutes without a word and hears no signal while it does; a process that never comes, or a number given
twice, ends in a stack of C++. Here every process tells the first its number over the port that JAX will use, and goes
on when all have come.
"""

import contextlib
import errno
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from jaxgen.errors import UserError

_HELLO = struct.Struct(">6sII")  # a greeting, how many processes there are, which one this is
_GREETING = b"jaxgen"
_TICK = 0.2  # seconds from one look to the next
_SILENCE = 10.0  # seconds of waiting before it is said for whom


def meet(host: str, port: int, count: int, index: int, *, timeout: float, say: Callable[[str], None]) -> None:
    """Returns when all processes have come.

    Args:
      host: of process 0.
      port: there.
      count: how many processes there are.
      index: which one this is.
      timeout: seconds.
      say: takes a sentence about who is missing, after a while.

    Raises:
      UserError: somebody did not come in time, two have one number or other counts, or the port is taken.
    """
    start = time.monotonic()
    if index == 0:
        with _listening(host, port) as server:
            _receive(server, count, start, timeout, say)
    else:
        _report(host, port, count, index, start, timeout, say)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        server = socket.create_server(("", port), family=family, dualstack_ipv6=dual)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise UserError(
            f"coordinator {host}:{port} is in use by another program, or another process 0; choose another port."
        ) from error
    with server:
        yield server


def _receive(server: socket.socket, count: int, start: float, timeout: float, say: Callable[[str], None]) -> None:
    """Process 0: collects the others, tells them who is missing, and lets them go on together."""
    came: dict[int, socket.socket] = {}
    said = False

    def tell(line: str) -> None:
        for other in came.values():
            with contextlib.suppress(OSError):
                other.sendall(f"{line}\n".encode())

    def end(sentence: str) -> NoReturn:
        tell(f"!{sentence}")
        raise UserError(sentence)

    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as waiting:
        waiting.register(server, selectors.EVENT_READ)
        while len(came) < count - 1:
            for key, _ in waiting.select(_TICK):
                if key.fileobj is server:
                    other = stack.enter_context(server.accept()[0])
                    hello = _hello(other)
                    if hello is None:
                        other.close()  # nobody of ours
                        continue
                    their_count, index = hello
                    if index in came or not 0 < index < count or their_count != count:
                        came[-1] = other  # who is told, too
                    if their_count != count:
                        end(f"num_processes is {count} for process 0 and {their_count} for {index}; give all the same.")
                    if -1 in came:
                        end(f"process_id {index} is given to two processes; number {count} of them from 0.")
                    came[index] = other
                    waiting.register(other, selectors.EVENT_READ, index)
                else:  # nothing is sent before all have come: this one has gone
                    waiting.unregister(key.fileobj)
                    came.pop(key.data).close()
            missing = _numbers(sorted(set(range(1, count)) - set(came)))
            if missing and time.monotonic() - start > timeout:
                end(f"process {missing} of {count} did not come within {timeout:g} s; start it, or raise join_timeout.")
            if missing and not said and time.monotonic() - start > _SILENCE:
                said = True
                sentence = f"waiting for process {missing} of {count}, for {timeout:g} s at most."
                tell(f"?{sentence}")
                say(sentence)
        tell("go")
        for other in came.values():  # who closes first holds the port for a while: let it be them
            other.settimeout(1)
            with contextlib.suppress(OSError):
                other.recv(1)


def _report(
    host: str, port: int, count: int, index: int, start: float, timeout: float, say: Callable[[str], None]
) -> None:
    """Any other process: tells the first that it is here, and waits until that lets it go on."""
    said = False
    while time.monotonic() - start <= timeout:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1) as first:
            first.sendall(_HELLO.pack(_GREETING, count, index))
            for line in _lines(first, start + timeout + 2 * _SILENCE):  # the first knows better who is late
                if line == "go":
                    return
                if line.startswith("!"):
                    raise UserError(line[1:])
                said = True
                say(line[1:])
        if not said and time.monotonic() - start > _SILENCE:
            said = True
            say(f"waiting for process 0 at {host}:{port}, for {timeout:g} s at most.")
        time.sleep(_TICK)
    raise UserError(
        f"coordinator {host}:{port} cannot be reached within {timeout:g} s; start process 0 there, or raise "
        "join_timeout."
    )


def _hello(other: socket.socket) -> tuple[int, int] | None:
    """How many processes a newcomer knows of and which it is; None where it is none of ours."""
    other.settimeout(1)
    with contextlib.suppress(OSError, struct.error):
        greeting, count, index = _HELLO.unpack(other.recv(_HELLO.size, socket.MSG_WAITALL))
        if greeting == _GREETING:
            return count, index
    return None


def _lines(first: socket.socket, end: float) -> Iterator[str]:
    """What process 0 says, until it closes or is silent for too long."""
    first.settimeout(_TICK)
    text = b""
    while time.monotonic() < end:
        try:
            received = first.recv(4096)
        except TimeoutError:
            continue
        if not received:
            return
        *whole, text = (text + received).split(b"\n")
        yield from (line.decode(errors="replace") for line in whole)


def _numbers(missing: list[int]) -> str:
    """ "2", "2, 3", or "2, 3, 4 and 12 more"."""
    shown = ", ".join(map(str, missing[:8]))
    return f"{shown} and {len(missing) - 8} more" if len(missing) > 8 else shown
