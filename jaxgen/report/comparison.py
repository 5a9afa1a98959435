"""Runs beside one another: the settings they differ in, their figures, and their spread where only seeds differ."""

import dataclasses
import math
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.errors import UserError
from jaxgen.report.directions import titled
from jaxgen.report.page import inside, read_json
from jaxgen.rounding import is_number, rounded, show
from jaxgen.rows import Row, read_rows


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What a run's folder holds.

    Attributes:
      folder: the run's.
      settings: what it was made with and by, as text; `seed` is among them where it has one.
      rows: of `metrics.jsonl`.
      evaluation: of `eval.json`; empty where there is none.
    """

    folder: pathlib.Path
    settings: dict[str, str]
    rows: list[Row]
    evaluation: dict[str, Any]

    @classmethod
    def read(cls, folder: pathlib.Path) -> "Recorded":
        """Reads a run folder.

        Raises:
          UserError: it is none, or one of its JSON files cannot be read.
        """
        config = read_json(folder, "config.json") or {}
        if not isinstance(config.get("config"), dict):
            raise UserError(
                f"{folder} is not a run of jaxgen (it has no config.json); name a folder that `jaxgen train` wrote."
            )
        made = {name: config.get(name, "") for name in ("experiment", "method", "data", "device")}
        settings = {**made, **_mapping(config.get("versions")), **config["config"]}
        rows = read_rows(folder / "metrics.jsonl")[0] if inside(folder, "metrics.jsonl") else []
        try:
            shown = {name: show(value) for name, value in settings.items()}
        except RecursionError as error:
            raise UserError(f"{folder}: config.json is nested too deeply to be shown; mend it.") from error
        return cls(folder, shown, rows, read_json(folder, "eval.json") or {})

    @property
    def figures(self) -> dict[tuple[str, str], float]:
        """Values by figure and what got it: "" for the run, else a null control or other data that it stands beside."""
        found: dict[tuple[str, str], Any] = {}
        for kind in ("figures", "whole_sets", "drawn"):
            for name, entry in _mapping(self.evaluation.get(kind)).items():
                values = entry if isinstance(entry, Mapping) else {"mean": entry}
                found[name, ""] = values.get("mean", values.get("value"))
                found[name, "untrained"] = values.get("untrained")
                found |= {(name, null): value for null, value in _mapping(values.get("nulls")).items()}
        samples = _mapping(self.evaluation.get("samples"))
        for part, of in (("figures", ""), ("untrained", "untrained"), ("training_images", "training images")):
            for name, entry in _mapping(samples.get(part)).items():
                found[name, of] = _mapping(entry).get("mean")
        order = {name: index for index, (name, of) in enumerate(found) if not of}
        known = {key: value for key, value in found.items() if is_number(value) and key[0] in order}
        return dict(sorted(known.items(), key=lambda item: (order[item[0][0]], item[0][1])))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


Runs = Mapping[str, Recorded]  # by what they are called


def differing(runs: Runs) -> dict[str, list[str]]:
    """The settings that are not alike in all runs, each with its value in every run; empty where a run has no such."""
    names = dict.fromkeys(name for run in runs.values() for name in run.settings)
    values = {name: [run.settings.get(name, "") for run in runs.values()] for name in names}
    return {name: of for name, of in values.items() if len(set(of)) > 1}


def by_seed(runs: Runs) -> list[list[str]]:
    """The names of the runs in groups that differ by their seed alone, in the order they come."""
    groups: dict[Any, list[str]] = {}
    for name, run in runs.items():
        same = frozenset((setting, value) for setting, value in run.settings.items() if setting != "seed")
        groups.setdefault(same, []).append(name)
    return list(groups.values())


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation of one run (by n - 1) of those that are finite, and how many are where not all."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    mean, deviation = rounded(statistics.fmean(finite), statistics.stdev(finite))
    return f"{mean} ± {deviation or 0}" + (f" ({len(finite)} of {len(values)})" if len(finite) < len(values) else "")


def figures_of(runs: Runs) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of text: a figure or its null control a row, a run a column, and the spread of runs that differ
    by their seed alone as the last column of their group.
    """
    groups = by_seed(runs)
    headers, figures = ["figure"], {name: run.figures for name, run in runs.items()}
    for group in groups:
        of = f" of {', '.join(group)}" if len(groups) > 1 else ""
        headers += [*group, f"mean ± deviation{of}"] if len(group) > 1 else group
    rows = []
    for figure, of in dict.fromkeys(key for found in figures.values() for key in found):
        row = [f"  {of}" if of else titled(figure)]
        for group in groups:
            values = [figures[name].get((figure, of), math.nan) for name in group]
            row += ["" if math.isnan(value) else rounded(value)[0] for value in values]
            row += [spread(values)] if len(group) > 1 else []
        rows.append(row)
    return headers, rows
