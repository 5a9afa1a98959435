"""ADDA: labelled digits are learned first; then a copy of the encoder learns to see digits over photographs as those.

`jaxgen train adda`; `jaxgen eval RUN --stage source` tells what it was before.
"""

import dataclasses

import optax

from domains import Domains, two_domains
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.adda import adapted, adda, pretraining
from jaxgen.models.adversarial.domain import Features
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage

NEEDS = "images with labels; grey ones of 256 levels where no target is given"
PAPER = "Tzeng et al., 2017"


@dataclasses.dataclass(frozen=True)
class Config(Domains):
    """Settings."""

    steps: int = 6000
    """Training steps of both stages, each of which takes half of them."""
    batch_size: int = 128
    """Examples of either domain in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size in the second stage; in the first it is five times as large."""


PRESETS = {"mnist": Config()}


def experiment(config: Config) -> Experiment:
    """The network of `dann`, and a critic of its features."""
    data = two_domains(config)
    fast, slow = optax.adam(5 * config.learning_rate), optax.adam(config.learning_rate, b1=0.5)
    features = Features(dtype=config.dtype)
    classifier = MLP(data.fields["source"]["label"].classes, (100, 100), dtype=config.dtype)
    first = pretraining(Net(features, fast), Net(classifier, fast))
    critic = Net(MLPCritic(hidden=(500, 500), dtype=config.dtype), slow)
    second = adda(Net(features, slow), Net(classifier), critic, adversarial.non_saturating)
    return Experiment(
        stages=(Stage("source", first, config.steps // 2), Stage("adapt", second, carry=adapted)),
        data=data,
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )
