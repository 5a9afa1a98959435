"""A conditional VAE: encoder and decoder are told the class, and z is what the class leaves open.

`jaxgen train conditional_vae`; `jaxgen sample RUN --classes 0,1,2` draws those that are asked for. Held-out bits are of
an image given its class; what the class itself takes, log2 of how many there are, is not among them.
"""

import dataclasses

import optax

from head import Head, binarized, classes, cosine, levels, signed
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import bernoulli, discretized_logistic
from jaxgen.methods.latent.conditional_vae import conditional_vae
from jaxgen.models.adversarial.conditional import WithLabel
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule

NEEDS = "images with labels"
PAPER = "Sohn et al., 2015"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 3000
    """Training steps."""
    learning_rate: float = 1e-3
    """Adam's step size at the start."""
    last_rate: float = 1.0
    """Share of it that is left at the end of a cosine; 1 keeps it."""
    binary: bool = False
    """Draw every pixel as 0 or 1 by its level, the same way in every run: static binarization."""
    latent_size: int = 16
    """Length of z."""
    hidden: int = 256
    """Units of the hidden layers, two in each network."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(steps=10_000, batch_size=256, last_rate=0.0, binary=True, latent_size=20, hidden=400),
    "other": Config(steps=10_000, last_rate=0.0, latent_size=64, hidden=512),
}


def experiment(config: Config) -> Experiment:
    """The networks of `vae`, to whose inputs the label is appended."""
    data, layers = config.load(), (config.hidden, config.hidden)
    count, likelihood = classes(data), bernoulli if config.binary else discretized_logistic(levels(data))
    data = binarized(data) if config.binary else signed(data)
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, config.last_rate))
    encoder = MLPEncoder(config.latent_size, layers, config.dtype)
    decoder = MLPDecoder(data.spec["image"].shape, layers, outputs=likelihood.outputs, dtype=config.dtype)
    return Experiment(
        method=conditional_vae(
            encoder=Net(WithLabel(encoder, count), optimizer, ema_decay=0.999),
            decoder=Net(WithLabel(decoder, count), optimizer, ema_decay=0.999),
            likelihood=likelihood,
            latent_size=config.latent_size,
            classes=count,
        ),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=500, checkpoint_every=500, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
