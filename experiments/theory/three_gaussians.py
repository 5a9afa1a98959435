"""A mixture of three Gaussians learned twice from one start: by expectation and maximization in turn, and by gradients.

`jaxgen train three_gaussians`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from demonstrations import nothing
from head import Training
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses import mixture
from jaxgen.losses.mixture import GaussianMixture
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Dempster et al., 1977; Xu & Jordan, 1996"
MEASURED = {"nothing": "both end at -3.324 nats a point; EM is there after 8 moves, Adam after 182"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 300
    """Moves, each on all points."""
    batch_size: int = 1
    """Of no meaning here."""
    learning_rate: float = 0.03
    """Adam's step size."""


def points() -> np.ndarray:
    """600 of three Gaussians that overlap, `[points, 2]`."""
    rng = np.random.default_rng(0)
    centres = np.repeat([[-2.0, 0.0], [2.0, 0.0], [0.0, 2.5]], (200, 150, 250), 0)
    return (centres + rng.normal(size=centres.shape) * [0.7, 0.9]).astype(np.float32)


POINTS = points()
MEANS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.0, 0.5]], np.float32)  # where both begin
WAYS = ("EM", "gradient")


class Mixture(nn.Module):
    """The mixture's parameters."""

    @nn.compact
    def __call__(self) -> GaussianMixture:
        logits = self.param("logits", nn.initializers.zeros, (3,))
        means = self.param("means", lambda key: jnp.asarray(MEANS))
        return GaussianMixture(logits, means, self.param("log_variances", nn.initializers.zeros, (3, 2)))


def nats(model: GaussianMixture) -> Array:
    """Mean log-likelihood of the points."""
    return jnp.mean(mixture.log_prob(mixture.gaussian_log_joint(POINTS, model)))


def by_gradients(net: Net) -> Method:
    """Raises the log-likelihood."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        return -nats(view("mixture")), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"mixture": modules["mixture"].init(key)}

    return Method("gradient", {"mixture": net}, (Phase("ascend", ("mixture",), loss),), init, None, lambda *_: {})


def by_em() -> Method:
    """Says which component each point is of, and fits each component to its points; nothing has a step size."""

    def move(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        shares = mixture.responsibilities(mixture.gaussian_log_joint(POINTS, view.memory["mixture"]))
        return jnp.zeros(()), Aux(memory={"mixture": mixture.gaussian_m_step(POINTS, shares)})

    def memory(key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"mixture": GaussianMixture(jnp.zeros(3), jnp.asarray(MEANS), jnp.zeros((3, 2)))}

    return Method("EM", {}, (Phase("move", (), move),), lambda *_: {}, None, lambda *_: {}, memory=memory)


def models(view: View) -> list[GaussianMixture]:
    """By way."""
    return [part(view, "EM").memory["mixture"], part(view, "gradient")("mixture")]


def observe(view: View) -> Array:
    """`[ways]`, nats."""
    return jnp.stack([nats(model) for model in models(view)])


def measure(view: View) -> dict[str, Any]:
    """Log-likelihoods on the way, `[steps + 1, ways]`, and where each ended."""
    course = jnp.concatenate([history(view), observe(view)[None]])
    return {"course": course, **dict(zip(WAYS, models(view), strict=True))}


def draw(found: Mapping[str, Any]) -> Figure:
    """Both mixtures over the points, ellipses of two standard deviations, and the way there."""
    figure = new_figure(11, 4)
    *panels, course = figure.subplots(1, 3)
    for axes, way in zip(panels, WAYS, strict=True):
        axes.scatter(*POINTS.T, s=3, color="#999", linewidths=0)
        for index, (mean, log_variance) in enumerate(zip(found[way].means, found[way].log_variances, strict=True)):
            width, height = 4 * np.exp(log_variance / 2)
            axes.add_patch(Ellipse(mean, width, height, fill=False, color=f"C{index}", linewidth=2))
        axes.set(title=f"by {way}", aspect="equal", xlim=(-5, 5), ylim=(-4, 6))
    for index, way in enumerate(WAYS):
        course.plot(found["course"][:, index], label=f"{way}: {found['course'][-1, index]:.4f}")
    course.set(xlabel="moves", ylabel="nats a point", title="log-likelihood")
    course.legend(fontsize=8)
    return figure


def numbers(found: Mapping[str, Any]) -> Mapping[str, float]:
    """Where both end, the least rise in a move of EM, and after how many moves each is within 0.001 nats of its end."""
    course = found["course"]
    near = [int(np.argmax(course[:, index] > course[-1, index] - 1e-3)) for index in range(2)]
    return {
        "em_nats_per_point": course[-1, 0],
        "ways_apart": abs(course[-1, 0] - course[-1, 1]),
        "least_rise": np.diff(course[:, 0]).min(),
        "em_moves": near[0],
        "gradient_moves": near[1],
    }


def experiment(config: Config) -> Experiment:
    """The same points, the same start."""
    ways = {"EM": by_em(), "gradient": by_gradients(Net(Mixture(), optax.adam(config.learning_rate)))}
    return Experiment(
        method=recorded(side_by_side(ways), observe, frames=config.steps, shape=(len(WAYS),)),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=10, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"mixtures": Drawing(measure, draw, numbers)},
    )
