"""Metrics to `metrics.jsonl` and TensorBoard: one row a logging step, checked to be finite."""

import contextlib
import itertools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax

from jaxgen.core import Watch
from jaxgen.errors import NonFiniteError
from jaxgen.files import AppendedFile, write_atomically
from jaxgen.rows import read_rows
from jaxgen.training.event_file import EventFile
from jaxgen.training.run_folder import RunFolder

Due = Mapping[str, Sequence[int]]  # phase -> the numbers of the steps its metrics are of
Held = list[tuple[int, Mapping[str, Any], Due]]


class MetricLog:
    """Writes the rows of a run, and on resuming drops those after the checkpoint.

    A row holds the last values since the row before it: of a phase that was not due in between, none. It is fetched
    from the device only when the next one is due, so the device never waits for the host. Of several processes all
    check and the first writes.

    Args:
      folder: of the run.
      start_step: where it goes on, from now.
      images_per_step: what a step takes, for `images_per_second` in each row.
      say: takes a sentence when the disk is full, and rows wait in memory while training goes on; and when lines of an
        earlier file were damaged, which are then left out.
      watch: a metric of which a sentence is said when it is first above its limit.
      begun: of the first row, what was there when the run stopped (`check`).
    """

    def __init__(
        self,
        folder: RunFolder,
        start_step: int,
        images_per_step: int,
        say: Callable[[str], None] = print,
        watch: Watch | None = None,
        begun: Mapping[str, float] = MappingProxyType({}),
    ):
        first = jax.process_index() == 0
        self._rows = _open_at(folder.metrics_file, start_step, say) if first else None
        self._events = EventFile(folder.path, start_step) if first else None
        self._say = say
        self._disk_full = False
        self._watch = watch
        self._since_row: Held = [(start_step, {name: [value] for name, value in begun.items()}, {})]
        self._row: Held = []
        self._images_per_step = images_per_step
        self._ended = now = time.perf_counter()  # when the host was through with the row
        # Of the row before: its step, when it was fetched, and when the host was through.
        self._last = (start_step, now, now)
        self._written: dict[str, float] | None = None

    def add(self, step: int, metrics: Mapping[str, jax.Array], due: Due = MappingProxyType({})) -> None:
        """Holds the metrics `[steps]` of a call whose last step was `step`, those of a phase of the steps `due`."""
        self._since_row.append((step, metrics, due))

    def row(self) -> dict[str, float] | None:
        """Ends a row at the last step added; returns the last row written.

        Raises:
          NonFiniteError: a metric of a step in the row before it, which is now written, is NaN or infinite.
        """
        ended = time.perf_counter()
        self._write()
        self._row, self._since_row, self._ended = self._since_row, [], ended
        return self._written

    @property
    def written(self) -> dict[str, float] | None:
        """The last row written."""
        return self._written

    def picture(self, step: int, path: Path | None) -> None:
        """Shows a PNG of samples in TensorBoard too, where there is one."""
        if self._events and path is not None:
            with contextlib.suppress(OSError):  # it is in its folder still, as far as it was drawn
                self._events.picture(step, path.read_bytes())

    def check(self) -> dict[str, float]:
        """Waits for every step so far and writes the rows that are complete, as they must be before a checkpoint is.

        Returns what the next row holds so far, which a checkpoint takes along: a phase that is not due again before
        that row would be missing in it.

        Raises:
          NonFiniteError: a metric of one of the steps is NaN or infinite.
        """
        self._write()
        fetched = _fetch(self._since_row)
        check_finite(fetched)
        return _last(fetched)

    def close(self) -> None:
        """Writes the last row."""
        try:
            self._write()
        finally:
            if self._rows and self._events:
                self._rows.close()
                self._events.close()

    def _write(self) -> None:
        """Writes the row that is complete, if there is one, and what a full disk has kept waiting."""
        row = self._complete() if self._row else {}
        if not (self._rows and self._events):
            return
        record = (json.dumps(row) + "\n").encode() if row else b""
        error, other = self._rows.append(record), self._events.append(row)  # both, or one would miss the row
        error = error or other
        if error and not self._disk_full:
            self._say(f"metrics cannot be written ({error.strerror}); training goes on, and keeps them until they can.")
        self._disk_full = error is not None

    def _complete(self) -> dict[str, float]:
        fetched, self._row = _fetch(self._row), []
        check_finite(fetched)
        step = fetched[-1][0]
        speed = self._speed(step)
        row = {"step": step, **_last(fetched), "images_per_second": round(speed, 1)}
        self._written = row
        self._warn(row)
        return row

    def _speed(self, step: int) -> float:
        """Images a second since the last row, by the slower of device and host.

        Calls return long before they are done; a row that was fetched is.
        """
        last_step, last_fetched, last_ended = self._last
        self._last = step, time.perf_counter(), self._ended
        seconds = max(self._last[1] - last_fetched, self._ended - last_ended)
        return (step - last_step) * self._images_per_step / seconds

    def _warn(self, row: Mapping[str, float]) -> None:
        if (watch := self._watch) and row.get(watch.name, 0.0) > watch.limit:
            self._say(
                f"{watch.name} is {row[watch.name]:.2g} at step {row['step']}, above {watch.limit:g}; {watch.advice}."
            )
            self._watch = None


def _fetch(held: Held) -> Held:
    fetched = jax.device_get([metrics for _, metrics, _ in held])
    return [(step, metrics, due) for (step, _, due), metrics in zip(held, fetched, strict=True)]


def _last(fetched: Held) -> dict[str, float]:
    """The last value that there is of each metric: not every phase is due in every step."""
    return {name: float(values[-1]) for _, metrics, _ in fetched for name, values in metrics.items()}


def check_finite(fetched: Held) -> None:
    """Looks at the metrics of calls, in order.

    Raises:
      NonFiniteError: names the first that is NaN or infinite, and its step.
    """
    for last_step, metrics, due in fetched:
        for name, values in metrics.items():
            steps = due.get(name.rpartition("/")[0], ())
            if len(steps) != len(values):  # not a phase's own, but of the last steps
                steps = range(last_step - len(values) + 1, last_step + 1)
            for step, value in zip(steps, values, strict=True):
                if not math.isfinite(value):
                    raise _non_finite(step, name, value)


def _non_finite(step: int, name: str, value: float) -> NonFiniteError:
    owner, _, metric = name.rpartition("/")
    kind = "NaN" if math.isnan(value) else "infinite"
    return NonFiniteError(f"{metric} of {owner} became {kind} at step {step}", step)


def _open_at(path: Path, start_step: int, say: Callable[[str], None]) -> AppendedFile:
    rows, damaged = read_rows(path)
    if damaged:
        names = (path.with_name(f"{path.stem}.damaged-{number}{path.suffix}") for number in itertools.count(1))
        aside = next(name for name in names if not name.exists())
        write_atomically(aside, path.read_bytes())
        say(f"{damaged} lines of {path} are damaged and left out; the file as it was is kept as {aside.name}.")
    kept = (json.dumps(row) + "\n" for row in rows if row["step"] <= start_step)
    write_atomically(path, "".join(kept).encode())
    return AppendedFile(path)
