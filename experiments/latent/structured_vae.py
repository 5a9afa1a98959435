"""A variational autoencoder whose prior is learned: a mixture of Gaussians, or a VampPrior.

`jaxgen train structured_vae`; `--prior` chooses another. Where there are labels, which training does not see, classes
are compared with the prior's components.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import optax
from sklearn.metrics import normalized_mutual_info_score

from clusters import k_means
from head import Head, binarized, cosine, levels, signed
from jaxgen.core import Array, Evaluation, Net, View
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import bernoulli, discretized_logistic
from jaxgen.losses.mixture import gaussian_log_joint
from jaxgen.methods.latent import priors
from jaxgen.methods.latent.vae import vae
from jaxgen.metrics.matching import purity
from jaxgen.models.latent.priors import MixturePrior, PseudoInputs
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
    prior: Literal["normal", "mixture", "vamp"] = "vamp"
    """Of z: standard normal, Gaussians of its own, or the encoder's posteriors of learned inputs."""
    components: int = 50
    """Of mixture and VampPrior."""
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
    }
    prior = choices[config.prior]()
    decoder = MLPDecoder(data.spec["image"].shape, layers, outputs=likelihood.outputs, dtype=config.dtype)
    method = vae(
        Net(MLPEncoder(config.latent_size, layers, config.dtype), optimizer, ema_decay=0.999),
        Net(decoder, optimizer, ema_decay=0.999),
        likelihood,
        latent_size=config.latent_size,
        prior=prior,
    )
    if prior is not None and "label" in data.spec:
        method = dataclasses.replace(method, evaluations=(clusters(prior, config.components),))
    return Experiment(
        method=method,
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )


def clusters(prior: priors.Prior, count: int) -> Evaluation:
    """Held-out images by the likeliest component of their latents' means: how pure components are of classes, and what
    they tell of them (mutual information over the mean entropy); beside as many clusters of pixels."""

    def component(view: View, images: Array) -> Array:
        return jnp.argmax(gaussian_log_joint(view("encoder", images)[0], prior.components(view)), axis=-1)

    def compute(model: Any, data: Any) -> Mapping[str, float]:
        test = data.test[np.arange(len(data.test))]
        return figures(model.apply(component, test["image"]), test["label"])

    def of_pixels(model: Any, data: Any) -> Mapping[str, float]:
        return figures(k_means(count, data), data.test[np.arange(len(data.test))]["label"])

    def figures(found: np.ndarray, labels: np.ndarray) -> Mapping[str, float]:
        information = normalized_mutual_info_score(labels, found)
        return {
            "clusters": float(len(np.unique(found))),
            "clusters_purity": purity(found, labels),
            "clusters_information": float(information),
        }

    return Evaluation("clusters", compute, nulls={"untrained": compute, "k_means": of_pixels})
