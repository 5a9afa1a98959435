"""Behavioural cloning: a policy that says what the expert did, learned as a classifier is.

`jaxgen train cloning`; its return stands beside the untrained policy's, drawn and most likely.
"""

import dataclasses
from typing import Literal

import optax

from gail import WORLDS
from head import Networks
from jaxgen.core import Net
from jaxgen.data.demonstrations import demonstrations
from jaxgen.experiment import Experiment
from jaxgen.methods.adversarial.policies import expected_return
from jaxgen.methods.classification import classification
from jaxgen.models.mlp import MLP
from jaxgen.training.schedule import Schedule

PAPER = "Pomerleau, 1991"


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    data: Literal["pendulum", "cartpole"] = "pendulum"
    """The world."""
    steps: int = 1000
    """Training steps."""
    batch_size: int = 64
    """Pairs in a batch."""
    trajectories: int = 4
    """Episodes of the expert."""


PRESETS = {"pendulum": Config(), "cartpole": Config(data="cartpole")}


def experiment(config: Config) -> Experiment:
    """GAIL's policy network on GAIL's data."""
    make, expert, limit = WORLDS[config.data]
    world = make()
    method = classification(
        Net(MLP(world.actions, (64, 64), dtype=config.dtype), optax.adam(config.learning_rate)), inputs="observation"
    )
    figure = expected_return(world, expert, limit=limit, actor="classifier")
    return Experiment(
        method=dataclasses.replace(method, name="behavioural cloning", evaluations=(figure,)),
        data=demonstrations(config.data, world, expert, trajectories=config.trajectories, limit=limit),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
