"""What the rule "A but B has the sentiment of B" is worth on SST-2: `experiments/sst2_cnn*.py`, measured.

`TFDS_DATA_DIR=FOLDER python benchmarks/sst2_rules.py` prints a table and draws a figure; `--help` says what else. The
seeds of a row train side by side in one compiled step; each draws its own labelled sentences, and the rows the same.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
STEPS = {0.05: 400, 0.1: 400, 0.2: 400, 1.0: 600}  # share of the labels -> steps
ROWS = {  # experiment -> figure of its method -> what the table calls it
    "sst2_cnn": {"accuracy": "labels alone"},
    "sst2_cnn_rules": {"student_accuracy": "rule: student p", "teacher_accuracy": "rule: teacher q"},
    "sst2_cnn_learned_rules": {"student_accuracy": "learned: student p", "teacher_accuracy": "learned: teacher q"},
}
COLUMNS = ("test", "unseen", '"but", test', '"but", unseen')
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


def measure(file: ExperimentFile, share: float, steps: int, seeds: int) -> Outcome:
    """Trains an experiment on a share of the labels and looks at sentences it has not seen."""
    start = time.perf_counter()
    configs = [file.config_type(labelled=share, steps=steps, seed=seed) for seed in range(seeds)]
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
    of_test = np.arange(len(unseen["label"])) < len(test["label"])
    has_but = (unseen["after"] != 0).any(1)
    trained = [{row.tobytes() for row in everything(e.data.train)["tokens"]} for e in experiments]
    fresh = np.array([[row.tobytes() not in rows for row in unseen["tokens"]] for rows in trained]) | of_test
    masks = dict(zip(COLUMNS, (of_test & fresh, fresh, of_test & has_but & fresh, has_but & fresh), strict=True))

    def columns(figure: str) -> dict[str, np.ndarray]:
        return {name: np.average(found[figure], axis=1, weights=mask) for name, mask in masks.items()}

    seconds = time.perf_counter() - start
    return Outcome(
        {name: columns(name) for name in found}, None if confidences is None else np.exp(confidences), seconds
    )


def spread(values: np.ndarray, sign: str = "") -> str:
    """Mean and standard deviation over seeds, in percent."""
    return f"{100 * values.mean():{sign}.1f} ± {100 * values.std(ddof=1):.1f}"


def draw(results: dict[float, dict[str, dict[str, np.ndarray]]], path: Path) -> None:
    """Left, accuracies on sentences with "but" not trained on; right, differences to labels alone."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    titles = list(next(iter(results.values())))
    places = np.arange(len(results))
    for number, (title, color) in enumerate(zip(titles, COLORS, strict=True)):
        found = [rows[title][COLUMNS[-1]] for rows in results.values()]
        base = [rows[titles[0]][COLUMNS[-1]] for rows in results.values()]
        gains = [a - b for a, b in zip(found, base, strict=True)]
        for axis, values in ((left, found), (right, gains)):
            mean, error = ([100 * f(v) for v in values] for f in (np.mean, functools.partial(np.std, ddof=1)))
            axis.errorbar(places + (number - 2) * 0.09, mean, error, fmt="o", color=color, label=title, capsize=2)
    right.axhline(0, color=COLORS[0], lw=0.8)
    left.set(title='accuracy on unseen sentences with "but", %')
    right.set(title="difference to labels alone, same seeds, points")
    for axis in (left, right):
        axis.set_xticks(places, [f"{100 * share:g}% labels" for share in results])
        axis.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(
    seeds: int = 5, shares: tuple[float, ...] = tuple(STEPS), out: Path = EXPERIMENTS / "gallery" / "sst2_rules.png"
) -> None:
    """Measures.

    Args:
      seeds: how many, at least 2.
      shares: of the labels.
      out: the figure.
    """
    process.configure()
    table = Table("labels", "network", *(f"{c}{d}" for c in COLUMNS for d in ("", ": gain")), "lambda", "seconds")
    results: dict[float, dict[str, dict[str, np.ndarray]]] = {}
    console = Console(width=200)
    for share in shares:
        rows = results.setdefault(share, {})
        for name, figures in ROWS.items():
            outcome = measure(ExperimentFile.load(EXPERIMENTS / f"{name}.py"), share, STEPS[share], seeds)
            for figure, title in figures.items():
                rows[title] = outcome.accuracies[figure]
                cells = []
                for column in COLUMNS:
                    gain = rows[title][column] - rows["labels alone"][column]
                    cells += [spread(rows[title][column]), spread(gain, "+") if name != "sst2_cnn" else ""]
                lambdas = "" if outcome.confidences is None else " ".join(map(spread, outcome.confidences.T / 100))
                table.add_row(f"{100 * share:g}%", title, *cells, lambdas, f"{outcome.seconds:.0f}")
                console.print(share, title, *cells, lambdas, f"{outcome.seconds:.0f} s")
    console.print(table)
    draw(results, out)


if __name__ == "__main__":
    tyro.cli(main)
