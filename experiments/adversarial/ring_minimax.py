"""The original game on the ring of eight Gaussians: the generator minimises the discriminator's own objective.

`jaxgen train ring_minimax`
"""

import dataclasses

from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from modes import LATENT_SIZE, Modes, players, ring


@dataclasses.dataclass(frozen=True)
class Config(Modes):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """Nothing keeps it from collapse."""
    method = gan(*players(config), adversarial.minimax, prior=normal(LATENT_SIZE), field="x")
    return ring(
        config,
        method,
        paper="Goodfellow et al., 2014",
        measured="2 to 3 of 8 modes, 0.05 ± 0.06 of high quality (3 seeds)",
    )
