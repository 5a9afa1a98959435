"""What one-sided label smoothing does to the best discriminator: (1 - epsilon) p / (p + q) in place of p / (p + q).

`jaxgen train label_smoothing`
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy import stats

from demonstrations import Demonstration, judged, normal
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Salimans et al., 2016, section 3.4"
MEASURED = {"normal": "within 0.025 of the optima where the data is"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""


X = np.linspace(-4, 4, 161).astype(np.float32)
EPSILONS = (0.0, 0.1, 0.3)
NAMES = [f"epsilon={epsilon}" for epsilon in EPSILONS]


def measure(view: View) -> Array:
    """D(x) along the line, `[epsilons, points]`."""
    logits = [part(view, name)("critic", jnp.asarray(X)[:, None]) for name in NAMES]
    return jax.nn.sigmoid(jnp.stack(logits).astype(jnp.float32))


def truth() -> np.ndarray:
    """The optimum between data N(-1, 1) and samples N(1, 1), `[epsilons, points]`."""
    best = adversarial.optimal_discriminator(stats.norm.pdf(X, -1), stats.norm.pdf(X, 1))
    return np.stack([(1 - epsilon) * np.asarray(best) for epsilon in EPSILONS])


def draw(found: np.ndarray) -> Figure:
    """Trained discriminators over the optima."""
    figure = new_figure(5.5, 4)
    axes = figure.subplots()
    for name, trained, best in zip(NAMES, found, truth(), strict=True):
        (line,) = axes.plot(X, trained, label=f"{name}, trained")
        axes.plot(X, best, "--", color=line.get_color(), linewidth=1)
    axes.set(xlabel="x", ylabel="D(x)", title="trained discriminators, and the optima (dashed)")
    axes.legend(fontsize=8)
    return figure


def numbers(found: np.ndarray) -> Mapping[str, float]:
    """How far trained discriminators are from the optima, where either Gaussian has its mass."""
    return {"optimum_error": np.abs(found - truth())[:, np.abs(X) < 2].max()}


def experiment(config: Config) -> Experiment:
    """Three discriminators of the same two Gaussians."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    net = Net(MLPCritic(hidden=(32, 32), dtype=config.dtype), optax.flatten(optax.adam(rate)))
    methods: Mapping = {
        name: judged(net, adversarial.one_sided_label_smoothing(adversarial.minimax, epsilon), lambda z: 1 + z)
        for name, epsilon in zip(NAMES, EPSILONS, strict=True)
    }
    return Experiment(
        method=side_by_side(methods),
        data=normal(-1.0, 1.0),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"optima": Drawing(measure, draw, numbers)},
    )
