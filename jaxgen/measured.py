"""Figures of the shipped experiments as they were measured: one line of JSON a run, several seeds a setting."""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgen.rounding import rounded

SEEDS = 3  # that a setting is to have


@dataclasses.dataclass(frozen=True)
class Measured:
    """One run, and what it reached.

    Attributes:
      experiment: its name.
      data: the data set's.
      options: of `jaxgen train` beside data and seed; empty for the data's preset.
      evaluated: options of `jaxgen eval`; empty where it was not called.
      seed: the run's.
      figures: name -> what got it ("" for the run, else a null control) -> value.
      steps: training steps.
      seconds: of processor time: the whole command's, compilation and evaluation with it; None of a run that was
        interrupted, and went on.
      config: first digits of the hash of all settings but the seed.
      commit: of the code, first digits.
      machine: what computed: devices, cores of the CPU, jax, with commas between.
      date: of the end, UTC.
    """

    experiment: str
    data: str
    options: str
    evaluated: str
    seed: int
    figures: dict[str, dict[str, float]]
    steps: int
    seconds: float | None
    config: str
    commit: str
    machine: str
    date: str

    @property
    def setting(self) -> tuple[str, str, str, str]:
        """What runs that differ by their seed alone have in common."""
        return self.experiment, self.data, self.options, self.evaluated


def read(path: Path) -> list[Measured]:
    """Every run of a file."""
    return [Measured(**json.loads(text)) for text in path.read_text().splitlines()]


def by_setting(runs: Iterable[Measured]) -> dict[tuple[str, str, str, str], list[Measured]]:
    """The newest run of each seed, of each setting, in the order of the settings' first runs and of seeds."""
    found: dict[tuple[str, str, str, str], dict[int, Measured]] = {}
    for run in runs:
        found.setdefault(run.setting, {})[run.seed] = run
    return {setting: [seeds[seed] for seed in sorted(seeds)] for setting, seeds in found.items()}


def summary(runs: Sequence[Measured]) -> str:
    """What the seeds of one setting reached: each figure, its null controls, how many seeds, their seconds."""
    parts = []
    for name in runs[0].figures:
        mine = value([run.figures[name][""] for run in runs])
        nulls = ", ".join(f"{null} {shown}" for null, shown in controls(runs, name).items())
        parts.append(f"{name} {mine}" + (f" ({nulls})" if nulls else ""))
    return f"{'; '.join(parts)} ({count(runs)}, {seconds(runs)})"


def controls(runs: Sequence[Measured], name: str) -> dict[str, str]:
    """Null control -> what it got, of one figure."""
    others = dict.fromkeys(null for run in runs for null in run.figures[name] if null)
    return {
        null: value([run.figures[name][null] for run in runs if null in run.figures[name]], spread=False)
        for null in others
    }


def value(values: Sequence[float], spread: bool = True) -> str:
    """Mean ± standard deviation by n - 1; the mean alone where there is none, or it is not asked for."""
    deviation = statistics.stdev(values) if spread and len(values) > 1 else 0.0
    return " ± ".join(filter(None, rounded(statistics.fmean(values), deviation)))


def count(runs: Sequence[Measured]) -> str:
    """How many seeds of those that are asked for."""
    return f"{len(runs)} of {max(SEEDS, len(runs))} seeds"


def seconds(runs: Sequence[Measured]) -> str:
    """Processor time from the least to the most; what was not computed by CPUs alone is told apart, by its device."""
    found: dict[str, list[Measured]] = {}
    for run in runs:
        found.setdefault(run.machine.split(",")[0].removesuffix(" x1"), []).append(run)
    parts = []
    for device, each in found.items():
        count = f"{len(each)} in " if len(found) > 1 else ""
        parts.append(count + _span(each) + ("" if device.startswith("cpu") else f" with {device}"))
    return ", ".join(parts)


def _span(runs: Sequence[Measured]) -> str:
    known = [run.seconds for run in runs if run.seconds is not None]
    if not known:
        return "interrupted"
    least, most = min(known), max(known)
    return f"{least:.0f} s" if round(least) == round(most) else f"{least:.0f}-{most:.0f} s"


def of_experiments(path: Path) -> Mapping[str, Mapping[str, str]]:
    """Experiment -> data set -> what it reached by its preset; where that was not run, by the first other setting."""
    found: dict[str, dict[str, str]] = {}
    for (experiment, data, options, _), runs in sorted(by_setting(read(path)).items(), key=lambda item: item[0][2]):
        text = f"`{options}`: {summary(runs)}" if options else summary(runs)
        found.setdefault(experiment, {}).setdefault(data, text)
    return found


def line(run: Measured) -> str:
    """The run as a line of JSON."""
    return json.dumps(dataclasses.asdict(run), ensure_ascii=False)


def picked(figures: Mapping[tuple[str, str], float], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The named figures of a run with their null controls, six digits of each."""
    return {
        name: {of: float(f"{number:.6g}") for (figure, of), number in figures.items() if figure == name}
        for name in names
    }
