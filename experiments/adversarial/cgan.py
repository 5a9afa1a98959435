"""A conditional GAN, which draws the class it is asked for: a DCGAN whose networks both see the label.

`jaxgen train cgan`
"""

import dataclasses

from games import MNIST, OTHER, Adam, field, load, networks, played, players
from head import classes
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.conditional import WithLabel

NEEDS = "images with labels"
PAPER = "Mirza & Osindero, 2014"
MEASURED = {
    "digits": "0.995 ± 0.002 of samples are the digit asked for (3 seeds, 96-111 s on 2 CPU cores)",
    "mnist": "0.983 ± 0.002 of samples are the digit asked for (width 16, 3,000 batches, 3 seeds)",
}


@dataclasses.dataclass(frozen=True)
class Config(Adam):
    """Settings."""


PRESETS = {"digits": Config(), "mnist": Config(**MNIST), "other": Config(**OTHER)}


def experiment(config: Config) -> Experiment:
    """The label is appended to z and to every pixel."""
    data = load(config)
    count = classes(data)
    generator, critic = (WithLabel(network, count) for network in networks(config, data, "batch"))
    method = gan(
        *players(config, data, (generator, critic)),
        adversarial.non_saturating,
        prior=normal(config.latent_size),
        classes=count,
        field=field(data),
    )
    return played(config, data, method)
