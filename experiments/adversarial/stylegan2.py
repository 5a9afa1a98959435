"""StyleGAN2: styles of every layer from a mapped latent, R1 and the length of paths every few steps.

`jaxgen train stylegan2`; then `jaxgen sample RUN --truncation 1,0.7,0.5` draws nearer to the mean of w. With
`--few 1000 --augment adaptive` it learns from 1,000 images, distorted so often that they are not learned by heart.
"""

import dataclasses
import math
from typing import Literal

from games import MNIST, OTHER, Game, played
from head import signed, strided
from jaxgen.core import Net
from jaxgen.data.parts import few
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.layers.conv import doublings
from jaxgen.methods.adversarial.adaptive import adaptive
from jaxgen.methods.adversarial.lazy import adam
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.adversarial.stylegan2 import stylegan2
from jaxgen.models.adversarial.stylegan import Discriminator, Generator, Mapping
from mixed_styles import mixing_drawing

NEEDS = "images"
PAPER = "Karras et al., 2020"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    learning_rate: float = 2e-3
    """Adam's step size, for both networks."""
    latent_size: int = 64
    """Length of z and of w."""
    mapping: int = 4
    """Layers from z to w."""
    full_to: int | None = None
    """Side of the largest maps that have all `width` channels; each twice as large has half. None gives all to all."""
    gamma: float = 1.0
    """Weight of R1, which is taken at every 16th step."""
    path_weight: float = 2.0
    """Weight of the length of paths, which is taken at every 4th step."""
    mixing: float = 0.9
    """How often two latents share an image's styles."""
    few: int | None = None
    """Learn from so many random examples alone."""
    augment: Literal["never", "fixed", "adaptive"] = "never"
    """Whether the discriminator's images are distorted: never, with one probability, or as it grows too sure."""
    probability: float = 0.0
    """Of every distortion, at first or fixed."""


PRESETS = {
    "digits": Config(),
    "mnist": dataclasses.replace(Config(**MNIST), learning_rate=2e-3),
    "other": dataclasses.replace(Config(**OTHER), learning_rate=2e-3),
}


def experiment(config: Config) -> Experiment:
    """Maps of `width` channels at all sizes from 4 pixels, which suits small images.

    The paper's configuration F for 1,024 pixels is `--width 512 --full-to 64 --latent-size 512 --mapping 8`.
    """
    data = signed(strided(config.load()))
    data = data if config.few is None else few(data, config.few)
    height, width, channels = data.spec["image"].shape
    full_to, every = height if config.full_to is None else config.full_to, (16, 4)
    sides = (4 << index for index in range(doublings(height, width) + 1))
    features = tuple(config.width * full_to // max(side, full_to) for side in sides)
    if features[-1] < 1:
        raise UserError(f"full_to is {full_to}, which leaves maps of {height} pixels no channel; make it larger.")
    generator = Generator(
        features,
        channels,
        mapping=Mapping(config.latent_size, layers=config.mapping),
        mixing=config.mixing,
        dtype=config.dtype,
    )
    prior = normal(config.latent_size)
    optimizers = [adam(config.learning_rate, b1=0.0, b2=0.99, every=k) for k in every]
    method = stylegan2(
        Net(generator, optimizers[1], ema_decay=0.999, streams=("noise", "mixing")),
        Net(Discriminator(features, dtype=config.dtype), optimizers[0]),
        prior=prior,
        gamma=config.gamma,
        path_weight=config.path_weight,
        every=every,
    )
    if config.augment != "never":
        speed = math.inf if config.augment == "fixed" else 500e3
        method = adaptive(method, start=config.probability, speed=speed)
    return dataclasses.replace(played(config, data, method), drawings={"mixing": mixing_drawing(prior)})
