"""What obeying a rule costs: nothing as obedient is nearer to p than what posterior regularization takes.

`jaxgen train knowledge_tradeoff`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import nothing
from head import Training
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses import posterior_regularization as losses
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Ganchev et al., 2010; Hu et al., 2018, equations 2 and 3"
MEASURED = {"nothing": "a rule kept 74 % of the time for 0.46 nats, by shifting for 2.16"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 2000
    """Moves."""
    batch_size: int = 1
    """Of no meaning here."""
    learning_rate: float = 0.1
    """Adam's step size at the start; it falls to nothing along a cosine."""


X = np.linspace(-5, 6, 221).astype(np.float32)
LOG_P = np.logaddexp(np.log(0.7) - (X + 1) ** 2, np.log(0.3) - (X - 2) ** 2).astype(np.float32)  # two humps
LOG_P = LOG_P - np.log(np.exp(LOG_P).sum())
F = np.float32(X > 1)  # the rule: more than 1
ALPHAS = np.array([0, 0.5, 1, 2, 3, 4, 6], np.float32)
SHIFTS = np.arange(0, 61, 4)  # of p as it is, in cells: the null control
SAMPLES = 4000


class Steered(nn.Module):
    """A distribution over X for each of ALPHAS, log-probabilities `[alphas, points]`; all begin at p."""

    @nn.compact
    def __call__(self) -> jax.Array:
        return jax.nn.log_softmax(self.param("logits", lambda key: jnp.tile(LOG_P, (len(ALPHAS), 1))))


def regularized(net: Net) -> Method:
    """Minimises KL(q || p) - alpha E_q[f] over q, freely."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        return jnp.sum(jax.vmap(losses.objective, (0, None, None, 0))(view("q"), LOG_P, F, ALPHAS)), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"q": modules["q"].init(key)}

    return Method("steered", {"q": net}, (Phase("steer", ("q",), loss),), init, None, lambda *_: {})


def price(log_q: Array) -> Array:
    """KL(q || p) and E_q[f] of log-probabilities `[..., points]`: `[..., 2]`."""
    q = jnp.exp(log_q)
    ratio = jnp.where(q > 0, log_q - LOG_P, 0)
    return jnp.stack([jnp.sum(q * ratio, -1), q @ F], -1)


def measure(view: View) -> dict[str, Array]:
    """What is paid and got, `[..., 2]`: by learned q, in closed form, by weighted samples of p, and by shifting p."""
    q = [losses.posterior(LOG_P, F, alpha) for alpha in ALPHAS]
    drawn = jax.random.choice(jax.random.key(0), len(X), (SAMPLES,), p=jnp.exp(LOG_P))

    rule = jnp.asarray(F)[drawn]

    def weighed(alpha: float) -> Array:
        weights, _ = losses.importance_weights(rule, alpha)
        return jnp.stack([weights @ jnp.log(weights * SAMPLES), weights @ rule])

    shifted = jnp.stack([jnp.roll(jnp.asarray(LOG_P), int(cells)) for cells in SHIFTS])
    return {
        "learned": price(view("q")),
        "q": jnp.stack(q),
        "best": price(jnp.stack(q)),
        "weighed": jnp.stack([weighed(alpha) for alpha in ALPHAS]),
        "shifted": price(shifted),
    }


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """What is got for what is paid, and three of the distributions."""
    figure = new_figure(10, 4)
    curve, densities = figure.subplots(1, 2)
    curve.plot(*found["best"].T, "k:", label="closed form")
    curve.plot(*found["learned"].T, "o", color="C0", label="learned")
    curve.plot(*found["weighed"].T, "x", color="C3", label=f"{SAMPLES:,} weighted samples of p")
    curve.plot(*found["shifted"].T, color="#999", label="p, shifted to the right")
    curve.set(xlim=(-0.05, 1.6), ylim=(0, 1.03), xlabel="nats from p", ylabel="probability of x > 1", title="the price")
    for index, alpha in enumerate(ALPHAS[::3]):
        density = found["q"][3 * index] - np.log(X[1] - X[0])
        densities.plot(X, np.exp(density), color=f"C{index}", label=f"alpha = {alpha:g}")
    densities.axvline(1, color="#999", linewidth=0.8)
    densities.set(xlabel="x", title="q* for three weights of the rule")
    for axes in (curve, densities):
        axes.legend(fontsize=8)
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    """Errors of what is learned and weighed; what obedience costs at the fourth alpha, and by shifting p."""
    nats, obeyed = found["best"][3]
    return {
        "learned_error": np.abs(found["learned"] - found["best"]).max(),
        "weighed_error": np.abs(found["weighed"] - found["best"]).max(),
        "obeyed_before": found["best"][0, 1],
        "obeyed": obeyed,
        "nats": nats,
        "nats_shifted": np.interp(obeyed, found["shifted"][:, 1], found["shifted"][:, 0]),
    }


def experiment(config: Config) -> Experiment:
    """Seven weights of one rule."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    return Experiment(
        method=regularized(Net(Steered(), optax.adam(rate))),
        data=nothing(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"price": Drawing(measure, draw, numbers)},
    )
