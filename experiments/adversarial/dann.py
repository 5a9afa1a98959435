"""DANN: labelled digits, digits over photographs whose labels nobody tells, and features that fit both.

`jaxgen train dann`; with `--strength 0` it learns from the source alone, with `--seen target` from the target's labels.
With `--data A --target B` the source is a folder A, whose subfolders are the classes, and the target a folder B.
"""

import dataclasses
from typing import Any, Literal

import optax

from domains import Domains, two_domains
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses.adaptation import reversal_schedule
from jaxgen.methods.adversarial.domain_adaptation import domain_adversarial
from jaxgen.models.adversarial.domain import Features
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.training.schedule import Schedule

NEEDS = "images with labels; grey ones of 256 levels where no target is given"
PAPER = "Ganin et al., 2016"


@dataclasses.dataclass(frozen=True)
class Config(Domains):
    """Settings."""

    steps: int = 10_000
    """Training steps."""
    learning_rate: float = 0.01
    """Of stochastic gradient descent with a momentum of 0.9; it falls as the paper's does."""
    strength: float = 1.0
    """What the strength of the reversed gradient grows to."""
    seen: Literal["source", "target"] = "source"
    """Whose images stand beside the labels; the target's are what adaptation is measured against."""


PRESETS = {"mnist": Config()}


def experiment(config: Config) -> Experiment:
    """Source and target have no example in common; the paper's network and schedules."""
    data = two_domains(config, config.seen)

    def rate(step: Any) -> Any:
        return config.learning_rate / (1 + 10 * step / config.steps) ** 0.75

    sgd = optax.sgd(rate, momentum=0.9)
    classes = data.fields["source"]["label"].classes
    return Experiment(
        method=domain_adversarial(
            Net(Features(dtype=config.dtype), sgd),
            Net(MLP(classes, (100, 100), dtype=config.dtype), sgd),
            Net(MLPCritic(hidden=(100,), dtype=config.dtype), sgd),
            strength=lambda step: config.strength * reversal_schedule(step / config.steps),
        ),
        data=data,
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )
