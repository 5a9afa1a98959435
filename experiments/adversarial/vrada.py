"""VRADA: the frequency of oscillations, labelled in one domain, heard in another by a variational recurrent network.

`jaxgen train vrada`; with `--strength 0` it learns the class from the source alone, the evidence of both all the same.
"""

import dataclasses

import optax

from head import Networks
from jaxgen.core import Net
from jaxgen.data.oscillators import SOURCE, TARGET, oscillators
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.losses.adaptation import reversal_schedule
from jaxgen.methods.adversarial.vrada import vrada
from jaxgen.models.latent.vrnn import VRNN
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.training.schedule import Schedule

PAPER = "Purushotham et al., 2017"
MEASURED = {"oscillators": "not yet run"}


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    steps: int = 3000
    """Training steps."""
    latent_size: int = 8
    """Of z at each time."""
    width: int = 32
    """Of the recurrent state and of hidden layers."""
    strength: float = 1.0
    """What the strength of the reversed gradient grows to."""


def experiment(config: Config) -> Experiment:
    """Offset, amplitude, noise and drift differ between the domains, the two frequencies do not."""
    adam = optax.flatten(optax.adam(config.learning_rate))
    method = vrada(
        Net(VRNN(config.latent_size, config.width, config.dtype), adam),
        Net(MLP(2, (config.width,), dtype=config.dtype), adam),
        Net(MLPCritic(hidden=(config.width,), dtype=config.dtype), adam),
        strength=lambda step: config.strength * reversal_schedule(step / config.steps),
    )
    return Experiment(
        method=method,
        data=Dataset.streams(source=oscillators(SOURCE), target=oscillators(TARGET)),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
