"""A critic's estimate of the distance to the data, watched while samples improve, beside a discriminator's value.

`jaxgen train estimate_course`
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from scipy import optimize, spatial, stats

from demonstrations import Demonstration
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.synthetic import gaussian_ring
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors, regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Arjovsky et al., 2017, figures 3 and 4"
MEASURED = {"gaussian_ring": "not yet run"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 1000
    """Training steps."""
    batch_size: int = 128
    """Points in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size, for the generators; the critics, which are to keep up, have five times that."""


FRAMES, POINTS, LATENT = 40, 400, 8
GAMES = ("wasserstein", "minimax")
REAL = gaussian_ring().sample(np.random.default_rng(2), POINTS)
_STEPS_PER_CALL = 10


def observe(view: View) -> Array:
    """By game: points of the generator `[POINTS, 2]`, and below them what the critic makes of them and of real ones.

    That is E f(real) - E f(fake) of a Wasserstein critic, and (V + log 4) / 2 of a discriminator, nats: each of its
    game's estimates of how far the samples are from the data, Wasserstein's distance and Jensen-Shannon's divergence.
    """
    found = []
    for name in GAMES:
        own = part(view, name)
        fake = own("generator", jax.random.normal(jax.random.key(0), (POINTS, LATENT)))
        real_score, fake_score = (own("critic", x).astype(jnp.float32) for x in (jnp.asarray(REAL), fake))
        if name == "wasserstein":
            estimate = jnp.mean(real_score) - jnp.mean(fake_score)
        else:
            value = -jnp.mean(jax.nn.softplus(-real_score)) - jnp.mean(jax.nn.softplus(fake_score))
            estimate = (value + jnp.log(4.0)) / 2
        found.append(jnp.concatenate([fake.astype(jnp.float32), jnp.full((1, 2), estimate)]))
    return jnp.stack(found)


def courses(frames: np.ndarray, real: np.ndarray = REAL) -> dict[str, np.ndarray]:
    """By game, `[frames, 2]`: the exact Wasserstein distance of the samples, by assignment, and the estimate."""

    def distance(fake: np.ndarray) -> float:
        cost = spatial.distance.cdist(fake, real)
        return float(cost[optimize.linear_sum_assignment(cost)].mean())

    return {
        name: np.array([(distance(frame[:-1]), frame[-1, 0]) for frame in frames[:, index]])
        for index, name in enumerate(GAMES)
    }


def draw(frames: np.ndarray) -> Figure:
    """A panel a game: what is true and what its critic says, over training."""
    figure = new_figure(10, 3.6)
    for axes, (name, course) in zip(figure.subplots(1, 2), courses(frames).items(), strict=True):
        parts = np.linspace(0, 1, len(course))
        says = "critic's estimate" if name == "wasserstein" else "discriminator's divergence, nats"
        axes.plot(parts, course[:, 0], "k:", label="Wasserstein distance of samples")
        axes.plot(parts, course[:, 1], color="#c2410c", label=says)
        axes.set(title=name, xlabel="share of training")
        axes.set_ylim(bottom=min(0, course.min()))
        axes.legend(fontsize=8)
    return figure


def numbers(frames: np.ndarray) -> Mapping[str, float]:
    """How near estimate and distance are in the second half of training, and what else the captions say.

    That is the mean of |estimate - distance| / distance, the rank correlation of the two, the distance at both ends,
    and the least and the most that the discriminator says of its own game after a tenth of training.
    """
    (distance, estimate), (_, divergence) = (course.T for course in courses(frames).values())
    later, half = divergence[len(divergence) // 10 :], len(distance) // 2
    return {
        "estimate_error": float(np.mean(np.abs(estimate / distance - 1)[half:])),
        "agreement": float(np.corrcoef(*map(stats.rankdata, (distance[half:], estimate[half:])))[0, 1]),
        "distance_first": distance[0],
        "distance_last": distance[-1],
        "divergence_least": later.min(),
        "divergence_most": later.max(),
    }


def experiment(config: Config) -> Experiment:
    """Both games from the same networks, on the ring of eight Gaussians."""
    slow, quick = (optax.flatten(optax.adam(k * config.learning_rate, b1=0.0, b2=0.9)) for k in (1, 5))

    def nets() -> tuple[Net, Net]:
        return (
            Net(MLP(2, (64, 64), dtype=config.dtype), slow),
            Net(MLPCritic(hidden=(64, 64), dtype=config.dtype), quick),
        )

    prior = priors.normal(LATENT)
    games = {
        "wasserstein": gan(
            *nets(),
            adversarial.wasserstein,
            prior=prior,
            critic_steps=10,
            critic_regularizers=[regularizers.gradient_penalty(10.0)],
            field="x",
        ),
        "minimax": gan(*nets(), adversarial.minimax, prior=prior, critic_steps=10, field="x"),
    }
    every = max(config.steps // FRAMES // _STEPS_PER_CALL, 1) * _STEPS_PER_CALL
    shape = (len(GAMES), POINTS + 1, 2)
    watched = recorded(side_by_side(games), observe, frames=FRAMES, shape=shape, every=every)

    def frames(view: View) -> Array:
        return jnp.concatenate([history(view), observe(view)[None]])

    return Experiment(
        method=watched,
        data=gaussian_ring().dataset(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=_STEPS_PER_CALL),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"course": Drawing(frames, draw, numbers)},
    )
