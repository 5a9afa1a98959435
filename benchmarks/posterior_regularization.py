"""What knowledge does to digits and what it costs: `pr_vae` and `pr_learned`, measured.

`python benchmarks/posterior_regularization.py` prints two tables and draws two figures; `--help` says what else.
A support vector machine that no training saw judges parity; ink and symmetry are counted.
"""

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from jaxgen.core import TrainState
from jaxgen.data.embedded import digits
from jaxgen.data.transforms import signed_unit
from jaxgen.experiment import Experiment, ExperimentFile
from jaxgen.losses.posterior_regularization import importance_weights
from jaxgen.training.evaluate import sampler
from jaxgen.training.sharding import make_mesh, shardings_of

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from jaxgen.shipped import find

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
MESH = make_mesh(devices=jax.devices()[:1])
SAMPLES = 2000
BLUE, ORANGE, GRAY = "#3366cc", "#cc6633", "#777777"
ALPHAS: dict[str, dict[str, tuple[float, ...]]] = {
    "even": {"steer": (1.0, 3.0, 10.0), "teach": (1.0, 3.0)},
    "symmetric": {"steer": (0.3, 1.0, 3.0), "teach": (0.3, 1.0)},
    "ink": {"steer": (0.03, 0.1, 0.3), "teach": (0.03, 0.1)},
}
MEASURES = {"even": "share even", "symmetric": "squared asymmetry", "ink": "|mean ink - 0.4|"}

Judge = Callable[[np.ndarray], np.ndarray]  # images [n, 8, 8, 1] in [-1, 1] -> digits [n]


@dataclasses.dataclass(frozen=True)
class Point:
    """A regularized VAE: what its samples, and those reweighted to q*, are like; its held-out figure; its seconds."""

    m_step: str
    alpha: float
    model: float
    posterior: float
    bits: float
    seconds: float


def svm_judge() -> Judge:
    """The judge of README's tables, fitted to the training digits."""
    from sklearn.svm import SVC

    data = digits().map(signed_unit(17)).train
    examples = data[np.arange(len(data))]
    machine = SVC(gamma=0.001, C=10)  # pyright: ignore[reportArgumentType]
    machine.fit(8 * (examples["image"].reshape(-1, 64) + 1), examples["label"])
    return lambda images: machine.predict(8 * (images.reshape(-1, 64) + 1))


def training(experiment: Experiment, every: int) -> Iterator[TrainState]:
    """The state after each `every` steps."""
    trainer = experiment.trainer(MESH)
    state, call = trainer.init(), trainer.program(0)
    calls = experiment.schedule.steps // experiment.schedule.steps_per_call
    with contextlib.closing(trainer.batches(0)) as batches:
        for done, batch in enumerate(itertools.islice(batches, calls), 1):
            state, _ = call(state, batch, trainer.run_key)
            if done * experiment.schedule.steps_per_call % every == 0:
                yield state


def measure(file: ExperimentFile, name: str, m_step: str, alpha: float, steps: int, judge: Judge) -> Point:
    """Trains one VAE and looks at its samples."""
    start = time.perf_counter()
    experiment = file.build(file.config(constraint=name, m_step=m_step, alpha=alpha, steps=steps))
    *_, state = training(experiment, steps)
    seconds = time.perf_counter() - start
    x = np.asarray(sampler(experiment.method, MESH, shardings_of(state), SAMPLES)(state, jax.random.key(1)))
    pixels = (x + 1) / 2
    values = {
        "even": lambda: judge(x) % 2 == 0,
        "symmetric": lambda: np.square(pixels - pixels[:, :, ::-1]).sum((1, 2, 3)),
        "ink": lambda: np.abs(pixels.mean((1, 2, 3)) - 0.4),
    }[name]()
    constraint: Any = {
        "even": file.module.even,
        "symmetric": file.module.symmetric,
        "ink": lambda x: file.module.ink(x, target=0.4),
    }[name]
    weights = np.asarray(importance_weights(constraint(x), alpha).weights)
    bits = experiment.evaluate(state, MESH)["figures"]["bits_per_dim"]["mean"]
    return Point(m_step, alpha, values.mean(), float(weights @ values), bits, seconds)


def draw_curves(points: dict[str, list[Point]], path: Path) -> None:
    """Above, what samples are like for each alpha; below, what it costs."""
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.2), sharex="col", layout="constrained")
    for column, (name, found) in enumerate(points.items()):
        above, below = axes[:, column]
        smallest = min(point.alpha for point in found if point.alpha)
        for m_step, color in (("steer", BLUE), ("teach", ORANGE)):
            line = [point for point in found if point.m_step == m_step or point.alpha == 0]
            x = [point.alpha or smallest / 4 for point in line]
            above.plot(x, [point.model for point in line], "o-", color=color, label=f"{m_step}: model p")
            above.plot(x, [point.posterior for point in line], "o:", color=color, mfc="white", label=f"{m_step}: q*")
            below.plot(x, [point.bits for point in line], "o-", color=color)
        above.set(title=MEASURES[name], xscale="log")
        below.set(title="test bits/dim", xlabel="alpha (leftmost: 0)", xscale="log")
    axes[0, 0].legend(frameon=False, fontsize=8)
    _finish(figure, path)


def draw_learned(curves: dict[str, np.ndarray], x: np.ndarray, pictures: dict[str, np.ndarray], path: Path) -> None:
    """Left, samples; right, the share of heavy even digits over training, mean and range of seeds."""
    figure = plt.figure(figsize=(10, 3.4), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=(1.1, 1))
    left, right = halves
    rows = left.subplots(len(pictures), 1)
    for axis, (title, images) in zip(rows, pictures.items(), strict=True):
        grid = images[:20].reshape(2, 10, 8, 8).transpose(0, 2, 1, 3).reshape(16, 80)
        axis.imshow(grid, cmap="gray_r", vmin=-1, vmax=1)
        axis.set_title(title, fontsize=8, loc="left")
        axis.axis("off")
    axis = right.subplots()
    colors = {"both": BLUE, "known": ORANGE, "unknown": GRAY}
    for name, shares in curves.items():
        axis.plot(x, shares.mean(0), color=colors[name], label=LEARNED[name])
        axis.fill_between(x, shares.min(0), shares.max(0), color=colors[name], alpha=0.2, lw=0)
    axis.set(title="share of samples heavy and even", xlabel="step", ylim=(0, 1))
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    _finish(figure, path)


def _finish(figure: Any, path: Path) -> None:
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


LEARNED = {"known": "written term alone", "unknown": "learned term alone", "both": "written and learned"}


def known_terms(steps: int, out: Path, judge: Judge, console: Console) -> None:
    """The first table and figure."""
    file = ExperimentFile.load(find("pr_vae"))
    table = Table("constraint", "M-step", "alpha", "measure", "model p", "q*", "test bits/dim", "seconds")
    points: dict[str, list[Point]] = {}
    for name, m_steps in ALPHAS.items():
        settings = [("steer", 0.0), *((m_step, alpha) for m_step, alphas in m_steps.items() for alpha in alphas)]
        points[name] = [measure(file, name, m_step, alpha, steps, judge) for m_step, alpha in settings]
        for p in points[name]:
            row = (p.m_step if p.alpha else "none", f"{p.alpha:g}", MEASURES[name], f"{p.model:.3f}")
            table.add_row(name, *row, f"{p.posterior:.3f}", f"{p.bits:.3f}", f"{p.seconds:.1f}")
    console.print(table)
    draw_curves(points, out / "pr_digits.png")


def learned_terms(steps: int, seeds: int, out: Path, judge: Judge, console: Console) -> None:
    """The second table and figure."""
    file = ExperimentFile.load(find("pr_learned"))
    every, key = steps // 10, jax.random.key(1)
    table = Table("terms", "even", "heavy", "heavy and even", "test bits/dim")
    curves: dict[str, np.ndarray] = {}
    config = file.config(steps=steps)
    data = file.build(config).data.train
    pictures = {"the examples": data[np.arange(20)]["example"]}
    for terms, title in LEARNED.items():
        history, last = [], []
        for seed in range(seeds):
            experiment = file.build(dataclasses.replace(config, terms=terms, seed=seed))
            shardings = shardings_of(experiment.trainer(MESH).abstract_state())
            sample, shares, state = sampler(experiment.method, MESH, shardings, SAMPLES), [], None
            for state in training(experiment, every):
                x = np.asarray(sample(state, key))
                # Half a hundredth of grace: the written term pays less than a quarter of a nat for it.
                even, heavy = judge(x) % 2 == 0, (x + 1).mean((1, 2, 3)) / 2 >= config.ink - 0.005
                shares.append((even & heavy).mean())
            assert state is not None
            bits = experiment.evaluate(state, MESH)["figures"]["bits_per_dim"]["mean"]
            history.append(shares)
            last.append((even.mean(), heavy.mean(), shares[-1], bits))
            if seed == 0:
                pictures[title] = x
        curves[terms] = np.array(history)
        mean, spread = np.mean(last, 0), np.std(last, 0, ddof=min(1, seeds - 1))
        table.add_row(title, *(f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)))
    console.print(table)
    draw_learned(curves, np.arange(1, 11) * every, pictures, out / "pr_learned.png")


def main(steps: int = 1500, seeds: int = 3, out: Path = EXPERIMENTS / "gallery") -> None:
    """Measures.

    Args:
      steps: training steps of each VAE, a multiple of 100.
      seeds: of the learned constraint's runs.
      out: folder of the figures.
    """
    console, judge = Console(width=120), svm_judge()
    known_terms(steps, out, judge, console)
    learned_terms(steps, seeds, out, judge, console)


if __name__ == "__main__":
    tyro.cli(main)
