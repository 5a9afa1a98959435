"""GAIL: a policy that imitates an expert's episodes, paid by a critic of what it does; the world's reward is unseen.

`jaxgen train gail`; its return stands beside the untrained policy's, drawn and most likely.
"""

import dataclasses
from typing import Literal

import optax

from head import Networks
from jaxgen.core import Net
from jaxgen.data.cartpole import balance, cartpole
from jaxgen.data.demonstrations import demonstrations
from jaxgen.data.pendulum import STEPS, pendulum, swing_up
from jaxgen.experiment import Experiment
from jaxgen.losses import control
from jaxgen.methods.adversarial.gail import gail
from jaxgen.methods.adversarial.policies import expected_return
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.training.schedule import Schedule

PAPER = "Ho & Ermon, 2016; Schulman et al., 2017"
REWARDS = {"log_ratio": control.log_ratio, "surviving": control.surviving, "ending": control.ending}
WORLDS = {"pendulum": (pendulum, swing_up, STEPS), "cartpole": (cartpole, balance, 200)}


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    data: Literal["pendulum", "cartpole"] = "pendulum"
    """The world. A cart's episodes end, so that `surviving` alone, which is blind to the expert, does well there."""
    steps: int = 600
    """Rollouts."""
    batch_size: int = 256
    """Pairs of the expert that the critic sees at a time; of fewer, all."""
    learning_rate: float = 1e-3
    """Adam's step size, for all networks."""
    trajectories: int = 4
    """Episodes of the expert."""
    environments: int = 32
    """Worlds side by side."""
    horizon: int = 200
    """Steps of a rollout."""
    paid: Literal["log_ratio", "surviving", "ending"] = "log_ratio"
    """Of the critic's D: log D - log(1 - D) prefers neither long nor short episodes, -log(1 - D) is never negative and
    prefers long ones, log D never positive and prefers short ones."""
    entropy: float = 0.0
    """Weight of the policy's."""


PRESETS = {"pendulum": Config(), "cartpole": Config(data="cartpole")}


def experiment(config: Config) -> Experiment:
    """Tanh would be the paper's; two rectified layers of 64 units for each of the three."""
    make, expert, limit = WORLDS[config.data]
    world, hidden, adam = make(), (64, 64), optax.adam(config.learning_rate)
    data = demonstrations(config.data, world, expert, trajectories=config.trajectories, limit=limit)
    method = gail(
        Net(MLP(world.actions, hidden, dtype=config.dtype), adam),
        Net(MLPCritic(hidden=hidden, dtype=config.dtype), adam),
        Net(MLPCritic(hidden=hidden, dtype=config.dtype), adam),
        world,
        paid=REWARDS[config.paid],
        environments=config.environments,
        horizon=config.horizon,
        limit=limit,
        critic_steps=2,
        entropy=config.entropy,
    )
    return Experiment(
        method=dataclasses.replace(method, evaluations=(expected_return(world, expert, limit=limit, every=50),)),
        data=data,
        schedule=Schedule(config.steps, log_every=10, checkpoint_every=100),
        batch_size=min(config.batch_size, config.trajectories * limit),
        seed=config.seed,
    )
