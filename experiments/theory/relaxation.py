"""A bit relaxed by Gumbel noise: the hotter, the smoother its draws, and the farther from the truth what it learns.

`jaxgen train relaxation`
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Scalar, nothing
from head import Training
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses import estimators
from jaxgen.losses.ancestral import Sample
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Jang et al., 2017; Maddison et al., 2017; Tucker et al., 2017, section 5.1"
MEASURED = {"nothing": "error of a probability 0.048 at temperature 0.05, 0.129 at 1, without bias 0.000"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 1000
    """Training steps."""
    batch_size: int = 256
    """Draws that a gradient is the mean of."""
    learning_rate: float = 0.05
    """Adam's step size at the start; it falls to nothing along a cosine."""


TARGET, WEIGHT = 0.45, 10.0  # log p(z) = -WEIGHT (z - TARGET)^2, but for a constant
TEMPERATURES = (0.05, 0.1, 0.3, 1.0)
LEARNERS: Mapping[str, estimators.Estimator] = {
    "leave one out": functools.partial(estimators.rloo, draws=4),
    **{f"temperature {t}": functools.partial(estimators.gumbel_softmax, temperature=t) for t in TEMPERATURES},
}


def log_joint(logits: Array, sample: Sample) -> Array:
    """Of a bit that is to be near TARGET, `[draws, batch]`."""
    return -WEIGHT * jnp.square(sample(logits) - TARGET)[..., 0]


def truth() -> float:
    """The best probability of a one: that of p(z), which q can be."""
    return float(jax.nn.sigmoid(WEIGHT * (TARGET**2 - (1 - TARGET) ** 2)))


def learner(estimator: estimators.Estimator, config: Config) -> Method:
    """One logit, raised along the estimator's gradient of the bound."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        logits = jnp.broadcast_to(view("logit"), (len(batch["x"]), 1))
        return -jnp.mean(estimator(key, functools.partial(log_joint, logits))), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"logit": modules["logit"].init(key)}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"probability": jnp.full(len(batch["x"]), jax.nn.sigmoid(view("logit")))}

    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    nets = {"logit": Net(Scalar(0.0), optax.adam(rate))}
    return Method("learner", nets, (Phase("ascend", ("logit",), loss),), init, None, evaluate)


def probabilities(view: View) -> Array:
    """Of a one, `[learners]`."""
    return jax.nn.sigmoid(jnp.stack([part(view, name)("logit") for name in LEARNERS]))


def measure(view: View) -> dict[str, Array]:
    """Probabilities on the way, `[steps + 1, learners]`, and draws of a bit of probability 0.3, `[temperatures, n]`."""
    logits, draws = jnp.full((20_000, 1), jnp.log(3 / 7)), []

    def keep(sample: Sample) -> Array:
        draws.append(sample(logits)[0, :, 0])
        return jnp.zeros((1, len(logits)))

    for temperature in TEMPERATURES:
        estimators.gumbel_softmax(jax.random.key(0), keep, temperature=temperature)
    return {"course": jnp.concatenate([history(view), probabilities(view)[None]]), "draws": jnp.stack(draws)}


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """Draws by temperature, and what each learned."""
    figure = new_figure(10, 4)
    spread, course = figure.subplots(1, 2)
    for index, (temperature, draws) in enumerate(zip(TEMPERATURES, found["draws"], strict=True)):
        spread.hist(
            draws, bins=50, range=(0, 1), density=True, histtype="step", color=f"C{index + 1}", label=f"{temperature}"
        )
    for index, name in enumerate(LEARNERS):
        course.plot(found["course"][:, index], color=f"C{index}", label=f"{name}: {found['course'][-1, index]:.3f}")
    course.axhline(truth(), color="k", linestyle=":", label=f"truth: {truth():.3f}")
    spread.set(yscale="log", xlabel="relaxed bit", title="draws of a bit of probability 0.3, by temperature")
    course.set(xlabel="step", ylabel="probability of a one", title="what is learned")
    for axes in (spread, course):
        axes.legend(fontsize=8)
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    """How far each is from the truth; and what share of draws is beyond one half, which temperature does not change."""
    errors = np.abs(found["course"][-1] - truth())
    beyond = np.mean(found["draws"] > 0.5, axis=1)
    return {
        "unbiased_error": errors[0],
        **{f"error_at_{t}": error for t, error in zip(TEMPERATURES, errors[1:], strict=True)},
        "rounded_ones_least": beyond.min(),
        "rounded_ones_most": beyond.max(),
    }


def experiment(config: Config) -> Experiment:
    """The same bit by every estimator."""
    learners = {name: learner(estimator, config) for name, estimator in LEARNERS.items()}
    return Experiment(
        method=recorded(side_by_side(learners), probabilities, frames=config.steps, shape=(len(LEARNERS),)),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=100, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"relaxed": Drawing(measure, draw, numbers)},
    )
