"""A variational autoencoder whose prior is the leaves of a tree of clusters, grown where its latents are.

`jaxgen train tree_vae`: a plain autoencoder first; then a tree is grown on its latents, and both move on together, the
tree by updates in closed form. Where there are labels, which training does not see, classes are compared with leaves.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax

from head import Head, cosine, levels, signed
from jaxgen.core import Net, TrainState
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import discretized_logistic
from jaxgen.losses import tree as crp
from jaxgen.methods.latent import priors
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.priors import TreePrior
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Carry, Stage, carry_over
from structured_vae import clusters

NEEDS = "images"
PAPER = "Goyal et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 3000
    """Training steps, a third of them without the tree."""
    branching: tuple[int, ...] = (4, 4)
    """Children of the tree's nodes, level by level."""
    data_variance: float = 0.1
    """Of latents about their leaf, in each dimension; nodes are drawn about their parents with variance 1. Where it is
    0.25, all latents soon share two leaves."""
    latent_size: int = 16
    """Length of z."""
    hidden: int = 256
    """Units of the hidden layers, two in each network."""


PRESETS = {"digits": Config(), "other": Config(steps=10_000, latent_size=32, hidden=512)}


def experiment(config: Config) -> Experiment:
    """Both stages share encoder and decoder."""
    data, layers = config.load(), (config.hidden, config.hidden)
    likelihood, data = discretized_logistic(levels(data)), signed(data)
    adam = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    encoder = Net(MLPEncoder(config.latent_size, layers, config.dtype), adam, ema_decay=0.999)
    decoder = MLPDecoder(data.spec["image"].shape, layers, outputs=likelihood.outputs, dtype=config.dtype)
    decoder = Net(decoder, adam, ema_decay=0.999)
    process = crp.Process(config.branching, data_variance=config.data_variance)
    prior = priors.tree(Net(TreePrior(process, config.latent_size, len(data.train))))
    plain = vae(encoder, decoder, likelihood, latent_size=config.latent_size)
    method = vae(encoder, decoder, likelihood, latent_size=config.latent_size, prior=prior)
    if "label" in data.spec:
        method = dataclasses.replace(method, evaluations=(clusters(prior, process.nodes[-1]),))
    images = data.train[np.arange(min(len(data.train), 10_000))]["image"]
    first = max(10, config.steps // 30 * 10)
    return Experiment(
        stages=(
            Stage("plain", plain, first),
            Stage("tree", method, carry=grown(encoder, images, process, config.seed)),
        ),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )


def grown(encoder: Net, images: np.ndarray, process: crp.Process, seed: int, moves: int = 200) -> Carry:
    """Grows the second stage's tree on the latents of images: sweeps, and leaves moved where the bound gains."""

    def carry(old: TrainState, fresh: TrainState) -> TrainState:
        mean, *_ = encoder.module.apply({"params": old.nets["encoder"].ema}, images)
        data = crp.Data(mean, jnp.zeros(()), jnp.zeros(len(mean), int))
        keys, prior = jax.random.split(jax.random.key(seed), moves), fresh.nets["prior"]
        first = prior.variables["tree"]["tree"]
        tree, _ = jax.lax.scan(lambda tree, key: (crp.regrow(key, data, tree, process), None), first, keys)
        shares = crp.update_shares(data, tree, process)
        known = {"tree": tree, "counts": jnp.sum(shares, 0), "sums": shares.T @ mean}
        begun = carry_over(old, fresh)
        moved = dataclasses.replace(begun.nets["prior"], variables={"tree": known})
        return dataclasses.replace(begun, nets={**begun.nets, "prior": moved})

    return carry
