"""A spectrally normalized critic and the hinge loss on the ring of eight Gaussians.

`jaxgen train ring_sngan`
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

    steps: int = 8000
    """Training steps, each an update of the generator."""
    critic_learning_rate: float = 1e-3
    """Adam's step size for the critic at the start."""


def experiment(config: Config) -> Experiment:
    """Five critic updates for one of the generator, and Adam without momentum."""
    nets = players(config, spectral=True, critic_steps=5)
    method = gan(*nets, adversarial.hinge, prior=normal(LATENT_SIZE), critic_steps=5, field="x")
    return ring(
        config,
        method,
        paper="Miyato et al., 2018",
        measured="8 of 8 modes, 0.941 ± 0.011 of high quality (3 seeds, 141-170 s on 2 shared CPU cores)",
    )
