"""BigGAN, class-conditional, with a part of z and the label at every resolution.

`jaxgen train biggan`, small on MNIST; `--data imagenet128` at the paper's size, for accelerators.
"""

import dataclasses

import optax

from games import played
from head import Head, classes, signed, strided
from jaxgen.core import Net
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.adversarial.regularizers import orthogonal
from jaxgen.models.adversarial import biggan

NEEDS = "images with labels; an accelerator beyond MNIST"
PAPER = "Brock et al., 2019"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 5000
    """Training steps, each an update of the generator."""
    learning_rate: float = 2e-4
    """Adam's step size, for the generator and, unless it has its own, the discriminator."""
    critic_learning_rate: float | None = None
    """Adam's step size, for the discriminator."""
    critic_steps: int = 1
    """Discriminator updates for one of the generator."""
    critic_last_rate: float = 1.0
    """Share of the discriminator's step size that is left when it is relaxed; 1 never relaxes it."""
    relaxed_by: float = 1.0
    """Share of the steps in which its step size falls to that, along a line."""
    ema_decay: float = 0.9999
    """Of the generator's average."""
    width: int = 64
    """Channels of the largest maps at 128x128 pixels and above, a quarter of those of all maps at 32x32."""
    embedding: int = 128
    """Length of a label's shared embedding."""


PRESETS = {
    "mnist": Config(ema_decay=0.999, width=4, embedding=32),
    "cifar10": Config(steps=125_000, critic_steps=4),  # of the authors' release
    "imagenet128": Config(
        steps=150_000,
        batch_size=2048,
        learning_rate=5e-5,
        critic_learning_rate=2e-4,
        dtype="bfloat16",
        critic_steps=2,
        width=96,
    ),
    "other": Config(steps=125_000, critic_steps=4, width=32),
}


def experiment(config: Config) -> Experiment:
    """With the paper's chunks of z, shared embedding, orthogonal regularization and averaging."""
    data = signed(strided(config.load(), smallest=32))
    shape, count = data.spec["image"].shape, classes(data)
    generator = biggan.Generator(shape, count, config.width, embedding=config.embedding, dtype=config.dtype)
    critic = biggan.discriminator(shape[0], count, config.width, config.dtype)
    method = gan(
        Net(generator, optax.adam(config.learning_rate, b1=0.0), ema_decay=config.ema_decay),
        Net(critic, optax.adam(_relaxed(config), b1=0.0)),
        adversarial.hinge,
        prior=normal(biggan.latent_size(shape[0])),
        critic_steps=config.critic_steps,
        classes=count,
        generator_regularizers=(orthogonal(1e-4),),
        together=True,
    )
    return played(config, data, method)


def _relaxed(config: Config) -> optax.ScalarOrSchedule:
    """The discriminator's step size: all of it at first, and less when it would otherwise know its images by heart."""
    rate = config.critic_learning_rate or config.learning_rate
    if not 0 < config.relaxed_by <= 1:
        raise UserError(f"relaxed_by is {config.relaxed_by}, which is no share of the steps; choose one up to 1.")
    if config.critic_last_rate == 1:
        return rate
    return optax.linear_schedule(rate, config.critic_last_rate * rate, max(1, round(config.relaxed_by * config.steps)))
