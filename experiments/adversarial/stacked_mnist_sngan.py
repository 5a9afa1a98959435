"""A DCGAN with a spectrally normalized discriminator on Stacked-MNIST: three random digits as red, green and blue.

`jaxgen train stacked_mnist_sngan`; then `jaxgen eval RUN --features classifier` counts which of the
1,000 modes its samples have.
"""

import dataclasses

from games import StackedMnist, spectrally_normalized
from jaxgen.experiment import Experiment


@dataclasses.dataclass(frozen=True)
class Config(StackedMnist):
    """Settings."""


def experiment(config: Config) -> Experiment:
    """See `games.spectrally_normalized`."""
    return config.experiment(spectrally_normalized(config), paper="Miyato et al., 2018", measured="not yet run")
