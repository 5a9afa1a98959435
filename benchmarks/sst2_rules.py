"""What the rule "A but B has the sentiment of B" is worth on SST-2: `text_cnn*`, measured.

`TFDS_DATA_DIR=FOLDER python benchmarks/sst2_rules.py` prints a table and draws a figure; `--help` says what else. The
seeds of a row train side by side in one compiled step; each draws its own labelled sentences, and the rows the same.
`--table unlabelled` is about students that see other sentences too, without their labels.
"""

import contextlib
import dataclasses
import functools
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import matplotlib
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from jaxgen import loops
from jaxgen.core import TrainState, view_of
from jaxgen.data.pipeline import batches
from jaxgen.data.source import Examples, Source
from jaxgen.experiment import Experiment, ExperimentFile
from jaxgen.training import process
from jaxgen.training.step import build_step, init_state

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from jaxgen.shipped import find

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
STEPS = {0.05: 400, 0.1: 400, 0.2: 400, 1.0: 600}  # share of the labels -> steps


@dataclasses.dataclass(frozen=True)
class Row:
    """An experiment with settings, what the table calls its method's figures, and which title gains are gains over."""

    experiment: str
    titles: dict[str, str]
    over: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


UNLABELLED = {"unlabelled": True, "pi_0": 0.9, "alpha": 0.99}
ROWS = {
    "labels": (
        Row("text_cnn", {"accuracy": "labels alone"}, "labels alone"),
        Row(
            "text_cnn_rules",
            {"student_accuracy": "rule: student p", "teacher_accuracy": "rule: teacher q"},
            "labels alone",
        ),
        Row(
            "text_cnn_learned_rules",
            {"student_accuracy": "learned: student p", "teacher_accuracy": "learned: teacher q"},
            "labels alone",
        ),
    ),
    "unlabelled": (
        Row(
            "text_cnn_rules",
            {"twin_accuracy": "twin: labels alone", "student_accuracy": "no rule: student p"},
            "twin: labels alone",
            {**UNLABELLED, "strength": 0.0},
        ),
        Row(
            "text_cnn_rules",
            {"student_accuracy": "rule: student p", "teacher_accuracy": "rule: teacher q"},
            "no rule: student p",
            UNLABELLED,
        ),
    ),
}
COLUMNS = ("test", '"but", test', '"but", unseen', '"but", half')
COLORS = ("#777777", "#99b3e6", "#3366cc", "#e6b399", "#cc6633")
CHUNK = 607  # sentences evaluated at a time


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Experiments of several seeds, trained together: accuracies `[seeds]`, lambda `[seeds, rules]`, seconds."""

    accuracies: dict[str, dict[str, np.ndarray]]  # figure -> column -> [seeds]
    confidences: np.ndarray | None
    seconds: float


def everything(source: Source) -> Examples:
    """All examples of a split."""
    return source[np.arange(len(source))]


def train(experiments: list[Experiment]) -> TrainState:
    """The last states, leaves `[seeds, ...]`, of experiments that differ in data and seed alone."""
    method, schedule = experiments[0].method, experiments[0].schedule
    step = build_step(method)

    def call(state: TrainState, batches: Any, key: jax.Array) -> TrainState:
        return loops.scan(lambda state, batch: step(state, batch, key), state, batches)[0]

    first = {field: x[0] for field, x in everything(experiments[0].data.train).items()}
    keys = jax.vmap(jax.random.key)(np.array([e.seed for e in experiments]))
    state = jax.jit(jax.vmap(lambda key: init_state(method, key, {f: x[None] for f, x in first.items()})))(keys)
    compiled = jax.jit(jax.vmap(call), donate_argnums=0)
    with contextlib.ExitStack() as stack:
        streams = [
            stack.enter_context(
                contextlib.closing(
                    batches(
                        e.data.train, batch_size=e.batch_size, seed=e.seed, steps_per_call=e.schedule.steps_per_call
                    )
                )
            )
            for e in experiments
        ]
        for _ in range(schedule.steps // schedule.steps_per_call):
            state = compiled(state, jax.tree.map(lambda *x: np.stack(x), *map(next, streams)), keys)
    return state


def measure(row: Row, share: float, seeds: range) -> Outcome:
    """Trains an experiment on a share of the labels and looks at sentences whose labels it has not seen.

    Those of the last column are a half, whichever their words' checksum says, of the training sentences left over.
    """
    start = time.perf_counter()
    file = ExperimentFile.load(find(row.experiment))
    configs = [file.config(labelled=share, steps=STEPS[share], seed=seed, **row.settings) for seed in seeds]
    experiments = [file.build(config) for config in configs]
    method, state = experiments[0].method, train(experiments)
    confidences = state.nets["confidences"].params["log"] if "confidences" in state.nets else None

    @functools.partial(jax.jit)
    def figures(state: TrainState, examples: Examples) -> Mapping[str, jax.Array]:
        key = jax.random.key(0)
        return jax.vmap(lambda state: dict(method.evaluate(view_of(method, state), examples, key)))(state)

    def correct(examples: Examples) -> dict[str, np.ndarray]:
        parts = range(0, len(examples["label"]), CHUNK)
        found = [figures(state, {f: x[i : i + CHUNK] for f, x in examples.items()}) for i in parts]
        return {name: np.concatenate([part[name] for part in found], axis=1) for name in found[0]}

    test = everything(experiments[0].data.test)
    dev = everything(file.build(dataclasses.replace(configs[0], held_out="dev")).data.test)
    full = everything(file.build(dataclasses.replace(configs[0], labelled=1.0)).data.train)
    unseen = {field: np.concatenate([x[field] for x in (test, dev, full)]) for field in test}
    found = correct(unseen)
    place = np.arange(len(unseen["label"]))
    of_test, of_train = place < len(test["label"]), place >= len(test["label"]) + len(dev["label"])
    has_but = (unseen["after"] != 0).any(1)
    half = of_train & [zlib.crc32(row.tobytes()) % 2 == 1 for row in unseen["tokens"]]
    taught = [everything(e.data.train) for e in experiments]
    known = [{row.tobytes() for row in x["tokens"][x["label"] >= 0]} for x in taught]
    fresh = np.array([[row.tobytes() not in rows for row in unseen["tokens"]] for rows in known]) | of_test
    parts = (of_test & fresh, of_test & has_but & fresh, has_but & fresh, half & has_but & fresh)
    masks = dict(zip(COLUMNS, parts, strict=True))

    def columns(figure: str) -> dict[str, np.ndarray]:
        # With all labels no training sentence is left, and a mean of none is not a number.
        return {name: (found[figure] * mask).sum(1) / mask.sum(1) for name, mask in masks.items()}

    seconds = time.perf_counter() - start
    return Outcome(
        {name: columns(name) for name in found}, None if confidences is None else np.exp(confidences), seconds
    )


def spread(values: np.ndarray, sign: str = "") -> str:
    """Mean and standard deviation over seeds, in percent."""
    return f"{100 * values.mean():{sign}.1f} ± {100 * values.std(ddof=1):.1f}"


def gain(rows: dict[str, dict[str, np.ndarray]], row: Row, title: str, column: str) -> np.ndarray:
    """Differences of a title's accuracies to those of the title it is measured against, `[seeds]`."""
    return rows[title][column] - rows[row.over][column]


def draw(rows: tuple[Row, ...], results: dict[float, dict[str, dict[str, np.ndarray]]], path: Path) -> None:
    """Left, accuracies on sentences with "but" whose labels were not seen; right, gains."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    places, column = np.arange(len(results)), COLUMNS[2]
    lines = [(row, title) for row in rows for title in row.titles.values()]
    for number, ((row, title), color) in enumerate(zip(lines, COLORS, strict=False)):
        found = [accuracies[title][column] for accuracies in results.values()]
        gains = [gain(accuracies, row, title, column) for accuracies in results.values()]
        for axis, values in ((left, found), (right, gains)):
            mean, error = ([100 * f(v) for v in values] for f in (np.mean, functools.partial(np.std, ddof=1)))
            axis.errorbar(places + (number - 2) * 0.09, mean, error, fmt="o", color=color, label=title, capsize=2)
    right.axhline(0, color=COLORS[0], lw=0.8)
    left.set(title='accuracy on "but" sentences whose labels are unseen, %')
    right.set(title="gain, same seeds, points")
    for axis in (left, right):
        axis.set_xticks(places, [f"{100 * share:g}% labels" for share in results])
        axis.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(
    table: Literal["labels", "unlabelled"] = "labels",
    seeds: int = 5,
    first_seed: int = 10,
    shares: tuple[float, ...] = tuple(STEPS),
    out: Path = EXPERIMENTS / "gallery" / "sst2_rules.png",
) -> None:
    """Measures.

    Args:
      table: what students see, labelled sentences alone or others too; these need a share below 1.
      seeds: how many, at least 2.
      first_seed: the least of them; settings were tried with 0 to 4.
      shares: of the labels.
      out: the figure.
    """
    process.configure()
    printed = Table("labels", "network", *(f"{c}{d}" for c in COLUMNS for d in ("", ": gain")), "lambda", "seconds")
    results: dict[float, dict[str, dict[str, np.ndarray]]] = {}
    console = Console(width=200)
    for share in shares:
        found = results.setdefault(share, {})
        for row in ROWS[table]:
            outcome = measure(row, share, range(first_seed, first_seed + seeds))
            found |= {title: outcome.accuracies[figure] for figure, title in row.titles.items()}
            for title in row.titles.values():
                cells = []
                for column in COLUMNS:
                    over = "" if title == row.over else spread(gain(found, row, title, column), "+")
                    cells += [spread(found[title][column]), over]
                lambdas = "" if outcome.confidences is None else " ".join(map(spread, outcome.confidences.T / 100))
                printed.add_row(f"{100 * share:g}%", title, *cells, lambdas, f"{outcome.seconds:.0f}")
                console.print(share, title, *cells, lambdas, f"{outcome.seconds:.0f} s")
    console.print(printed)
    draw(ROWS[table], results, out)


if __name__ == "__main__":
    tyro.cli(main)
