"""People in another pose: one picture of somebody and the joints of the pose that is wanted, to that picture.

`jaxgen train people`; the people are drawn inside the compiled step, so there is no end of them.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax

from head import Networks
from jaxgen.core import Net
from jaxgen.data.figures import figures, heat_maps
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.models.adversarial.translation import PatchCritic, UNet
from jaxgen.training.schedule import Schedule

PAPER = "Ma et al., 2017; Hu et al., 2018"
MEASURED = {"figures": "not yet run"}


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    steps: int = 4000
    """Training steps."""
    batch_size: int = 16
    """Pairs in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size, for both networks."""
    size: int = 32
    """Pixels a side."""
    width: int = 32
    """Channels of the largest hidden maps."""
    weight: float = 100.0
    """Of the absolute error, beside the critic's word."""


def posed(batch: Any) -> Any:
    """The picture with a map for each joint of the target's pose appended, and the target."""
    size = batch["image"].shape[1]
    maps = jax.vmap(lambda at: heat_maps(at, size))(batch["target_keypoints"])
    return {**batch, "image": jnp.concatenate([batch["image"], 2 * maps - 1], axis=-1)}


def experiment(config: Config) -> Experiment:
    """A U-Net of four halvings, and a critic of patches of 34 pixels."""
    adam = optax.adam(config.learning_rate, b1=0.5)
    return Experiment(
        method=pix2pix(
            Net(UNet(3, config.width, depth=4, dropout=1, dtype=config.dtype), adam, streams=("dropout",)),
            Net(PatchCritic(2, config.width, dtype=config.dtype), adam),
            adversarial.non_saturating,
            weight=config.weight,
        ),
        data=figures(config.size).map(posed),
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )
