"""`metrics.jsonl`, one JSON object a line: what is whole of a damaged one is still worth having."""

import json
from pathlib import Path
from typing import Any

from jaxgen.files import read_regular

Row = dict[str, Any]


def read_rows(path: Path) -> tuple[list[Row], int]:
    """The rows of a file, and how many of its lines are none.

    A row is an object with a `step`, a whole number from 0 below 2⁶³. Half a line at the end is what a kill leaves of a
    row, or a run that goes on: it is passed over and not counted.

    Args:
      path: the file; where there is none there are no rows.
    """
    *lines, unfinished = read_regular(path).split(b"\n") if path.exists() else [b""]
    found = [_row(line) for line in lines if line.strip()]
    last = _row(unfinished)
    rows = [row for row in (*found, last) if row is not None]
    return rows, found.count(None)


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    step = row.get("step") if isinstance(row, dict) else None
    return row if type(step) is int and 0 <= step < 2**63 else None
