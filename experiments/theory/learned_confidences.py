"""How much to trust a rule, learned from labels: a rule that is right p of the time earns the log-odds of p.

`jaxgen train learned_confidences`
"""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration, drawn
from jaxgen.core import Array, Batch, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.methods.knowledge.distillation import Predict, rule_distillation
from jaxgen.methods.recording import history, recorded
from jaxgen.models.knowledge.confidences import Confidences
from jaxgen.models.mlp import MLP
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Hu et al., 2016b"
MEASURED = {"advice": "confidence 1.01 of a rule right 95 % of the time, 0.03 of one that guesses"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    learning_rate: float = 3e-2
    """Adam's step size at the start, of the confidences' logarithms; it falls to nothing along a cosine."""


RIGHT = np.array([0.95, 0.8, 0.65, 0.5])  # how often each rule is; the last one knows nothing
STRENGTH = 3.0  # what a broken rule of confidence 1 costs, nats


def advice(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Labels of two classes, which class each rule says, and an input that knows nothing."""
    label = rng.integers(2, size=count).astype(np.int32)
    wrong = rng.random((count, len(RIGHT))) > RIGHT
    return {"x": np.zeros((count, 1), np.float32), "label": label, "said": (label[:, None] ^ wrong).astype(np.int32)}


def rules(predict: Predict, batch: Batch) -> tuple[Array, Array]:
    """It is true of a class that it is what the rule says."""
    return jnp.float32(batch["said"][:, None] == jnp.arange(2)[:, None]), jnp.ones((), bool)


def truth() -> np.ndarray:
    """The confidences with which the teacher is Bayes' rule, for advisers that err independently."""
    return np.log(RIGHT / (1 - RIGHT)) / STRENGTH


def draw(course: np.ndarray) -> Figure:
    """Confidences on their way to the truth, `[steps + 1, rules]`."""
    figure = new_figure(6, 4)
    axes = figure.subplots()
    for index, (right, best) in enumerate(zip(RIGHT, truth(), strict=True)):
        axes.plot(course[:, index], color=f"C{index}", label=f"right {right:.0%} of the time: {course[-1, index]:.3f}")
        axes.axhline(best, color=f"C{index}", linestyle=":", linewidth=1)
    axes.set(xlabel="step", ylabel="confidence", ylim=(-0.03, 1.6), title="learned, and log-odds / strength, dotted")
    axes.legend(fontsize=8)
    return figure


def numbers(course: np.ndarray) -> Mapping[str, float]:
    """Where the best and the blind rule end, and the largest error."""
    return {"best_rule": course[-1, 0], "blind_rule": course[-1, -1], "error": np.abs(course[-1] - truth()).max()}


def experiment(config: Config) -> Experiment:
    """A student that sees nothing, so that all is for the rules to say."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    method = rule_distillation(
        student=Net(MLP(2, (), dtype=config.dtype), optax.adam(1e-3)),
        confidences=Net(Confidences([1.0] * len(RIGHT)), optax.adam(rate)),
        rules=rules,
        inputs="x",
        strength=STRENGTH,
        pi_0=0.0,
        alpha=1.0,
    )

    def observe(view: View) -> Array:
        return view("confidences")

    return Experiment(
        method=recorded(method, observe, frames=config.steps, shape=RIGHT.shape),
        data=drawn("advice", advice),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={
            "confidences": Drawing(lambda view: jnp.concatenate([history(view), observe(view)[None]]), draw, numbers)
        },
    )
