"""A variational autoencoder whose prior is learned: a mixture of Gaussians, a VampPrior, or a tree of clusters.

`jaxgen train structured_vae`; `--prior` chooses another.
"""

import dataclasses
from typing import Literal

import optax

from head import Head, binarized, cosine, levels, signed
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import bernoulli, discretized_logistic
from jaxgen.losses.tree import Process
from jaxgen.methods.latent import priors
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.priors import MixturePrior, PseudoInputs, TreePrior
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Tomczak & Welling, 2018"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 3000
    """Training steps."""
    last_rate: float = 0.0
    """Share of Adam's step size that is left at the end of a cosine."""
    likelihood: Literal["discretized_logistic", "bernoulli"] = "discretized_logistic"
    """Of pixels' levels, or of pixels of 0 and 1, to which images are then binarized, the same way in every run."""
    prior: Literal["normal", "mixture", "vamp", "tree"] = "vamp"
    """Of z: standard normal, Gaussians of its own, the encoder's posteriors of learned inputs, or a tree's leaves."""
    components: int = 50
    """Of mixture and VampPrior."""
    branching: tuple[int, ...] = (4, 4)
    """Children of the tree's nodes, level by level."""
    latent_size: int = 16
    """Length of z."""
    hidden: int = 256
    """Units of the hidden layers, two in each network."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(steps=6000, batch_size=100, likelihood="bernoulli", components=100, latent_size=40, hidden=300),
}


def experiment(config: Config) -> Experiment:
    """All that differs is p(z); held out, `jaxgen eval RUN --draws 1000` has the tighter bound."""
    data, layers = config.load(), (config.hidden, config.hidden)
    binary = config.likelihood == "bernoulli"
    likelihood = bernoulli if binary else discretized_logistic(levels(data))
    data = binarized(data) if binary else signed(data)
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, config.last_rate))
    choices = {
        "normal": lambda: None,
        "mixture": lambda: priors.gaussian_mixture(Net(MixturePrior(config.components, config.latent_size), optimizer)),
        "vamp": lambda: priors.vamp(Net(PseudoInputs(config.components, 0.0 if binary else -1.0), optimizer)),
        "tree": lambda: priors.tree(
            Net(TreePrior(Process(config.branching, data_variance=0.25), config.latent_size, len(data.train)))
        ),
    }
    decoder = MLPDecoder(data.spec["image"].shape, layers, outputs=likelihood.outputs, dtype=config.dtype)
    return Experiment(
        method=vae(
            Net(MLPEncoder(config.latent_size, layers, config.dtype), optimizer, ema_decay=0.999),
            Net(decoder, optimizer, ema_decay=0.999),
            likelihood,
            latent_size=config.latent_size,
            prior=choices[config.prior](),
        ),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
