"""A line through points."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.core import Aux, Method, Net, Phase
from jaxgen.data.own import arrays
from jaxgen.experiment import Experiment
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 20
    hidden: int = 4
    cosine: bool = False


def loss(view, batch, key):
    return jnp.mean(view("line", batch["x"]) ** 2), Aux({"metric": jnp.zeros(())})


def experiment(config):
    rate = optax.cosine_decay_schedule(0.1, config.steps) if config.cosine else 0.1
    net = Net(nn.Dense(config.hidden), optax.adam(rate))
    phases = (Phase("fit", ("line",), loss),)
    method = Method(
        "line",
        {"line": net},
        phases,
        lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
        None,
        lambda view, batch, key: {"error": view("line", batch["x"])[:, 0]},
    )
    data = arrays(x=np.arange(80.0).reshape(40, 2) / 80)
    return Experiment(method=method, data=data, schedule=Schedule(config.steps, 10, 10, 10, 10), batch_size=8, seed=0)
