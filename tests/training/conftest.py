import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Aux, Latents, Method, Net, Phase
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.trainer import Trainer


@pytest.fixture
def regression():
    """Makes trainers of y = 2x + 1 by a linear layer; `loss` may be replaced, and `traces` counts its traces."""

    def make(schedule=Schedule(steps=20, log_every=5, sample_every=10, checkpoint_every=5), *, loss=None, features=1):
        traces = []

        def squared_error(view, batch, key):
            traces.append(1)
            return jnp.mean((view("line", batch["x"]) - 2 * batch["x"] - 1) ** 2), Aux()

        method = Method(
            "regression",
            {"line": Net(nn.Dense(features), optax.adam(0.1), ema_decay=0.9)},
            (Phase("line", ("line",), loss or squared_error),),
            lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
            Latents(
                lambda key, count, batch: jnp.zeros((count, 1)),
                lambda view, z, key: jnp.broadcast_to(view("line", z[:1]), (len(z), 2)),
            ),
            lambda view, batch, key: {"error": (view("line", batch["x"]) - 2 * batch["x"] - 1)[:, 0] ** 2},
        )

        def batches(start):
            step = start
            while True:
                x = np.random.default_rng(step).normal(size=(schedule.steps_per_call, 1, 8, 1))
                yield {"x": x.astype(np.float32)}
                step += schedule.steps_per_call

        first = {"x": np.zeros((8, 1), np.float32)}
        trainer = Trainer(method, schedule, batches, first, seed=0, mesh=make_mesh())
        return trainer, traces

    return make
