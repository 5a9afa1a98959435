"""PixelDA: labelled digits painted over as if before photographs, from which a classifier learns with their labels.

`jaxgen train pixelda`; then `jaxgen sample RUN --from test` shows what has become of digits.
"""

import dataclasses

import optax
from flax import linen as nn

from domains import Domains, two_domains
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.methods.adversarial.pixelda import pixelda
from jaxgen.models.adversarial.domain import Features
from jaxgen.models.adversarial.translation import PatchCritic, ResNetTranslator, WithNoise
from jaxgen.models.mlp import MLP
from jaxgen.training.schedule import Schedule

NEEDS = "images with labels; grey ones of 256 levels where no target is given"
PAPER = "Bousmalis et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Domains):
    """Settings."""

    steps: int = 10_000
    """Training steps."""
    batch_size: int = 32
    """Examples of either domain in a batch."""
    width: int = 32
    """Channels of the largest hidden maps."""
    blocks: int = 3
    """Residual blocks of the painter."""


PRESETS = {"mnist": Config()}


def experiment(config: Config) -> Experiment:
    """A residual painter that sees noise beside the image, a critic of patches, and the classifier of `dann`."""
    data = two_domains(config)
    adam = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps), b1=0.5)
    channels = data.spec["target"]["image"].shape[2]
    painter = WithNoise(ResNetTranslator(channels, config.width, config.blocks, dtype=config.dtype))
    head = MLP(data.fields["source"]["label"].classes, (100, 100), dtype=config.dtype)
    return Experiment(
        method=pixelda(
            Net(painter, adam),
            Net(PatchCritic(2, config.width, dtype=config.dtype), adam),
            Net(nn.Sequential([Features(dtype=config.dtype), head]), adam),
        ),
        data=data,
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )
