"""Training curves: from logged rows to the geometry of small line charts, which page.html draws as inline SVG."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxgen.rounding import is_number, number

WIDTH, HEIGHT = 330, 204  # the SVG's own units; about pixels, since a chart is shown about as wide
TOP, BOTTOM = 12, 24
LABEL_HEIGHT = 27  # two lines of text
LOWEST = HEIGHT - BOTTOM - 8  # of a label, whose second line is then above the numbers of the steps
MOST_POINTS = 1000
MOST = 1e300  # what is larger counts as infinite: differences of such numbers are
NOT_DRAWN = {"step", "epoch", "time", "seconds"}  # clocks


@dataclasses.dataclass(frozen=True)
class Line:
    """One metric in a chart.

    Attributes:
      label: what tells it from the panel's other lines; empty where it is alone.
      value: its last value (of `median` where that is drawn), as text.
      path: SVG path of the logged values.
      median: SVG path of the moving median; None where the values are calm enough without.
      label_y: where its label goes.
    """

    label: str
    value: str
    path: str
    median: str | None
    label_y: float


@dataclasses.dataclass(frozen=True)
class Panel:
    """A chart: metrics of one kind against the step.

    Attributes:
      title: the kind, e.g. "loss".
      owner: what logged them, where all come from one phase; else empty.
      lines: the curves, in the order they were logged.
      x_ticks: `(x, text)`, as `y_ticks` are `(y, text)`.
      left: x of the frame's left side, as `right` of its right side.
      stages: `(x, name)` of the stages that begin within the frame.
      notes: sentences on what the drawing does to the numbers.
      description: the chart in words.
    """

    title: str
    owner: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    left: float
    right: float
    stages: list[tuple[float, str]]
    notes: list[str]
    description: str


@dataclasses.dataclass(frozen=True)
class Series:
    """The finite values `y` `[n]` of a metric at steps `x` `[n]`, increasing, and the number of values left out."""

    name: str
    x: np.ndarray
    y: np.ndarray
    left_out: int


def panels(rows: Iterable[Mapping[str, Any]], stages: Mapping[str, float] = MappingProxyType({})) -> list[Panel]:
    """Charts of all metrics: losses first, throughput last, metrics of one kind together.

    The kind is the last part of a metric's name without "real" and "fake": `critic/loss` and `generator/loss` share a
    panel, and so do `critic/real` and `critic/fake`.

    Args:
      rows: `{"step": n, metric: number, ...}`; of two values at one step the later counts, since a resumed run
        logs again the steps after its last checkpoint.
      stages: name -> the step it began after, of every stage but the first.

    Returns:
      One panel a kind, each with at most 1,000 points a line.
    """
    groups: dict[str, list[Series]] = {}
    for series in collect(rows):
        groups.setdefault(kind(series.name), []).append(series)

    return [
        draw(title, *labels([series.name for series in groups[title]]), groups[title], stages)
        for title in sorted(groups, key=rank)
    ]


def overlaid(runs: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[Panel]:
    """Charts of the metrics of several runs, in the order of `panels`: a metric a panel, and in it a line a run.

    Args:
      runs: what a run's line is called -> its rows.
    """
    groups: dict[str, list[Series]] = {}
    for run, rows in runs.items():
        for series in collect(rows):
            groups.setdefault(series.name, []).append(dataclasses.replace(series, name=run))
    drawn = []
    for metric in sorted(groups, key=lambda metric: rank(kind(metric))):
        owner, _, title = metric.rpartition("/")
        drawn.append(draw(title.replace("_", " "), owner, [run.name for run in groups[metric]], groups[metric], {}))
    return drawn


def rank(title: str) -> int:
    """Where a panel goes: losses first, throughput last."""
    return 0 if "loss" in title else 2 if "per second" in title else 1


def kind(name: str) -> str:
    """The title of the panel that metric `name` goes to."""
    words = [word for word in name.split("/")[-1].split("_") if word not in ("real", "fake")]
    return " ".join(words) or "real and fake"


def collect(rows: Iterable[Mapping[str, Any]]) -> list[Series]:
    """The metrics of all rows, in the order they first appear, without those that are never finite."""
    values: dict[str, dict[float, float]] = {}
    for row in rows:
        if not is_number(row.get("step")):
            continue
        for name, value in row.items():
            if name not in NOT_DRAWN and is_number(value):
                values.setdefault(name, {})[row["step"]] = value
    series = []
    for name, by_step in values.items():
        x = np.array(sorted(by_step), dtype=np.float64)
        y = np.array([by_step[step] for step in x], dtype=np.float64)
        finite = np.abs(y) < MOST
        if finite.any():
            series.append(Series(name, x[finite], y[finite], int((~finite).sum())))
    return series


def labels(names: Sequence[str]) -> tuple[str, list[str]]:
    """`(owner, labels)`: what all names begin with, and what tells each from the others."""
    parts = [name.split("/") for name in names]
    columns = zip(*(p[:-1] for p in parts), strict=False)
    ahead = sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, columns))
    owner = "/".join(parts[0][:ahead])
    if len(names) == 1:
        return owner, [""]
    same_end = len({p[-1] for p in parts}) == 1
    return owner, ["/".join(p[ahead:-1] if same_end and len(p) > ahead + 1 else p[ahead:]) for p in parts]


def draw(title: str, owner: str, names: Sequence[str], group: Sequence[Series], stages: Mapping[str, float]) -> Panel:
    """The panel of a group of series that are called `names`, and where stages begin."""
    noisy = any(is_noisy(series.y) for series in group)
    window = max(len(series.y) for series in group) // 50 * 2 + 1
    calm = [moving_median(series, window) if noisy else series for series in group]
    low, high = frame(np.concatenate([series.y for series in group]))
    first, last = min(series.x[0] for series in group), max(series.x[-1] for series in group)
    last = max(last, first + 1)

    x_marks, y_marks = ticks(first, last, 4), ticks(low, high, 5)
    values = [number(series.y[-1]) for series in calm]
    left = 12 + 6.2 * max(len(text) for _, text in y_marks)
    right = WIDTH - 10 - 6.4 * max(len(text) for text in [*names, *values])

    def across(x: Any) -> Any:
        return left + (x - first) / (last - first) * (right - left)

    def down(y: Any) -> Any:
        return HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def path(series: Series) -> str:
        keep = thin(series.y)
        # A far outlier needs no more digits than it takes to leave the frame.
        points = zip(across(series.x[keep]), down(series.y[keep]).clip(-HEIGHT, 2 * HEIGHT), strict=True)
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)

    label_y = spread([float(down(series.y[-1])) for series in calm])
    notes = []
    if noisy:
        notes.append(f"Thick: median of {window} neighbours; thin: as logged.")
    outside = sum(int(((series.y < low) | (series.y > high)).sum()) for series in group)
    if outside:
        bottom, top = min(series.y.min() for series in group), max(series.y.max() for series in group)
        notes.append(f"{outside} values are off the chart; in all: {number(bottom)} to {number(top)}.")
    left_out = sum(series.left_out for series in group)
    if left_out:
        notes.append(f"{left_out} values that are not finite are left out.")
    lines = [
        Line(name, value, path(series), path(median) if noisy else None, y)
        for series, name, value, median, y in zip(group, names, values, calm, label_y, strict=True)
    ]
    words = [
        f"{series.name} goes from {number(series.y[0])} at step {number(series.x[0])} to {number(series.y[-1])} "
        f"at step {number(series.x[-1])}"
        for series in group
    ]
    return Panel(
        title=title,
        owner=owner,
        lines=lines,
        x_ticks=[(across(x), text) for x, text in x_marks],
        y_ticks=[(down(y), text) for y, text in y_marks],
        left=left,
        right=right,
        stages=[(across(step), name) for name, step in stages.items() if first < step < last],
        notes=notes,
        description="Line chart: " + "; ".join(words) + ".",
    )


def is_noisy(y: np.ndarray) -> bool:
    """Whether the values `[n]` go up and down so much that their course is hard to see."""
    return len(y) >= 60 and float(np.abs(np.diff(y)).sum()) > 5 * float(np.ptp(y))


def moving_median(series: Series, window: int) -> Series:
    """The median of the `window` (odd) values around each point, of fewer at the ends; at no more than 1,000 points."""
    centres = np.unique(np.linspace(0, len(series.y) - 1, min(len(series.y), MOST_POINTS)).astype(int))
    half = window // 2
    y = np.array([np.median(series.y[max(0, i - half) : i + half + 1]) for i in centres])
    return dataclasses.replace(series, x=series.x[centres], y=y)


def thin(y: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Indices of at most `most` of the values `[n]`: the ends and every stretch's extremes, so no spike is lost."""
    if len(y) <= most:
        return np.arange(len(y))
    edges = np.linspace(0, len(y), (most - 2) // 2 + 1).astype(int)
    extremes = [(a + int(y[a:b].argmin()), a + int(y[a:b].argmax())) for a, b in itertools.pairwise(edges)]
    return np.unique([0, len(y) - 1, *itertools.chain.from_iterable(extremes)])


def frame(y: np.ndarray) -> tuple[float, float]:
    """The range to show of the values `[n]`: all of it, or its middle 96% where a few values would flatten the rest."""
    low, high = float(y.min()), float(y.max())
    if len(y) >= 50:
        inner_low, inner_high = np.quantile(y, [0.02, 0.98]).tolist()
        if 0 < 4 * (inner_high - inner_low) < high - low:
            low, high = max(low, 1.1 * inner_low - 0.1 * inner_high), min(high, 1.1 * inner_high - 0.1 * inner_low)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Round numbers in [low, high], at most `count` + 1 and about half of it at least, each with its text."""
    power = 10.0 ** math.floor(math.log10((high - low) / count))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power * count >= 0.99 * (high - low))
    marks = [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]
    largest = max(map(abs, marks), default=0.0)
    unit, suffix = (1e6, "M") if largest >= 1e6 else (1e3, "k") if largest >= 1e4 else (1.0, "")
    return [(mark, f"{mark / unit:,.6g}{suffix}" if mark else "0") for mark in marks]


def spread(wanted: Sequence[float]) -> list[float]:
    """Heights near the wanted ones that keep labels apart and inside the chart."""
    gap = min(LABEL_HEIGHT, (LOWEST - TOP) / max(1, len(wanted) - 1))
    placed = [0.0] * len(wanted)
    floor = float(TOP)
    for index in sorted(range(len(wanted)), key=wanted.__getitem__):
        placed[index] = max(wanted[index], floor)
        floor = placed[index] + gap
    ceiling = float(LOWEST)
    for index in sorted(range(len(wanted)), key=placed.__getitem__, reverse=True):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed
