"""Why a bound is below log p(x): the Gaussian that is best for an x falls short, and an encoder of all x falls shorter.

`jaxgen train amortization_gap`
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
from numpy.polynomial.hermite_e import hermegauss
from scipy import stats

from demonstrations import Demonstration, drawn
from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses.variational import elbo, gaussian_kl, gaussian_log_prob
from jaxgen.models.mlp import MLP
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Cremer et al., 2018"
MEASURED = {"bowl": "0.080 nats short with the best Gaussians, 0.024 more with an encoder of three units"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    learning_rate: float = 1e-2
    """Adam's step size at the start; it falls to nothing along a cosine."""


VARIANCE = 0.25  # of x given z; z is standard normal
LOG_VARIANCE = np.log(VARIANCE)
X = np.linspace(-1.5, 4, 56).astype(np.float32)[:, None]
NODES, WEIGHTS = (array.astype(np.float32) for array in hermegauss(6))  # exact, for log p(x|z) is a quartic of z
WAYS = ("narrow", "wide", "free")


def bowl(z: Any) -> Any:
    """The mean of x: most x have two z, of unlike prior."""
    return z + z**2 / 2


def points(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """x of the model itself."""
    x = bowl(rng.normal(size=(count, 1))) + VARIANCE**0.5 * rng.normal(size=(count, 1))
    return {"x": x.astype(np.float32)}


def log_evidence() -> np.ndarray:
    """log p(x) of X, by quadrature, nats."""
    z = np.linspace(-8, 8, 4001)
    joint = stats.norm.pdf(z) * stats.norm.pdf(X, bowl(z), VARIANCE**0.5)
    return np.log(joint.sum(1) * (z[1] - z[0]))


def bound(x: Array, q: tuple[Array, Array]) -> Array:
    """Of q(z|x), a mean and a log-variance `[batch, 1]`, exactly: `[batch]`."""
    mean, log_variance = q
    of_node = jax.vmap(lambda node: gaussian_log_prob(x, bowl(mean + jnp.exp(log_variance / 2) * node), LOG_VARIANCE))
    return elbo(WEIGHTS @ of_node(NODES) / WEIGHTS.sum(), gaussian_kl(mean, log_variance))


class Free(nn.Module):
    """A Gaussian for each of X, which none of the others hears of."""

    @nn.compact
    def __call__(self) -> jax.Array:
        return self.param("q", nn.initializers.zeros, (len(X), 2))


def inference(encoders: Mapping[str, Net], free: Net) -> Method:
    """The model is given; encoders learn from its x, and the free Gaussians from their own."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        own = jnp.mean(bound(jnp.asarray(X), halves(view("free"))))
        bounds = {name: jnp.mean(bound(batch["x"], halves(view(name, batch["x"])))) for name in encoders}
        return -own - sum(bounds.values()), Aux(bounds)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {
            **{name: linen.init(modules[name], key, batch["x"]) for name in encoders},
            "free": modules["free"].init(key),
        }

    nets = {**encoders, "free": free}
    return Method("inference", nets, (Phase("elbo", tuple(nets), loss),), init, None, lambda *_: {})


def halves(q: Array) -> tuple[Array, Array]:
    """Mean and log-variance of an encoder's outputs `[batch, 2]`."""
    return q[:, :1], q[:, 1:]


def measure(view: View) -> Array:
    """Bounds at X, `[ways, points]`."""
    x = jnp.asarray(X)
    return jnp.stack([bound(x, halves(view(name) if name == "free" else view(name, x))) for name in WAYS])


def draw(found: np.ndarray) -> Figure:
    """How far bounds are below log p(x), and what is lost on average where."""
    figure = new_figure(10, 4)
    course, lost = figure.subplots(1, 2, width_ratios=(3, 2))
    looks = {"narrow": ("C2", "an encoder of 3 units"), "wide": ("C1", "an encoder of two layers of 64 units")}
    looks["free"] = "k", "the best Gaussian for each x"
    for way, (color, name) in looks.items():
        style = ":" if way == "free" else "-"
        course.plot(X, log_evidence() - found[WAYS.index(way)], style, color=color, label=name)
    course.set(xlabel="x", ylabel="nats", ylim=(0, None), title="how far bounds are below log p(x)")
    course.legend(fontsize=8)
    gaps = numbers(found)
    for row, way in enumerate(("narrow", "wide")):
        first, then = gaps["approximation_gap"], gaps[f"amortization_gap_{way}"]
        lost.barh(row, first, color="#777", label="no Gaussian does better" if row == 0 else None)
        lost.barh(row, then, left=first, color="C2", label="what an encoder of all x adds" if row == 0 else None)
    lost.set_yticks([0, 1], ["3 units", "64 units"])
    lost.set(xlabel="nats, mean over p(x)", title="the gap's two parts", ylim=(-0.6, 2.2))
    lost.legend(fontsize=8, loc="upper right")
    return figure


def numbers(found: np.ndarray) -> Mapping[str, float]:
    """Means over p(x) of what is lost, and the most by which a bound exceeds what it is a bound of."""
    truth, free = log_evidence(), found[WAYS.index("free")]
    share = np.exp(truth) / np.exp(truth).sum()
    amortized = {f"amortization_gap_{way}": share @ (free - found[WAYS.index(way)]) for way in ("narrow", "wide")}
    return {"approximation_gap": share @ (truth - free), **amortized, "bound_beyond": (found - truth).max()}


def experiment(config: Config) -> Experiment:
    """Two encoders, and none."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    adam = optax.flatten(optax.adam(rate))
    encoders = {
        name: Net(MLP(2, hidden, dtype=config.dtype), adam) for name, hidden in (("narrow", (3,)), ("wide", (64, 64)))
    }
    return Experiment(
        method=inference(encoders, Net(Free(), optax.adam(rate))),
        data=drawn("bowl", points),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"gaps": Drawing(measure, draw, numbers)},
    )
