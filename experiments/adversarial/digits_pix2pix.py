"""pix2pix on scikit-learn's digits: from their outlines back to the digits.

`jaxgen train digits_pix2pix`
"""

import dataclasses
from typing import Literal

import numpy as np
import optax

from jaxgen.core import Net
from jaxgen.data.domains import edges, paired
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.source import Examples
from jaxgen.data.transforms import enlarge
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.pix2pix import pix2pix
from jaxgen.models.adversarial.translation import PatchCritic, UNet
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 4000
    """Training steps."""
    batch_size: int = 16
    """Images in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size, for both networks."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    width: int = 32
    """Channels of the largest hidden maps."""
    weight: float = 100.0
    """Of the absolute error, beside the critic's word."""


def signed(examples: Examples) -> Examples:
    """Both images to [-1, 1]."""
    scaled = {name: examples[name] * np.float32(2 / (DIGITS_LEVELS - 1)) - 1 for name in ("image", "target")}
    return {**examples, **scaled}


def experiment(config: Config) -> Experiment:
    """A U-Net that halves three times, and a critic of patches of 16 pixels."""
    adam = optax.adam(config.learning_rate, b1=0.5)
    generator = UNet(1, config.width, depth=3, dropout=2, dtype=config.dtype)
    return Experiment(
        method=pix2pix(
            Net(generator, adam, streams=("dropout",)),
            Net(PatchCritic(1, config.width, dtype=config.dtype), adam),
            adversarial.non_saturating,
            weight=config.weight,
        ),
        data=paired(digits().map_once(enlarge(16)), edges, reverse=True).map(signed),
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Isola et al., 2017",
        measured="not yet run",
    )
