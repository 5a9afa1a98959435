"""ProGAN: a game of 4x4 pixels, then of 8x8, and so on; every size is a stage whose new layers are faded in.

`jaxgen train progan`; `--smallest 32` is the same game of 32x32 pixels from the start.
"""

import dataclasses

import jax.numpy as jnp
import optax

from games import MNIST, OTHER, Game
from growth import growth_drawing
from head import signed, strided
from jaxgen.core import Method, Net
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.adversarial.progressive import growing
from jaxgen.models.adversarial.progan import Critic, Generator
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage

NEEDS = "images"
PAPER = "Karras et al., 2018"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    learning_rate: float = 1e-3
    """Adam's step size, for both networks."""
    smallest: int = 4
    """Side of the images of the first stage, 4 or twice, four times, ... that; that of the data is not growing."""
    penalty: float = 10.0
    """Weight of the gradient penalty."""


PRESETS = {
    "digits": Config(),
    "mnist": Config(**MNIST),
    "other": Config(**{**OTHER, "learning_rate": 1e-3}),
}


def experiment(config: Config) -> Experiment:
    """Each size has as many steps; but for the first, the new layers fade in over half of them."""
    data = signed(strided(config.load()))
    largest = data.spec["image"].shape[0]
    sides = [4 << index for index in range((largest // 4).bit_length())]
    if config.smallest not in sides:
        raise UserError(f"smallest is {config.smallest}; choose one of {', '.join(map(str, sides))}.")
    sides = sides[sides.index(config.smallest) :]
    steps = config.steps // len(sides)
    stages = [
        Stage(f"{side}x{side}", _game(config, data.spec["image"].shape[2], side, steps // 2 if index else 0), steps)
        for index, side in enumerate(sides)
    ]
    return Experiment(
        stages=(*stages[:-1], dataclasses.replace(stages[-1], steps=None)),
        data=data,
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"growth": growth_drawing(normal(config.latent_size))},
    )


def _game(config: Config, channels: int, side: int, fade_steps: int) -> Method:
    """A Wasserstein game whose critic pays for slopes other than 1, and a little for scores far from 0."""
    adam, features = optax.adam(config.learning_rate, b1=0.0, b2=0.99), (config.width,) * (side // 4).bit_length()
    game = gan(
        Net(Generator(features, channels, dtype=config.dtype), adam, ema_decay=0.999),
        Net(Critic(features, dtype=config.dtype), adam),
        adversarial.wasserstein,
        prior=normal(config.latent_size),
        critic_regularizers=[
            regularizers.gradient_penalty(config.penalty),
            regularizers.weighted(1e-3, lambda game, key: jnp.square(game.critic(game.real))),
        ],
    )
    return growing(game, side, fade_steps=fade_steps)
