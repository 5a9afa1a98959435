"""CycleGAN: from images to what other images have become, and back, without a pair to learn from.

`jaxgen train cyclegan --change colour`; then `jaxgen sample RUN --from test` shows translations beside images. With
`--data A --target B` it is between two folders of images, of which nobody knows what the truth would be.
"""

import dataclasses
from typing import Literal

import numpy as np
import optax

from head import Head, signed, strided
from jaxgen.core import Net
from jaxgen.data.domains import Change, colour, rotate, thicken, unpaired
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.methods.adversarial.cyclegan import cyclegan
from jaxgen.models.adversarial.translation import PatchCritic, ResNetTranslator
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Zhu et al., 2017"

CHANGES: dict[str, Change] = {  # of images in [-1, 1]
    "invert": np.negative,
    "colour": lambda images: 2 * colour()((images + 1) / 2) - 1,
    "thicken": thicken,
    "rotate": rotate,
}


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 4000
    """Training steps."""
    batch_size: int = 16
    """Images in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size, for all networks; it falls to nothing in the second half of the steps."""
    change: Literal["invert", "colour", "thicken", "rotate"] = "invert"
    """What the other domain's images have gone through. No network of local views can turn images."""
    target: str | None = None
    """A data set's name or a path: the other domain's images, in the place of changed ones."""
    width: int = 32
    """Channels of the largest hidden maps."""
    blocks: int = 3
    """Residual blocks of a translator."""
    cycle: float = 10.0
    """Weight of there and back."""
    identity: float = 0.0
    """Weight of leaving an image as it is that is in its domain already, where both have as many channels."""


PRESETS = {"digits": Config(), "mnist": Config()}


def experiment(config: Config) -> Experiment:
    """Least squares, pools of 50 earlier translations, and how far translations are from the truth that was planted."""
    data = _domains(config)
    rate = optax.linear_schedule(config.learning_rate, 0.0, config.steps // 2, config.steps // 2)
    adam = optax.adam(rate, b1=0.5)
    channels = {domain: data.spec[domain]["image"].shape[2] for domain in ("a", "b")}
    forward, backward = (
        Net(ResNetTranslator(channels[to], config.width, config.blocks, dtype=config.dtype), adam) for to in ("b", "a")
    )
    method = cyclegan(
        forward,
        backward,
        Net(PatchCritic(2, config.width, dtype=config.dtype), adam),
        cycle=config.cycle,
        identity=config.identity or None,
    )
    return Experiment(
        method=method,
        data=data,
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )


def _domains(config: Config) -> Dataset:
    """Streams `a` and `b`."""
    data = signed(strided(config.load()))
    if config.target is None:
        return unpaired(data, CHANGES[config.change])
    other = signed(strided(dataclasses.replace(config, data=config.target).load()))
    return Dataset.streams(a=data, b=other)
