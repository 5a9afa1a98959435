"""pix2pix: from the outlines of images back to the images.

`jaxgen train pix2pix`
"""

import dataclasses

import numpy as np
import optax

from head import Head, levels, strided
from jaxgen.core import Net
from jaxgen.data.domains import edges, paired
from jaxgen.data.source import Examples
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.models.adversarial.translation import PatchCritic, UNet
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Isola et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 4000
    """Training steps."""
    batch_size: int = 16
    """Images in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size, for both networks."""
    width: int = 32
    """Channels of the largest hidden maps."""
    weight: float = 100.0
    """Of the absolute error, beside the critic's word."""


PRESETS = {"digits": Config()}


def experiment(config: Config) -> Experiment:
    """A U-Net that halves three times, and a critic of patches of 16 pixels."""
    data = strided(config.load())
    unit, channels = np.float32(2 / (levels(data) - 1)), data.spec["image"].shape[2]

    def signed(examples: Examples) -> Examples:
        """Both images to [-1, 1]."""
        return {**examples, **{name: examples[name] * unit - 1 for name in ("image", "target")}}

    adam = optax.adam(config.learning_rate, b1=0.5)
    return Experiment(
        method=pix2pix(
            Net(UNet(channels, config.width, depth=3, dropout=2, dtype=config.dtype), adam, streams=("dropout",)),
            Net(PatchCritic(1, config.width, dtype=config.dtype), adam),
            adversarial.non_saturating,
            weight=config.weight,
        ),
        data=paired(data, edges, reverse=True).map(signed),
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )
