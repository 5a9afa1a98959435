"""Two parallel segments at distance theta: the Jensen-Shannon divergence jumps, the Wasserstein distance is |theta|.

`jaxgen train parallel_lines`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from demonstrations import Demonstration, drawn, judged
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.adversarial.conditional import WithLabel
from jaxgen.models.mlp import MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Arjovsky et al., 2017, example 1"
MEASURED = {"segment": "trained critics within 0.001 nats and 0.006 of the truth"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""


THETA = np.linspace(-1, 1, 9).astype(np.float32)


TRUTH = {"jensen_shannon": np.where(THETA == 0, 0, np.log(2)), "wasserstein": np.abs(THETA)}


def segment(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """(0, u) with u uniform on [0, 1], and which distance it is to be compared at."""
    x = np.stack([np.zeros(count), rng.uniform(size=count)], 1).astype(np.float32)
    return {"x": x, "label": rng.integers(len(THETA), size=count).astype(np.int32)}


def other_segment(z: Array, label: Array) -> Array:
    """(theta, u)."""
    return jnp.stack([jnp.asarray(THETA)[label], jax.scipy.special.ndtr(z[:, 0])], axis=1)


def estimate(view: View) -> dict[str, Array]:
    """Both divergences as the trained critics tell them, `[thetas]`, and samples `[thetas, 400, 2]` of either side."""
    count, keys = 400, jax.random.split(jax.random.key(0))
    label = jnp.repeat(jnp.arange(len(THETA)), count)
    real = jnp.stack([jnp.zeros(len(label)), jax.random.uniform(keys[0], label.shape)], axis=1)
    fake = other_segment(jax.random.normal(keys[1], (len(label), 1)), label)

    def scores(name: str, x: Array) -> Array:
        return part(view, name)("critic", x, label).astype(jnp.float32).reshape(len(THETA), count)

    loss = adversarial.minimax.critic(scores("discriminator", real), scores("discriminator", fake))
    return {
        "jensen_shannon": jnp.log(2.0) - jnp.mean(loss, axis=1) / 2,
        "wasserstein": jnp.mean(scores("critic", real) - scores("critic", fake), axis=1),
        "real": real.reshape(len(THETA), count, 2),
        "fake": fake.reshape(len(THETA), count, 2),
    }


def of_samples(real: np.ndarray, fake: np.ndarray) -> tuple[float, float]:
    """Both divergences of two sets `[count, 2]`: of their histograms, and by the cheapest matching."""
    edges = [np.linspace(-1.125, 1.125, 10), np.linspace(0, 1, 5)]
    p, q = (np.histogram2d(*x.T, bins=edges)[0] / len(x) for x in (real, fake))
    cost = cdist(real, fake)
    return float(adversarial.jensen_shannon(p, q, axis=None)), float(cost[linear_sum_assignment(cost)].mean())


def draw(found: Mapping[str, Any]) -> Figure:
    """Truth, samples and critics against theta."""
    figure = new_figure(9, 4)
    measured = [of_samples(real, fake) for real, fake in zip(found["real"], found["fake"], strict=True)]
    panels = ("jensen_shannon", "Jensen-Shannon divergence, nats"), ("wasserstein", "Wasserstein distance")
    for index, (axes, (name, title)) in enumerate(zip(figure.subplots(1, 2), panels, strict=True)):
        axes.plot(THETA, TRUTH[name], "k_", markersize=14, label="truth")
        axes.plot(THETA, [pair[index] for pair in measured], "s", fillstyle="none", label="from samples")
        axes.plot(THETA, found[name], "x", label="from a trained critic")
        axes.set(xlabel="theta", xticks=(-1, -0.5, 0, 0.5, 1), title=title, ylim=(-0.05, 1.1))
        axes.legend(fontsize=8)
    return figure


def errors(found: Mapping[str, Any]) -> Mapping[str, float]:
    """The most by which trained critics are wrong."""
    return {
        "jensen_shannon_error": np.abs(found["jensen_shannon"] - TRUTH["jensen_shannon"]).max(),
        "wasserstein_error": np.abs(found["wasserstein"] - TRUTH["wasserstein"]).max(),
    }


def experiment(config: Config) -> Experiment:
    """One critic of each kind judges at all distances, which it is told; the data are those of either."""
    critic = WithLabel(MLPCritic(hidden=(64, 64), dtype=config.dtype), len(THETA))
    net = Net(critic, optax.flatten(optax.adam(config.learning_rate)))
    penalty = regularizers.gradient_penalty(100.0)
    kinds = {"discriminator": (adversarial.minimax, []), "critic": (adversarial.wasserstein, [penalty])}
    methods = {
        name: judged(net, loss, other_segment, classes=len(THETA), regularizers=terms)
        for name, (loss, terms) in kinds.items()
    }
    return Experiment(
        method=side_by_side(methods),
        data=drawn("segment", segment),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"divergences": Drawing(estimate, draw, errors)},
    )
