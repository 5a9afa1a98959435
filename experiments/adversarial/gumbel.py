"""A GAN of sums of x whose symbols are relaxed by Gumbel noise, judged by the grammar that the data obey.

`jaxgen train gumbel`; that strings are valid counts only beside how long they are: "x" is valid.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import optax

from head import Networks
from jaxgen.core import Evaluation, Net
from jaxgen.data.arithmetic import LENGTH, SYMBOLS, arithmetic, judge, strings
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.adversarial.gumbel import certain, gumbel_gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.sequence import SequenceCritic, SequenceGenerator
from jaxgen.training.schedule import Schedule

PAPER = "Kusner & Hernandez-Lobato, 2016; Jang et al., 2017"
MEASURED = {"arithmetic": "not yet run"}


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    steps: int = 6000
    """Training steps."""
    batch_size: int = 128
    """Strings in a batch."""
    latent_size: int = 32
    """Length of z."""
    width: int = 64
    """Units of the generator's state and of the critic's windows."""
    temperature: float = 3.0
    """Of the relaxation at the start; it falls to the last one along a line."""
    last_temperature: float = 0.5
    """Of the relaxation at the end."""
    gamma: float = 1.0
    """Weight of R1."""


def grammar(model: Any, data: Any) -> Mapping[str, float]:
    """Of 2,000 strings."""
    tokens = model.sample(jax.random.key(0), 2000)
    return {f"grammar_{name}": figure for name, figure in judge(strings(tokens)).items()}


def experiment(config: Config) -> Experiment:
    """The critic sees how much the strings of a batch differ, for a generator knows best what it has said already."""
    rate = optax.adam(config.learning_rate, b1=0.5)
    method = gumbel_gan(
        Net(SequenceGenerator(len(SYMBOLS), LENGTH, config.width, dtype=config.dtype), rate, ema_decay=0.99),
        Net(SequenceCritic(features=config.width, deviation=True, dtype=config.dtype), rate),
        adversarial.non_saturating,
        prior=normal(config.latent_size),
        temperature=optax.linear_schedule(config.temperature, config.last_temperature, config.steps),
        critic_regularizers=[regularizers.r1(config.gamma)],
    )
    figure = Evaluation("grammar", grammar, every=1000, nulls={"untrained": grammar})
    return Experiment(
        method=dataclasses.replace(method, evaluations=(figure,)),
        data=arithmetic().map(lambda x: {"logits": certain(x["tokens"], len(SYMBOLS))}),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )
