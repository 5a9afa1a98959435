"""InfoGAN: a category and two numbers that can be read from the image.

`jaxgen train infogan`
"""

import dataclasses

import optax

from games import OTHER, Game, played
from head import signed, strided
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.infogan import category, infogan, interval
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.conditional import Joined
from jaxgen.models.adversarial.dcgan import Generator, Trunk
from jaxgen.models.adversarial.heads import Heads

NEEDS = "images"
PAPER = "Chen et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    learning_rate: float = 2e-4
    """Adam's step size for the critic; the generator's is five times as large."""
    categories: int = 10
    """Values of the category."""


PRESETS = {"digits": Config(), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """The paper's rates."""
    data, count = signed(strided(config.load())), config.categories
    codes = [category("category", count), interval("first"), interval("second")]
    outputs = {"category": count, "first": 2, "second": 2}
    slow, fast = (optax.adam(rate * config.learning_rate, b1=0.5) for rate in (1, 5))
    critic = Heads(Trunk(config.width, config.dtype), outputs, hidden=128, dtype=config.dtype)
    method = infogan(
        Net(Joined(Generator(data.spec["image"].shape, config.width, config.dtype), count), fast, ema_decay=0.999),
        Net(critic, slow),
        adversarial.non_saturating,
        noise=normal(config.latent_size),
        codes=codes,
    )
    return played(config, data, method)
