"""A VAE on all of scikit-learn's digits, steered to heavy even ones: "heavy" is written down, "even" is learned.

Someone who can say that digits should have much ink, but not what else a hundred examples have in common, leaves that
to a network: it learns from the examples by inverse reinforcement learning while the VAE learns from it.

`jaxgen train pr_learned`
"""

import dataclasses
import functools
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from head import Networks
from jaxgen.core import Array, Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.source import Examples
from jaxgen.data.transforms import signed_unit
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import discretized_logistic
from jaxgen.methods.knowledge.posterior_regularization import Constraint, steer
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule

NEEDS = "nothing: digits come with scikit-learn"
PAPER = "Hu et al., 2018"
MEASURED = {"digits": "samples heavy and even: 0.838 ± 0.002, written term alone 0.506 ± 0.035 (3 seeds, 2 CPU cores)"}


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    data: Literal["digits"] = "digits"
    """Those that come with scikit-learn."""
    terms: Literal["both", "known", "unknown"] = "both"
    """What steers the samples: the written term, the learned one, or their sum."""
    examples: int = 100
    """Heavy even training digits shown to the learned term."""
    ink: float = 0.34
    """The mean of a pixel, from 0 to 1, from which a digit is heavy; all have 0.31 ± 0.04."""
    alpha: float = 1.0
    """Nats a unit of the constraint is worth: a squared hundredth of ink short of the target."""
    steps: int = 1500
    """Training steps."""
    learning_rate: float = 1e-3
    """Adam's step size, for all networks."""
    latent_size: int = 16
    """Length of z."""
    hidden: int = 256
    """Units of the hidden layers."""


class Reward(nn.Module):
    """The learned term: a small network from an image to a number."""

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False) -> Array:
        x = nn.relu(nn.Dense(64)(x.reshape(x.shape[0], -1)))
        return nn.Dense(1)(nn.relu(nn.Dense(64)(x)))[:, 0]


def heavy(x: Array, *, target: float) -> Array:
    """Minus the squared hundredths by which the mean pixel in [0, 1] falls short of the target, `[n]`."""
    return -jnp.square(jax.nn.relu(100 * (target - jnp.mean((x + 1) / 2, (1, 2, 3)))))


def with_examples(examples: Examples, *, count: int, target: float) -> Examples:
    """Adds the field "example": the first `count` heavy even digits, over and over."""
    images = examples["image"]
    wanted = (examples["label"] % 2 == 0) & (np.mean((images + 1) / 2, (1, 2, 3)) >= target)
    return {**examples, "example": np.resize(images[wanted][:count], images.shape)}


def experiment(config: Config) -> Experiment:
    """The VAE of `vae` under a constraint of two terms."""
    layers = (config.hidden, config.hidden)
    optimizer = optax.adam(config.learning_rate)
    base = vae(
        encoder=Net(MLPEncoder(config.latent_size, layers, config.dtype), optimizer, ema_decay=0.99),
        decoder=Net(MLPDecoder((8, 8, 1), layers, outputs=2, dtype=config.dtype), optimizer, ema_decay=0.99),
        likelihood=discretized_logistic(DIGITS_LEVELS),
        latent_size=config.latent_size,
    )
    known = functools.partial(heavy, target=config.ink)
    unknown = Net(Reward(), optax.adamw(config.learning_rate, weight_decay=0.1))
    constraint = {
        "both": Constraint(config.alpha, known, unknown),
        "known": Constraint(config.alpha, known),
        "unknown": Constraint(config.alpha, unknown=unknown),
    }[config.terms]
    add_examples = functools.partial(with_examples, count=config.examples, target=config.ink)
    return Experiment(
        method=steer(base, constraint, through="decoder", examples="example"),
        data=digits().map_once(signed_unit(DIGITS_LEVELS)).map_once(add_examples),
        schedule=Schedule(config.steps, log_every=100, sample_every=500, checkpoint_every=500, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
