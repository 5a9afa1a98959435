"""A Wasserstein GAN with a gradient penalty on scikit-learn's digits.

`jaxgen train digits_wgan_gp`
"""

import dataclasses

from games import Digits, penalized
from jaxgen.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""

    steps: int = 1500
    """Training steps, each an update of the generator."""
    penalty: float = 10.0
    """Weight of the gradient penalty."""


def experiment(config: Config) -> Experiment:
    """See `games.penalized`."""
    measured = "10 of 10 classes, class entropy 2.292 ± 0.004 nats (3 seeds, 2 CPU cores)"
    return config.experiment(penalized(config, config.penalty), paper="Gulrajani et al., 2017", measured=measured)
