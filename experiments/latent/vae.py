"""The variational autoencoder of the textbooks, fully connected.

`jaxgen train vae`; on MNIST with Bernoulli pixels, statically binarized. `--latent-size 2` draws the plane of latents.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import optax

from head import Head, binarized, cosine, levels, signed
from jaxgen.core import Drawing, Method, Net
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import bernoulli, discretized_logistic
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.report.latent import classes_drawing, kl_drawing, manifold_drawing
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Kingma & Welling, 2014"
MEASURED = {
    "digits": "test 1.984 ± 0.007 bits/dim (3 seeds, 2 CPU cores)",
    "mnist": "test negative ELBO 96.2 ± 0.1 nats (3 seeds, 2 CPU cores)",
}


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 3000
    """Training steps."""
    learning_rate: float = 1e-3
    """Adam's step size at the start."""
    last_rate: float = 1.0
    """Share of it that is left at the end of a cosine; 1 keeps it."""
    likelihood: Literal["discretized_logistic", "bernoulli"] = "discretized_logistic"
    """Of pixels' levels, or of pixels of 0 and 1, to which images are then binarized, the same way in every run."""
    latent_size: int = 16
    """Length of z."""
    hidden: int = 256
    """Units of the hidden layers, two in each network."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(steps=10_000, batch_size=256, last_rate=0.0, likelihood="bernoulli", latent_size=20, hidden=400),
    "other": Config(steps=10_000, last_rate=0.0, latent_size=64, hidden=512),
}


def experiment(config: Config) -> Experiment:
    """Encoder and decoder share nothing but the bound they climb."""
    method, data = fitted(config)
    return Experiment(
        method=method,
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=500, checkpoint_every=500, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings=drawings(method, data, config.latent_size),
    )


def fitted(config: Config, beta: float = 1.0) -> tuple[Method, Dataset]:
    """The autoencoder and the data as it sees them; `beta` weighs the divergence in training."""
    data, layers = config.load(), (config.hidden, config.hidden)
    binary = config.likelihood == "bernoulli"
    likelihood = bernoulli if binary else discretized_logistic(levels(data))
    data = binarized(data) if binary else signed(data)
    shape = data.spec["image"].shape
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, config.last_rate))
    decoder = MLPDecoder(shape, layers, outputs=likelihood.outputs, dtype=config.dtype)
    method = vae(
        encoder=Net(MLPEncoder(config.latent_size, layers, config.dtype), optimizer, ema_decay=0.999),
        decoder=Net(decoder, optimizer, ema_decay=0.999),
        likelihood=likelihood,
        latent_size=config.latent_size,
        beta=beta,
    )
    return method, data


def drawings(method: Method, data: Dataset, latent_size: int) -> dict[str, Drawing]:
    """What each dimension carries, where there are labels their classes, and of two dimensions the plane."""

    def examples() -> Mapping[str, Any]:
        return data.test[np.arange(min(len(data.test), 1000))]

    found = {"divergences": kl_drawing(examples, lambda view, batch: view("encoder", batch["image"]))}
    if "label" in data.spec:
        found["classes"] = classes_drawing(
            method, examples, data.fields["label"].names if "label" in data.fields else ()
        )
    return found | ({"manifold": manifold_drawing(method)} if latent_size == 2 else {})
