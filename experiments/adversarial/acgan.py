"""AC-GAN: a critic that names classes, and with `twin` one that takes the pay for it back.

`jaxgen train acgan`
"""

import dataclasses

import optax

from games import OTHER, Game, played
from head import classes, signed, strided
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.acgan import acgan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.conditional import WithLabel
from jaxgen.models.adversarial.dcgan import Generator, Trunk
from jaxgen.models.adversarial.heads import Heads

NEEDS = "images with labels"
PAPER = "Odena et al., 2017; Gong et al., 2019"


@dataclasses.dataclass(frozen=True)
class Config(Game):
    """Settings."""

    twin: bool = False
    """Whether a second classifier keeps classes that overlap as wide as they are."""


PRESETS = {"digits": Config(), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """The networks of `dcgan`; the classes' heads share the critic's trunk."""
    data = signed(strided(config.load()))
    adam, count = optax.adam(config.learning_rate, b1=0.5), classes(data)
    generator = WithLabel(Generator(data.spec["image"].shape, config.width, config.dtype), count)
    critic = Heads(Trunk(config.width, config.dtype), {"label": count, "twin": count}, dtype=config.dtype)
    method = acgan(
        Net(generator, adam, ema_decay=0.999),
        Net(critic, adam),
        adversarial.non_saturating,
        prior=normal(config.latent_size),
        classes=count,
        twin=config.twin,
    )
    return played(config, data, method)
