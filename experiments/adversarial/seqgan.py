"""SeqGAN: sequences of a random LSTM, by maximum likelihood first and then by a game without gradients of samples.

`jaxgen train seqgan`; its two figures stand at several temperatures, because either alone is had by a colder model.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from head import Networks
from jaxgen.core import Array, Evaluation, Net, View
from jaxgen.data.lstm_oracle import LSTMOracle
from jaxgen.experiment import Experiment
from jaxgen.methods.adversarial.policy_gradient import likelihood
from jaxgen.methods.adversarial.seqgan import seqgan, written
from jaxgen.models.adversarial.sequence import SequenceCritic
from jaxgen.models.autoregressive.lstm import LSTM
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage

PAPER = "Yu et al., 2017"
MEASURED = {"lstm_oracle": "not yet run"}
TEMPERATURES = (1.0, 0.8, 0.6, 0.4)


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    steps: int = 2200
    """Training steps, of both stages."""
    batch_size: int = 64
    """Sequences in a batch."""
    learning_rate: float = 1e-2
    """Adam's step size in the first stage; a tenth of it moves policy and critic in the game."""
    played: float = 0.1
    """Share of the steps that are the game, the last ones."""
    vocabulary: int = 100
    """Symbols; the paper has 5,000."""
    length: int = 20
    """Of a sequence."""
    width: int = 32
    """Of the oracle's state and of the policy's."""
    rollouts: int = 4
    """Completions of every beginning; the paper has 16."""


def frontier(oracle: LSTMOracle) -> Evaluation:
    """How unlikely samples are to the oracle, nats a symbol, and how many are distinct, by temperature."""

    def judge(view: View) -> Array:
        found = []
        for temperature in TEMPERATURES:
            tokens = written(view, jax.random.key(0), 500, oracle.length, temperature=temperature)
            found.append((-jnp.mean(oracle.log_prob(tokens)), tokens))
        return found  # pyright: ignore[reportReturnType]

    def compute(model: Any, data: Any) -> Mapping[str, float]:
        figures = {}
        for temperature, (nats, tokens) in zip(TEMPERATURES, model.apply(judge), strict=True):
            at = "" if temperature == 1 else f"_at_{temperature}"
            figures |= {f"oracle_nats{at}": float(nats), f"oracle_distinct{at}": len(np.unique(tokens, axis=0)) / 500}
        return figures

    return Evaluation("oracle", compute, nulls={"untrained": compute})


def experiment(config: Config) -> Experiment:
    """The held-out figure `nats_per_symbol` is the other half of the pair."""
    played = round(config.played * config.steps)
    oracle = LSTMOracle(config.vocabulary, config.length, config.width)
    module, rate = LSTM(config.vocabulary, width=config.width, dtype=config.dtype), config.learning_rate
    first = likelihood(Net(module, optax.adam(rate)), length=config.length)
    game = seqgan(
        Net(module, optax.adam(rate / 10), ema_decay=0.8),
        Net(SequenceCritic(dtype=config.dtype), optax.adam(rate / 10)),
        length=config.length,
        rollouts=config.rollouts,
        critic_steps=3,
    )
    game = dataclasses.replace(game, evaluations=(frontier(oracle),))
    return Experiment(
        stages=(
            Stage("likelihood", first, config.steps - played),
            Stage("game", game, played),
        ),
        data=oracle.dataset(),
        schedule=Schedule(config.steps, log_every=20, checkpoint_every=200),
        batch_size=config.batch_size,
        seed=config.seed,
    )
