"""What XLA's compiler for TPUs makes of micro-batches: how often their gradients are summed over the chips."""

import importlib.util

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgen.aot.collectives import collectives
from jaxgen.aot.hlo import Program
from jaxgen.aot.topology import Topology
from jaxgen.core import Aux, Method, Net, Phase
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.trainer import Trainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="the TPU compiler (libtpu) is not installed"),
]
ROWS, WIDTH, COUNT = 1000, 256, 4


class Dense(nn.Module):
    @nn.compact
    def __call__(self, x, label):
        return nn.Dense(WIDTH, use_bias=False)(x)


class Embedded(nn.Module):
    @nn.compact
    def __call__(self, x, label):
        return x * nn.Embed(ROWS, WIDTH)(label)


def times(module, size):
    """How often a step of `COUNT` micro-batches on 4x4 chips sums gradients of so many numbers, by the bytes sent."""

    def loss(view, batch, key):
        return jnp.mean(view("net", batch["x"], batch["label"]) ** 2), Aux()

    method = Method(
        "fit",
        {"net": Net(module, optax.sgd(0.1))},
        (Phase("fit", ("net",), loss, accumulate=COUNT),),
        lambda modules, key, batch: {"net": modules["net"].init(key, batch["x"], batch["label"])},
        None,
        lambda view, batch, key: {},
    )
    batch = COUNT * 64
    example = {
        "x": jax.ShapeDtypeStruct((batch, WIDTH), jnp.float32),
        "label": jax.ShapeDtypeStruct((batch,), jnp.int32),
    }
    mesh = make_mesh(zero1=1, devices=Topology.parse("v5e:4x4").devices())
    trainer = Trainer(method, Schedule(1, 1, 1, 1, 1), lambda step: iter(()), example, seed=0, mesh=mesh)
    program = Program.parse(trainer.trace().lower().compile().as_text())
    return [each.count for each in collectives(program, mesh) if each.bytes >= 4 * size]


def test_micro_batches_are_summed_once_after_their_loop():
    assert times(Dense(), WIDTH**2) == [1]


def test_an_embedding_s_are_summed_one_by_one():
    """Once after the loop, they were the last micro-batch's on all chips but the first: openxla/xla #49143."""
    assert times(Embedded(), ROWS * WIDTH) == [COUNT]
