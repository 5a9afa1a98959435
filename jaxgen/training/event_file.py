"""TensorBoard's event file, written in the caller's thread.

tensorboardX's own writer has a thread, which a full disk ends, and then training waits for it forever.
"""

import contextlib
import itertools
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgen.files import AppendedFile


@contextlib.contextmanager
def _without(name: str) -> Iterator[None]:
    """Makes importing a module fail, unless it is imported already."""
    modules: dict[str, Any] = sys.modules
    absent = name not in modules
    if absent:
        modules[name] = None
    try:
        yield
    finally:
        if absent:
            del modules[name]


with _without("torch"):  # which tensorboardX would import, for seconds, wherever it is installed
    from tensorboardX.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboardX.record_writer import masked_crc32c
    from tensorboardX.summary import hparams, scalar


_numbers = itertools.count()  # of this process's files, some of which begin in one second


class EventFile:
    """One new event file in a folder.

    Args:
      folder: where TensorBoard looks.
      start_step: the step the run goes on from, after which events of earlier files are declared void; None leaves
        them.
    """

    def __init__(self, folder: Path, start_step: int | None = None):
        # As TensorBoard begins its own: others tell by the whole seconds and the host which files are a run's.
        name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{next(_numbers):03}.{os.getpid()}"
        self._file = AppendedFile(folder / name)
        self._append(file_version="brain.Event:2")
        if start_step is not None:
            self._append(step=start_step + 1, session_log=SessionLog(status=SessionLog.START))

    def append(self, row: Mapping[str, float]) -> OSError | None:
        """Writes what waits and a row's values at its `step` as scalars; returns the error that makes them wait."""
        for name in row:
            if name != "step":
                self._append(step=int(row["step"]), summary=scalar(name, row[name]))
        return self._file.append()

    def picture(self, step: int, png: bytes) -> OSError | None:
        """Writes a PNG as the samples at a step; returns as `append` does."""
        width, height = struct.unpack(">II", png[16:24])
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=png)
        self._append(step=step, summary=Summary(value=[Summary.Value(tag="samples", image=image)]))
        return self._file.append()

    def settings(self, values: Mapping[str, Any]) -> OSError | None:
        """Writes a run's settings for TensorBoard's table of hyperparameters, whose metrics are all the scalars."""
        shown = {name: x if isinstance(x, bool | int | float | str) else json.dumps(x) for name, x in values.items()}
        _, start, _ = hparams(shown, {})
        self._append(step=0, summary=start)
        return self._file.append()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _append(self, **event: Any) -> None:
        data = Event(wall_time=time.time(), **event).SerializeToString()
        length = struct.pack("<Q", len(data))
        checks = [struct.pack("<I", masked_crc32c(part)) for part in (length, data)]
        self._file.append(length + checks[0] + data + checks[1])
