"""What the compiler makes of a mesh of eight devices: which collectives, of what size, and the numbers of one device.

A process of its own compiles and runs everything once, since the number of devices is fixed when JAX starts.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.slow

SCRIPT = r"""
import os
os.environ |= {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"}
import dataclasses, itertools, json, math, re
import flax.linen as nn, jax, jax.numpy as jnp, numpy as np, optax
from jax.sharding import PartitionSpec as P
from jaxgen.core import Net
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.training.trainer import Trainer
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh

class Generator(nn.Module):
    @nn.compact
    def __call__(self, z, *, train):
        x = nn.Dense(128, use_bias=False, name="first")(z)
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        x = nn.relu(nn.Dense(256, name="wide")(x))
        return nn.Dense(64, name="narrow")(x).reshape(-1, 8, 8, 1)

class Critic(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.leaky_relu(nn.Dense(256, name="wide")(x.reshape(x.shape[0], -1)), 0.2)
        return nn.Dense(1, name="logit")(x)[:, 0]

IMAGES = np.random.default_rng(0).uniform(-1, 1, (1, 1, 32, 8, 8, 1)).astype(np.float32)
COLLECTIVE = re.compile(r"= (.*?) (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\(")
TENSOR = {"wide/kernel": P(None, "tensor"), "narrow/kernel": P("tensor", None)}

def trainer(mesh, accumulate=1, sharding={}):
    adam = optax.adam(1e-3, eps=1e-4)  # a gradient of rounding noise alone must not become a whole step
    generator, critic = Net(Generator(), adam, ema_decay=0.9), Net(Critic(), adam)
    method = gan(generator, critic, adversarial.non_saturating, prior=normal(4))
    phases = tuple(dataclasses.replace(phase, accumulate=accumulate) for phase in method.phases)
    batch = {"image": jax.ShapeDtypeStruct(IMAGES.shape[2:], IMAGES.dtype)}
    start = lambda step: ({"image": IMAGES} for _ in itertools.count())
    return Trainer(dataclasses.replace(method, phases=phases), Schedule(4), start, batch, 0, mesh, sharding)

def collectives(text):
    # kind -> sizes in elements, an operation of several arrays counted array by array
    found = {}
    for shapes, kind in COLLECTIVE.findall(text):
        sizes = [math.prod(map(int, filter(None, s.split(",")))) for s in re.findall(r"[a-z]\w*\[([\d,]*)\]", shapes)]
        found.setdefault(kind, []).extend(sizes)
    return {kind: sorted(sizes) for kind, sizes in found.items()}

def named(tree):
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}

def study(mesh, **options):
    t = trainer(mesh, **options)
    init = t.trace_init().lower().compile()
    state = start = init(t._keys[0], {"image": IMAGES})
    shards = {name: [list(s.data.shape) for s in leaf.addressable_shards] for name, leaf in named(start).items()}
    call = t.program(0)
    losses = []
    for _ in range(4):
        state, metrics = call(state, {"image": IMAGES}, t.run_key)
        losses.append({name: float(value[0]) for name, value in metrics.items()})
    return {"shards": shards, "init": collectives(init.as_text()), "step": collectives(call.as_text()),
            "bytes": call.memory_analysis().argument_size_in_bytes, "flops": call.cost_analysis()["flops"],
            "losses": losses, "state": {n: np.asarray(x, float).ravel().tolist() for n, x in named(state).items()}}

one = study(make_mesh(devices=jax.devices()[:1]))
print(json.dumps({
    "shapes": {name: list(leaf.shape) for name, leaf in named(trainer(make_mesh()).abstract_state()).items()},
    "one": one,
    "two_halves": study(make_mesh(devices=jax.devices()[:1]), accumulate=2),
    "data": study(make_mesh()),
    "fsdp": study(make_mesh(fsdp=4)),
    "accumulating": study(make_mesh(fsdp=4), accumulate=2),
    "zero1": study(make_mesh(zero1=4)),
    "both": study(make_mesh(zero1=2, fsdp=2)),
    "tensor": study(make_mesh(tensor=4), sharding=TENSOR),
}))
"""


@pytest.fixture(scope="module")
def found():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


# Elements of the kernels above the threshold, of the generator (128 x 256 and 256 x 64) and the critic (64 x 256).
LARGE = [128 * 256, 256 * 64, 64 * 256]


def large(sizes, at_least=2000):
    return [size for size in sizes if size >= at_least]


def test_data_parallelism_reduces_every_gradient_and_gathers_nothing(found):
    step = found["data"]["step"]
    assert step.keys() == {"all-reduce"}
    assert set(large(step["all-reduce"])) == set(LARGE)
    generator, critic = (
        sum(size for name, size in _sizes(found).items() if name.startswith(f"nets/{net}/params/"))
        for net in ("generator", "critic")
    )
    # The critic's comes in two, of real and of generated images; means and variances of the normalization are summed in
    # both phases, forwards and backwards; and there are some scalars.
    assert generator + critic <= sum(step["all-reduce"]) <= generator + 2 * critic + 4 * 2 * 128 + 20


def test_fully_sharded_parallelism_gathers_parameters_and_scatters_gradients(found):
    step = found["fsdp"]["step"]
    assert set(step["all-gather"]) == set(LARGE)
    assert len(step["all-gather"]) <= 2 * len(LARGE)  # each phase gathers what it applies
    # The CPU's compiler makes no reduce-scatter of it: all gradients are summed, then each device keeps its part.
    assert step.keys() == {"all-gather", "all-reduce"}  # no activation moves
    assert set(large(step["all-reduce"], 2**14)) == set(LARGE)
    # Beside what every device needs whole, one of 4 parts of parameters, averages and two moments.
    replicated = sum(4 * size for size in _sizes(found).values() if size < 2**14)
    split = sum(4 * size for size in _sizes(found).values() if size >= 2**14)
    batch = 4 * 32 * 64 // 8
    assert found["fsdp"]["bytes"] == pytest.approx(replicated + split / 4 + batch, rel=0.02)
    assert found["one"]["bytes"] == pytest.approx(replicated + split + 8 * batch, rel=0.02)


def test_each_device_does_its_share_of_the_work(found):
    for mesh in ("data", "fsdp"):
        # A generator's images come from noise that no one has split: left to itself each device computes all of them.
        assert found[mesh]["flops"] < 0.3 * found["one"]["flops"], mesh
    assert found["accumulating"]["flops"] < 0.35 * found["two_halves"]["flops"]


def test_the_state_is_created_in_parts(found):
    for name, shape in found["shapes"].items():
        expected = _size(shape) // (4 if _size(shape) >= 2**14 else 1)
        assert [_size(shard) for shard in found["fsdp"]["shards"][name]] == [expected] * 8, name
    assert not any(large(sizes) for sizes in found["fsdp"]["init"].values())


def test_a_sharded_update_keeps_parameters_whole_and_everything_else_in_parts(found):
    step = found["zero1"]["step"]
    # Optimizer state and averages are updated in parts, and the new parameters gathered; no activation moves.
    assert step.keys() == {"all-gather", "all-reduce"}
    assert set(large(step["all-gather"])) == set(LARGE)
    for name, shape in found["shapes"].items():
        split = _size(shape) >= 2**14 and "/params/" not in name
        assert [_size(shard) for shard in found["zero1"]["shards"][name]] == [_size(shape) // (4 if split else 1)] * 8
    assert found["zero1"]["flops"] < 0.3 * found["one"]["flops"]


def test_a_sharded_update_is_the_whole_one(found):
    """To 1e-6, of the same devices: what is summed over which is the same."""
    for name, values in found["data"]["state"].items():
        np.testing.assert_allclose(found["zero1"]["state"][name], values, rtol=0, atol=1e-6, err_msg=name)
    for row, reference in zip(found["zero1"]["losses"], found["data"]["losses"], strict=True):
        assert row == pytest.approx(reference, rel=1e-6, abs=1e-6)


def test_over_both_axes_the_update_s_parts_are_parts_of_the_parameters(found):
    shards = found["both"]["shards"]
    assert shards["nets/generator/params/wide/kernel"] == [[128, 128]] * 8
    assert shards["nets/generator/ema/wide/kernel"] == [[128, 64]] * 8
    assert shards["nets/generator/opt_state/0/mu/wide/kernel"] == [[128, 64]] * 8


@pytest.mark.parametrize("mesh", ["data", "fsdp", "tensor", "zero1", "both"])
def test_every_mesh_computes_what_one_device_does(found, mesh):
    """Batch statistics included: they are the whole batch's."""
    _assert_close(found[mesh], found["one"])


def test_accumulation_stays_where_it_is(found):
    _assert_close(found["accumulating"], found["two_halves"])
    step = found["accumulating"]["step"]
    assert set(step["all-gather"]) == set(LARGE)  # parameters, never the batch
    assert not {"all-to-all", "collective-permute"} & step.keys()


def test_tensor_parallelism_splits_what_the_experiment_names(found):
    shards = found["tensor"]["shards"]
    assert shards["nets/generator/params/wide/kernel"] == [[128, 64]] * 8
    assert shards["nets/generator/opt_state/0/mu/narrow/kernel"] == [[64, 64]] * 8
    assert shards["nets/generator/params/first/kernel"] == [[4, 128]] * 8


def _size(shape):
    size = 1
    for length in shape:
        size *= length
    return size


def _sizes(found):
    return {name: _size(shape) for name, shape in found["shapes"].items()}


def _assert_close(found, expected):
    for row, reference in zip(found["losses"], expected["losses"], strict=True):
        assert row == pytest.approx(reference, rel=1e-5, abs=1e-6)
    for name, values in expected["state"].items():
        np.testing.assert_allclose(found["state"][name], values, rtol=5e-5, atol=1e-5, err_msg=name)
