"""log p(x) by draws: from the prior they miss what made x, the more surely the more dimensions; a learned q finds it.

`jaxgen train importance_sampling`
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

from demonstrations import drawn
from head import Training
from jaxgen.core import Array, Aux, Batch, Drawing, Method, Module, Net, Phase, View
from jaxgen.experiment import Experiment
from jaxgen.losses.variational import elbo, gaussian_kl, gaussian_log_prob, iwae
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Burda et al., 2016; Owen, 2013, chapter 9"
MEASURED = {"normal": "32 dimensions: 1,000 draws of the prior 31.8 nats short, of the learned proposal 0.007"}


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """Settings."""

    steps: int = 1000
    """Training steps."""
    batch_size: int = 256
    """Examples in a batch."""
    learning_rate: float = 1e-2
    """Adam's step size at the start; it falls to nothing along a cosine."""


VARIANCE = 0.25  # of x given z; z is standard normal
DIMENSIONS = (1, 2, 4, 8, 16, 32)
DRAWS, EXAMPLES = 1000, 64


class Proposal(nn.Module):
    """q(z|x) = N(slope x, variance) in every dimension alike: of this family the posterior is a member."""

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array]:
        return self.param("slope", nn.initializers.zeros, ()), self.param("log_variance", nn.initializers.zeros, ())


def inference(proposal: Net) -> Method:
    """The proposal alone learns, by the evidence lower bound; the model p(z) p(x|z) is given."""

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        (slope, log_variance), x = view("proposal"), batch["x"]
        z = slope * x + jnp.exp(log_variance / 2) * jax.random.normal(key, x.shape)
        bound = elbo(gaussian_log_prob(x, z, jnp.log(VARIANCE)), gaussian_kl(slope * x, log_variance))
        return -jnp.mean(bound), Aux({"slope": slope, "variance": jnp.exp(log_variance)})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return {"proposal": modules["proposal"].init(key)}

    return Method("inference", {"proposal": proposal}, (Phase("elbo", ("proposal",), loss),), init, None, lambda *_: {})


def measure(view: View) -> dict[str, Array]:
    """By how many nats estimates are short of log p(x), `[dimensions, examples]`, by draws of prior and of proposal.

    And which share of the draws would do as well were they of the posterior, `[dimensions, examples]`.
    """
    slope, log_variance = view("proposal")
    keys = jax.random.split(jax.random.key(0))
    noise = jax.random.normal(keys[0], (DRAWS, EXAMPLES, DIMENSIONS[-1]))
    of_x = jnp.sqrt(1 + VARIANCE) * jax.random.normal(keys[1], (EXAMPLES, DIMENSIONS[-1]))

    def log_weights(e: Array, x: Array, slope: Array | float, log_variance: Array | float) -> Array:
        """`[examples]`, of one draw for each."""
        z = slope * x + jnp.exp(jnp.asarray(log_variance) / 2) * e
        of_joint = gaussian_log_prob(z, 0.0, 0.0) + gaussian_log_prob(x, z, jnp.log(VARIANCE))
        return of_joint - gaussian_log_prob(z, slope * x, log_variance)

    found: dict[str, list[Array]] = {"prior": [], "proposal": [], "prior_share": [], "proposal_share": []}
    for size in DIMENSIONS:
        x = of_x[:, :size]
        truth = gaussian_log_prob(x, 0.0, jnp.log(1 + VARIANCE))
        for name, q in {"prior": (0.0, 0.0), "proposal": (slope, log_variance)}.items():
            log_w = jax.vmap(lambda e, x=x, q=q: log_weights(e, x, *q))(noise[..., :size])
            found[name].append(truth - iwae(log_w))
            found[f"{name}_share"].append(jnp.exp(2 * iwae(log_w) - iwae(2 * log_w)))
    return {**{name: jnp.stack(x) for name, x in found.items()}, "slope": slope, "variance": jnp.exp(log_variance)}


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """Shortfalls and effective shares against the dimension."""
    figure = new_figure(10, 4)
    short, share = figure.subplots(1, 2)
    for name in ("prior", "proposal"):
        short.plot(DIMENSIONS, found[name].mean(1), "o-", label=f"{DRAWS:,} draws of the {name}")
        share.plot(DIMENSIONS, found[f"{name}_share"].mean(1), "o-", label=f"of the {name}")
    short.set(xscale="log", xlabel="dimensions", ylabel="nats", title="short of log p(x)")
    share.set(xscale="log", yscale="log", xlabel="dimensions", title="effective share of the draws")
    for axes in (short, share):
        axes.set_xticks(DIMENSIONS, DIMENSIONS)
        axes.minorticks_off()
        axes.legend(fontsize=8)
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> Mapping[str, float]:
    """Of the most dimensions, but for the first."""
    return {
        "short_prior_1_dimension": found["prior"][0].mean(),
        "short_prior": found["prior"][-1].mean(),
        "short_proposal": np.abs(found["proposal"][-1]).max(),
        "share_prior": found["prior_share"][-1].mean(),
        "share_proposal": found["proposal_share"][-1].mean(),
        "slope": float(found["slope"]),
        "variance": float(found["variance"]),
    }


def experiment(config: Config) -> Experiment:
    """x is what the model makes: standard normal z, and noise upon it."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    std = np.sqrt(1 + VARIANCE)

    def points(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
        return {"x": rng.normal(0, std, (count, DIMENSIONS[-1])).astype(np.float32)}

    return Experiment(
        method=inference(Net(Proposal(), optax.adam(rate))),
        data=drawn("normal", points),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"estimates": Drawing(measure, draw, numbers)},
    )
