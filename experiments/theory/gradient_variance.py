"""Three ways to the gradient of an expectation: through the sample, or through its probability, with a baseline or not.

`jaxgen train gradient_variance`
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.lax import stop_gradient
from matplotlib.figure import Figure

from demonstrations import Scalar, nothing
from head import Training
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses.variational import gaussian_log_prob
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Kingma & Welling, 2014; Williams, 1992; Mohamed et al., 2020"
MEASURED = {"nothing": "variance of the score function 124 times that of reparametrization, with a baseline 35 times"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 300
    """Moves."""
    batch_size: int = 1
    """Draws that a gradient is the mean of."""
    learning_rate: float = 0.01
    """Step size of gradient descent."""
    start: float = 4.0
    """Where the mean begins."""


def reparametrized(theta: Array, noise: Array) -> Array:
    """x², x being theta + noise: the gradient goes through x."""
    return jnp.square(theta + noise)


def score(theta: Array, noise: Array, baseline: Array | float = 0.0) -> Array:
    """What has the gradient (x² - baseline) times that of log N(x; theta, 1)."""
    x = stop_gradient(theta + noise)
    return (jnp.square(x) - baseline) * gaussian_log_prob(x.reshape(1, 1), theta, 0.0)[0]


def score_less_mean(theta: Array, noise: Array) -> Array:
    """The baseline is what x² is on average, theta² + 1."""
    return score(theta, noise, stop_gradient(jnp.square(theta) + 1))


WAYS: Mapping[str, Callable[[Array, Array], Array]] = {
    "reparametrization": reparametrized,
    "score function": score,
    "score function, baseline": score_less_mean,
}
THETA = np.linspace(0, 4, 9).astype(np.float32)
DRAWS = 100_000


def truth() -> np.ndarray:
    """Variance of one draw's gradient of E x² at theta, `[ways, thetas]`, from the Gaussian's moments."""
    t = np.square(THETA)
    return np.stack([np.full_like(t, 4.0), t**2 + 14 * t + 15, 8 * t + 10])


def learner(way: Callable[[Array, Array], Array], config: Config) -> Method:
    """Gradient descent on E x², x ~ N(theta, 1), whose minimum is at 0."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        noise = jax.random.normal(key, batch["x"].shape[:1])
        return jnp.mean(jax.vmap(way, (None, 0))(view("mean"), noise)), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"mean": modules["mean"].init(key)}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"mean": jnp.full(batch["x"].shape[0], view("mean"))}

    nets = {"mean": Net(Scalar(config.start), optax.sgd(config.learning_rate))}
    return Method("learner", nets, (Phase("descend", ("mean",), loss),), init, None, evaluate)


def means(view: View) -> Array:
    """`[ways]`."""
    return jnp.stack([part(view, way)("mean") for way in WAYS])


def measure(view: View) -> dict[str, Array]:
    """Where each way went, `[steps + 1, ways]`; mean and variance of its gradient's draws, `[ways, thetas]` each."""
    noise = jax.random.normal(jax.random.key(0), (DRAWS,))

    def moments(way: Callable[[Array, Array], Array], theta: Array) -> tuple[Array, Array]:
        gradients = jax.vmap(jax.grad(way), (None, 0))(theta, noise)
        return jnp.mean(gradients), jnp.var(gradients)

    found = [jax.lax.map(lambda theta, way=way: moments(way, theta), jnp.asarray(THETA)) for way in WAYS.values()]
    mean, variance = (jnp.stack(x) for x in zip(*found, strict=True))
    return {"path": jnp.concatenate([history(view), means(view)[None]]), "mean": mean, "variance": variance}


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """Variances over the truth, and what noise does to a descent."""
    figure = new_figure(10, 4)
    spread, course = figure.subplots(1, 2)
    for index, way in enumerate(WAYS):
        spread.plot(THETA, truth()[index], ":", color=f"C{index}")
        spread.plot(THETA, found["variance"][index], "o", color=f"C{index}", label=way)
        course.plot(found["path"][:, index], color=f"C{index}", label=way, linewidth=1.2)
    spread.set(yscale="log", xlabel="theta", title="variance of one draw's gradient; dotted, the truth")
    course.axhline(0, color="#bbb", linewidth=0.8)
    course.set(xlabel="step", ylabel="theta", title="descent by one draw a step")
    for axes in (spread, course):
        axes.legend(fontsize=8)
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    """How far the means are from 2 theta and the variances from the truth, relatively; and variances at theta = 4."""
    last = found["variance"][:, -1]
    return {
        "gradient_error": np.abs(found["mean"] - 2 * THETA).max(),
        "variance_error": np.abs(found["variance"] / truth() - 1).max(),
        "variance_ratio": last[1] / last[0],
        "variance_ratio_baseline": last[2] / last[0],
    }


def experiment(config: Config) -> Experiment:
    """The three see the same noise."""
    learners = {name: learner(way, config) for name, way in WAYS.items()}
    return Experiment(
        method=recorded(side_by_side(learners), means, frames=config.steps, shape=(len(WAYS),)),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=10),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"variance": Drawing(measure, draw, numbers)},
    )
