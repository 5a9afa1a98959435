"""What XLA's compiler for TPUs makes of work that devices share: weights in parts, attention without its logits."""

import functools
import importlib.util
import math
import re

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxgen.aot.collectives import collectives
from jaxgen.aot.hlo import Program
from jaxgen.aot.topology import Topology
from jaxgen.core import Aux, Method, Net, Phase
from jaxgen.layers.attention import SelfAttention
from jaxgen.layers.conv import Conv
from jaxgen.layers.spectral_norm import SpectralConv
from jaxgen.methods.adversarial.regularizers import Game, orthogonal
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.trainer import Trainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="the TPU compiler (libtpu) is not installed"),
]
CHANNELS = 512  # whose 3x3 kernel is large enough to be shared
KERNEL = 9 * CHANNELS**2
IMAGES = (32, 8, 8, CHANNELS)
layer = SpectralConv(CHANNELS, (3, 3), use_bias=False, dtype=jnp.bfloat16)


def mesh(zero1=None):
    return make_mesh(zero1=zero1, devices=Topology.parse("v5e:4x4").devices())


def program(module, shape, *, zero1=None):
    """A step that fits a module to its input, with orthogonal kernels, as compiled for 4x4 chips."""

    def loss(view, batch, key):
        y, moved = view.train("net", batch["x"], key=key)
        game = Game(view, None, None, None, None, {})
        penalty, _ = orthogonal(1e-4, network="net")(game, key)
        return jnp.mean(jnp.square(y.astype(jnp.float32))) + penalty, Aux(variables={"net": moved})

    method = Method(
        "fit",
        {"net": Net(module, optax.adam(0.1))},
        (Phase("fit", ("net",), loss),),
        lambda modules, key, batch: {"net": modules["net"].init(key, batch["x"])},
        None,
        lambda view, batch, key: {},
    )
    example = {"x": jax.ShapeDtypeStruct(shape, jnp.bfloat16)}
    trainer = Trainer(method, Schedule(1, 1, 1, 1, 1), lambda step: iter(()), example, seed=0, mesh=mesh(zero1))
    return Program.parse(trainer.trace().lower().compile().as_text())


def instructions(found):
    return [i for name, runs in found.executions(fused=True).items() if runs for i in found.computations[name].values()]


def computing(found, size):
    """Opcodes of what makes float32 arrays of so many elements of others, not of what moves or names them."""
    moving = (
        r"(parameter|copy|bitcast|tuple|get-tuple-element|all-gather|fusion|while|async|slice|opt-barrier|custom-call)"
    )
    return {
        i.opcode
        for i in instructions(found)
        for array in i.arrays
        if array.dtype == "f32" and math.prod(array.dims) == size and not re.match(moving, i.opcode)
    }


def test_spectral_normalization_penalty_and_update_are_of_parts_and_the_rounded_weight_alone_is_whole():
    shared, repeated = (program(layer, IMAGES, zero1=zero1) for zero1 in (None, 1))
    assert computing(shared, KERNEL) == set()
    assert {"multiply", "divide"} <= computing(repeated, KERNEL)
    talk = {(each.kind, each.axes): [] for each in collectives(shared, mesh())}
    for each in collectives(shared, mesh()):
        talk[each.kind, each.axes].append(each.bytes)
    assert sorted(talk["all-gather", ("zero1",)]) == [2 * KERNEL, 4 * KERNEL]  # bfloat16 to use, float32 as updated
    assert max(talk["reduce-scatter", ("zero1",)]) == 2 * KERNEL  # the gradient, as the product gives it
    assert max(talk["all-reduce", ("zero1",)]) < 5 * CHANNELS**2  # the Gram matrix, and a number with it


def test_attention_writes_no_logits():
    x = (16, 64, 64, 16)
    found = program(SelfAttention(functools.partial(Conv, dtype=jnp.bfloat16)), x)
    logits = [i for i in instructions(found) for array in i.arrays if math.prod(array.dims) >= 4096 * 1024]
    assert not logits
    assert any("tpu_custom_call" in i.attributes for i in instructions(found))
