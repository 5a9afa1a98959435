"""Metrics to `metrics.jsonl` and TensorBoard: one row a logging step, checked to be finite."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from tensorboardX import SummaryWriter

from jaxgen.errors import NonFiniteError
from jaxgen.files import write_atomically
from jaxgen.training.run_folder import RunFolder

Held = list[tuple[int, Mapping[str, Any]]]


class MetricLog:
    """Writes the rows of a run, and on resuming drops those after the checkpoint.

    A row is fetched from the device only when the next one is due, so the device never waits for the host.
    """

    def __init__(self, folder: RunFolder, start_step: int):
        self._file = _open_at(folder.metrics_file, start_step)
        self._events = SummaryWriter(str(folder.path), purge_step=start_step or None)
        self._since_row: Held = []
        self._row: Held = []
        self._extra: Mapping[str, float] = {}

    def add(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
        """Holds the metrics `[steps]` of a call whose last step was `step`."""
        self._since_row.append((step, metrics))

    def row(self, **extra: float) -> dict[str, float] | None:
        """Ends a row at the last step added, with `extra` (throughput) in it; writes and returns the row before it.

        Raises:
          NonFiniteError: a metric of a step in the row written is NaN or infinite.
        """
        written = self._write()
        self._row, self._since_row, self._extra = self._since_row, [], extra
        return written

    def check(self) -> None:
        """Waits for every step so far.

        Raises:
          NonFiniteError: a metric of one of them is NaN or infinite.
        """
        _check_finite(jax.device_get(self._row + self._since_row))

    def close(self) -> None:
        """Writes the last row."""
        try:
            self._write()
        finally:
            self._file.close()
            self._events.close()

    def _write(self) -> dict[str, float] | None:
        if not self._row:
            return None
        fetched, self._row = jax.device_get(self._row), []
        _check_finite(fetched)
        step, metrics = fetched[-1]
        row = {"step": step, **{name: float(values[-1]) for name, values in metrics.items()}, **self._extra}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        for name in row.keys() - {"step"}:
            self._events.add_scalar(name, row[name], step)
        return row


def _check_finite(fetched: Held) -> None:
    for last_step, metrics in fetched:
        for name, values in metrics.items():
            for step, value in enumerate(values, start=last_step - len(values) + 1):
                if not math.isfinite(value):
                    raise _non_finite(step, name, value)


def _non_finite(step: int, name: str, value: float) -> NonFiniteError:
    phase, _, metric = name.rpartition("/")
    kind = "NaN" if math.isnan(value) else "infinite"
    return NonFiniteError(
        f"{metric} of phase {phase} became {kind} at step {step}; the last checkpoint precedes it: look at the curves, "
        "and start over with a lower learning rate."
    )


def _open_at(path: Path, start_step: int) -> Any:
    rows = path.read_text().splitlines() if path.exists() else []
    kept = [row for row in rows if row.endswith("}") and json.loads(row)["step"] <= start_step]
    write_atomically(path, "".join(row + "\n" for row in kept).encode())
    return path.open("a")
