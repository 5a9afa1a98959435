"""pix2pix: from the outlines of images back to the images.

`jaxgen train pix2pix`; with `--data A --target B` from a folder's images to those of the same names in another.
"""

import dataclasses
from pathlib import Path

import numpy as np
import optax

from head import Head, levels, signed, strided
from jaxgen.core import Net
from jaxgen.data.domains import edges, paired, pairs
from jaxgen.data.pictures import check_same_names
from jaxgen.data.source import Dataset, Examples
from jaxgen.errors import UserError
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
    target: str | None = None
    """A data set's name or a path: what the images become, in the place of images from their outlines."""


PRESETS = {"digits": Config()}


def experiment(config: Config) -> Experiment:
    """A U-Net that halves three times, and a critic of patches of 16 pixels."""
    data = _pairs(config)
    channels = data.spec["target"].shape[2]
    adam = optax.adam(config.learning_rate, b1=0.5)
    return Experiment(
        method=pix2pix(
            Net(UNet(channels, config.width, depth=3, dropout=2, dtype=config.dtype), adam, streams=("dropout",)),
            Net(PatchCritic(1, config.width, dtype=config.dtype), adam),
            adversarial.non_saturating,
            weight=config.weight,
        ),
        data=data,
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )


def _pairs(config: Config) -> Dataset:
    """Fields `image` and `target`, in [-1, 1]."""
    if config.target is not None:
        return _own_pairs(config, config.target)
    data = strided(config.load())
    unit = np.float32(2 / (levels(data) - 1))

    def both_signed(examples: Examples) -> Examples:
        return {**examples, **{name: examples[name] * unit - 1 for name in ("image", "target")}}

    return paired(data, edges, reverse=True).map(both_signed)


def _own_pairs(config: Config, target: str) -> Dataset:
    """Of two folders by their files' names; of arrays by number."""
    if config.skip_bad:
        raise UserError("skip_bad leaves out images whose targets stay; leave it out, and take away both of a pair.")
    sets = [dataclasses.replace(config, data=name).load() for name in (config.data, target)]
    folders = [Path(name).expanduser() for name in (config.data, target)]
    if any(folder.is_dir() for folder in folders):
        check_same_names(*folders)
    return pairs(*(signed(strided(data)) for data in sets))
