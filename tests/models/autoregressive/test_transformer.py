"""A transformer's heads and units over a mesh's `tensor`, its attention by each device of its own."""

import jax
import numpy as np
import optax
import pytest

from jaxgen.core import Net
from jaxgen.experiment import ExperimentFile
from jaxgen.layers.attention_patterns import Strided
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.models.autoregressive.transformer import TENSOR, Transformer
from jaxgen.shipped import find
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.trainer import Trainer

TEXT = {"text": np.random.default_rng(0).integers(0, 16, (1, 1, 4, 8), np.int32)}


@pytest.fixture(scope="module")
def trained():
    """A state after three steps, by mesh."""
    net = Net(Transformer(16, width=64, layers=2, heads=4, attend=Strided(4)), optax.sgd(0.1, momentum=0.9))
    method = maximum_likelihood(net, event=(8,), levels=16, field="text", draw="cached")
    example, found = {"text": TEXT["text"][0, 0]}, {}
    for name, axes in {"one": {}, "split": {"fsdp": 2, "tensor": 2}}.items():
        mesh = make_mesh(**axes, devices=jax.devices()[: 1 if name == "one" else 4])
        settings = {"seed": 0, "mesh": mesh, "sharding": TENSOR}
        trainer = Trainer(method, Schedule(3, 1, 1, 1, 1), lambda step: (TEXT for _ in range(1)), example, **settings)
        state = trainer.init()
        for _ in range(3):
            state, _ = trainer.program(0)(state, TEXT, trainer.run_key)
        found[name] = state
    return found


def test_each_device_has_its_heads_and_units_and_of_large_ones_its_part(trained):
    (net,) = trained["split"].nets.values()
    for found in (net.params["blocks"], net.opt_state[0].trace["blocks"]):
        shards = {name: found[name]["kernel"].sharding.shard_shape(found[name]["kernel"].shape) for name in found
                  if "kernel" in found[name]}  # fmt: skip
        small = dict.fromkeys(("query", "key", "value"), (2, 64, 2, 16))
        assert shards == {**small, "mix": (2, 2, 16, 64), "up": (2, 32, 128), "back": (2, 128, 32)}


def test_they_compute_what_one_device_does(trained):
    one, split = (jax.device_get(trained[name].nets) for name in ("one", "split"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), split, one)


def test_the_experiment_splits_them():
    file = ExperimentFile.load(find("transformer"))
    trainer = file.build(file.config()).trainer(make_mesh(fsdp=2, tensor=2, devices=jax.devices()[:4]))
    (net,) = trainer.shardings.nets.values()
    assert tuple(net.params["blocks"]["up"]["kernel"].spec) == (None, "fsdp", "tensor")
