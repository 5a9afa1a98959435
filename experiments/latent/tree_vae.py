"""A variational autoencoder whose prior is the leaves of a tree of clusters, grown where its latents are.

`jaxgen train tree_vae`: a plain autoencoder first; then a tree is grown on its latents, and both move on together, the
tree by updates in closed form. Where there are labels, which training does not see, classes are compared with leaves.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from head import Head, cosine, levels, signed
from jaxgen.core import Drawing, Net, TrainState, View
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import Likelihood, discretized_logistic
from jaxgen.losses import tree as crp
from jaxgen.methods.latent import priors
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.priors import TreePrior
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.report.figure import new_figure
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
        drawings={"tree": tree_drawing(likelihood, process)},
    )


def tree_drawing(likelihood: Likelihood, process: crp.Process) -> Drawing:
    """The tree, with what each node's mean is decoded to, and which share of the examples each leaf has."""

    def compute(view: View) -> dict[str, Any]:
        known = view.variables["prior"]["tree"]
        leaves = known["tree"].means[-1]
        levels = jnp.zeros((1, leaves.shape[1])), *known["tree"].means  # the root is the prior's own mean
        images = [likelihood.mean(*jnp.unstack(view("decoder", z), axis=-1)) for z in levels]
        return {"leaves": leaves, "images": images, "shares": known["counts"] / jnp.sum(known["counts"])}

    def draw(found: Mapping[str, Any]) -> Figure:
        figure, leaves, above = new_figure(11, 3.6), process.nodes[-1], []
        levels, wide = len(found["images"]), 0.9 / leaves
        high = wide * 11 / 3.6
        for level, images in enumerate(found["images"]):
            bottom, drawn = 0.08 + (0.9 - high) * (1 - level / (levels - 1)), []
            for node, image in enumerate(images):
                axes = figure.add_axes(((node + 0.5) / len(images) - wide / 2, bottom, wide, high))
                axes.imshow(image.mean(-1), cmap="gray", vmin=-1, vmax=1)
                axes.set(xticks=[], yticks=[])
                for parent in above[node * len(above) // len(images) :][:1]:
                    ends = {"coordsA": "axes fraction", "coordsB": "axes fraction", "axesA": parent, "axesB": axes}
                    figure.add_artist(ConnectionPatch((0.5, 0), (0.5, 1), **ends, color="#888", linewidth=0.8))
                if level == levels - 1:
                    axes.set_xlabel(f"{found['shares'][node]:.0%}", fontsize=8)
                drawn.append(axes)
            above = drawn
        return figure

    return Drawing(compute, draw, lambda found: kinship(found["leaves"], process.branching[-1]))


def kinship(leaves: np.ndarray, siblings: int) -> dict[str, float]:
    """Mean squared distance of leaves `[leaves, size]` of one parent over that of others; 1 were parents of no account.

    And the least that this is of 1,000 random orders of the leaves.
    """

    def ratio(order: np.ndarray) -> float:
        apart = np.square(leaves[order, None] - leaves[order]).sum(-1)
        family = np.arange(len(leaves)) // siblings
        kin = family[:, None] == family
        return float(apart[kin & ~np.eye(len(leaves), dtype=bool)].mean() / apart[~kin].mean())

    rng = np.random.default_rng(0)
    shuffled = [ratio(rng.permutation(len(leaves))) for _ in range(1000)]
    return {"siblings_apart": ratio(np.arange(len(leaves))), "siblings_apart_shuffled": min(shuffled)}


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
