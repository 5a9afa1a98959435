"""A state whose update is shared is saved, and restored on any other mesh, bit for bit."""

import contextlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Aux, Method, Net, Phase
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.trainer import Trainer

WIDTH = 128  # of a square kernel that is just large enough to be split
BATCH = {"x": np.random.default_rng(0).normal(size=(1, 1, 8, WIDTH)).astype(np.float32)}
MESHES = {"zero1": {"zero1": 4}, "data": {}, "fsdp": {"fsdp": 4}, "both": {"zero1": 2, "fsdp": 2}}


@pytest.fixture(scope="module")
def trainers():
    def loss(view, batch, key):
        return jnp.mean((view("line", batch["x"]) - batch["x"]) ** 2), Aux()

    method = Method(
        "regression",
        {"line": Net(nn.Dense(WIDTH), optax.adam(0.1), ema_decay=0.9)},
        (Phase("line", ("line",), loss),),
        lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
        None,
        lambda view, batch, key: {},
    )
    example, devices = {"x": BATCH["x"][0, 0]}, jax.devices()[:4]
    return {
        name: Trainer(
            method,
            Schedule(1, 1, 1, 1, 1),
            lambda step: (BATCH for _ in range(1)),
            example,
            0,
            make_mesh(**axes, devices=devices),
        )
        for name, axes in MESHES.items()
    }


@pytest.mark.quick("zero1-fsdp", "data-zero1")
@pytest.mark.parametrize(
    ("before", "after"), [("zero1", "data"), ("zero1", "fsdp"), ("both", "zero1"), ("data", "zero1")]
)
def test_a_state_goes_from_mesh_to_mesh(trainers, tmp_path, before, after):
    first, second = trainers[before], trainers[after]
    state, _ = first.program(0)(first.init(), BATCH, first.run_key)
    with contextlib.closing(Checkpoints(tmp_path / "checkpoints", say=print)) as checkpoints:
        checkpoints.save_and_wait(state, "")
        like = second.abstract_state()
        restored = checkpoints.restore(lambda stage: like)
    for there, wanted, here in zip(*map(jax.tree.leaves, (restored.state, like, state)), strict=True):
        assert there.sharding.is_equivalent_to(wanted.sharding, there.ndim)
        np.testing.assert_array_equal(np.asarray(there), np.asarray(here))
