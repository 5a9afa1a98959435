"""Flows on the plane's known densities: held-out log-likelihood beside the best possible one.

`python benchmarks/toy2d.py`; `--flows spline,maf --densities rings --steps 500` for a part of the table.

Each cell trains `<flow>` with seeds 0, 1 and 2 at once, one compiled program for the three.
"""

import argparse
import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import TrainState, view_of
from jaxgen.data.synthetic import DENSITIES
from jaxgen.experiment import Experiment, ExperimentFile
from jaxgen.report.density import density_figure, square_grid
from jaxgen.report.figure import save_figure
from jaxgen.shipped import find
from jaxgen.training import process
from jaxgen.training.step import build_step, init_state

FLOWS = ("planar", "radial", "nice", "realnvp", "spline", "maf", "iaf")
SEEDS = (0, 1, 2)
LIMIT = 4.0  # of the pictures


def train(experiment: Experiment, seeds: Sequence[int]) -> TrainState:
    """The trained states of all seeds, stacked; each sees batches drawn anew, with replacement."""
    train = experiment.data.train
    data = train[np.arange(len(train))]["x"]
    step = build_step(experiment.method)

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, None))
    def run(seed: jax.Array, data: jax.Array) -> TrainState:
        init, noise, order = jax.random.split(jax.random.key(seed), 3)

        def batch(key: jax.Array) -> dict[str, jax.Array]:
            return {"x": jax.random.choice(key, data, (experiment.batch_size,))}

        def body(state: TrainState, key: jax.Array) -> tuple[TrainState, None]:
            return step(state, jax.tree.map(lambda x: x[None], batch(key)), noise)[0], None

        first = init_state(experiment.method, init, batch(init))
        return jax.lax.scan(body, first, jax.random.split(order, experiment.schedule.steps))[0]

    return run(jnp.asarray(seeds), data)


def evaluate(experiment: Experiment, states: TrainState, x: np.ndarray) -> np.ndarray:
    """Log-likelihoods in nats, `[seeds, batch]`, of points `[batch, 2]`."""
    method = experiment.method

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, None))
    def figures(state: TrainState, x: jax.Array) -> jax.Array:
        return method.evaluate(view_of(method, state).averaged(), {"x": x}, jax.random.key(0))["log_likelihood_nats"]

    return np.asarray(figures(states, x), np.float64)


def main() -> None:
    """Prints the table, and draws the densities of seed 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", default=",".join(FLOWS))
    parser.add_argument("--densities", default=",".join(name for name in DENSITIES if name != "gaussian_grid"))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path, default=Path("toy2d.png"))
    options = parser.parse_args()
    process.configure()  # compiles a flow once, not once for each density
    flows, densities = options.flows.split(","), options.densities.split(",")
    steps: dict[str, Any] = {} if options.steps is None else {"steps": options.steps}
    grid, _ = square_grid(LIMIT)
    panels, began = {}, time.perf_counter()
    print("| density | best | " + " | ".join(flows) + " |")
    print("|---" * (2 + len(flows)) + "|")
    for name in densities:
        density = DENSITIES[name]()
        panels[name] = np.exp(density.log_prob(grid))
        held_out = density.dataset().test
        x = held_out[np.arange(len(held_out))]["x"]
        cells = [name, f"{density.log_prob(x).mean():.3f}"]
        for flow in flows:
            file = ExperimentFile.load(find(flow))
            experiment = file.build(file.config(data=name, **steps))
            states = train(experiment, SEEDS)
            nats = evaluate(experiment, states, x).mean(1)
            cells.append(f"{nats.mean():.3f} ± {nats.std(ddof=1):.3f}")
            panels[f"{flow}, {nats[0]:.2f} nats"] = np.exp(evaluate(experiment, states, grid)[0])
        print("| " + " | ".join(cells) + " |", flush=True)
    minutes = (time.perf_counter() - began) / 60
    print(f"\nNats, mean ± standard deviation over seeds 0, 1 and 2; {minutes:.1f} minutes in all.")
    save_figure(options.out, density_figure(panels, limit=LIMIT, columns=1 + len(flows)))


if __name__ == "__main__":
    main()
