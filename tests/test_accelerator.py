"""What has to hold on an accelerator as it does on CPU; needs jax, flax and optax alone.

`XLA_FLAGS=--xla_gpu_exclude_nondeterministic_ops=true JAX_PLATFORMS= pytest -m accelerator tests/test_accelerator.py`;
without the flag a GPU's kernels add up in any order, and a stopped run goes on alike but not bit for bit.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from jaxgen.core import Net
from jaxgen.layers.conv import conv_transpose
from jaxgen.likelihoods import bernoulli
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.flow.flow import image_flow
from jaxgen.methods.latent.vae import vae
from jaxgen.models.adversarial import dcgan, resnet_gan
from jaxgen.models.flow.glow import glow
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.pace import due_phases
from jaxgen.training.sharding import batch_sharding, make_mesh, replicated, shardings_of
from jaxgen.training.step import build_step, compile_step, init_state

pytestmark = pytest.mark.accelerator

RNG = np.random.default_rng(0)
SGD = optax.sgd(0.01)  # whose moves are proportional to gradients
CPU = jax.devices("cpu")[0]
IMAGES = RNG.uniform(-1, 1, (8, 16, 16, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def device():
    """The accelerator, with products of float32 matrices in float32."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        pytest.skip("there is no accelerator")
    with jax.default_matmul_precision("highest"):
        yield device


def adversaries(dtype):
    nets = Net(dcgan.Generator((16, 16, 3), 16, dtype), SGD), Net(dcgan.Discriminator(16, dtype), SGD)
    return gan(*nets, adversarial.non_saturating, prior=normal(8)), {"image": IMAGES}


def residual(dtype):
    generator = resnet_gan.Generator((16, 16, 3), (16,) * 3, layers=resnet_gan.plain(dtype=dtype), attention=8)
    critic = resnet_gan.Discriminator((16, 16, 16), attention=8, dtype=dtype)
    nets = Net(generator, SGD), Net(critic, SGD)
    return gan(*nets, adversarial.hinge, prior=normal(8), critic_steps=2), {"image": IMAGES}


def invertible(dtype):
    net = Net(glow(3, 2, 16, dtype=dtype, memory="reversible"), SGD)
    images = RNG.integers(0, 256, (8, 16, 16, 3)).astype(np.uint8)
    return image_flow(net, event_shape=(16, 16, 3)), {"image": images}


def latent(dtype):
    nets = Net(MLPEncoder(4, dtype=dtype), SGD), Net(MLPDecoder((8, 8, 1), dtype=dtype), SGD)
    return vae(*nets, bernoulli, latent_size=4), {"image": RNG.integers(0, 2, (8, 8, 8, 1)).astype(np.float32)}


METHODS = {
    "dcgan": adversaries,
    "resnet": residual,
    "glow": invertible,
    "vae": latent,
}
each_method = pytest.mark.parametrize("name", METHODS)


@functools.cache
def start(name, dtype):
    """The state before training, made on CPU: a random rotation is made by an algorithm of each platform's own."""
    method, batch = METHODS[name](dtype)
    with jax.default_device(CPU):
        state = jax.jit(functools.partial(init_state, method))(jax.random.key(0), batch)
    return method, batch, jax.device_get(state)


@functools.cache
def program(name, dtype, device, per_call):
    """`(state, batches, key) -> (state, metrics)`, compiled, its batches, and where they belong."""
    method, batch, state = start(name, dtype)
    mesh = make_mesh(devices=[device])
    leading = (per_call, method.batches_per_step)
    batches = jax.device_put(
        jax.tree.map(lambda x: np.broadcast_to(x, (*leading, *x.shape)), batch), batch_sharding(mesh, 2)
    )
    key = jax.device_put(jax.random.key(1), replicated(mesh))
    placed = jax.device_put(state, replicated(mesh))
    with jax.default_matmul_precision("highest"):
        due = [due_phases(method, 0)] * per_call
        call = compile_step(build_step(method), mesh, shardings_of(placed), due).lower(placed, batches, key).compile()
    return lambda state: call(jax.device_put(state, replicated(mesh)), batches, key)


def train(name, dtype, device, calls=1, per_call=1, state=None):
    """The state on the host, and the last metrics."""
    call = program(name, dtype, device, per_call)
    state = start(name, dtype)[2] if state is None else state
    for _ in range(calls):
        state, metrics = call(state)
    return jax.device_get(state), {name: float(values[-1]) for name, values in metrics.items()}


def params(state):
    return {name: net.params for name, net in state.nets.items()}


def distance(a, b, start=None):
    """|a - b| / |b - start|, over all leaves."""
    a, b = jax.tree.leaves(a), jax.tree.leaves(b)
    start = jax.tree.leaves(start) if start is not None else [0.0] * len(b)
    above = sum(np.sum(np.square(np.asarray(x, np.float64) - y)) for x, y in zip(a, b, strict=True))
    return np.sqrt(above / sum(np.sum(np.square(np.asarray(y, np.float64) - s)) for y, s in zip(b, start, strict=True)))


@each_method
def test_a_float32_step_is_that_of_the_cpu(name, device, record_property):
    before = params(start(name, jnp.float32)[2])
    (here, metrics), (there, truth) = (train(name, jnp.float32, d) for d in (device, CPU))
    record_property("distance", distance(params(here), params(there), before))
    assert distance(params(here), params(there), before) < 1e-3
    assert metrics == pytest.approx(truth, rel=1e-3, abs=1e-4)


@each_method
def test_steps_in_bfloat16_are_finite_and_near_those_in_float32(name, device):
    state, metrics = train(name, jnp.bfloat16, device)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((params(state), metrics)))
    _, truth = train(name, jnp.float32, device)
    losses = [metric for metric in truth if metric.endswith("/loss")]
    assert {m: metrics[m] for m in losses} == pytest.approx({m: truth[m] for m in losses}, rel=0.05, abs=0.1)


@each_method
def test_training_that_was_stopped_goes_on_bit_for_bit(name, device):
    whole, _ = train(name, jnp.float32, device, calls=4)
    half, _ = train(name, jnp.float32, device, calls=2)
    resumed, _ = train(name, jnp.float32, device, calls=2, state=half)
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


@pytest.mark.parametrize("name", ["resnet", "vae"])
def test_steps_in_one_call_are_those_of_as_many_calls(name, device):
    before = params(start(name, jnp.float32)[2])
    one, _ = train(name, jnp.float32, device, calls=1, per_call=3)
    three, _ = train(name, jnp.float32, device, calls=3)
    assert one.step == three.step == 3
    assert distance(params(one), params(three), before) < 1e-3


@pytest.mark.parametrize(("window", "strides", "padding"), [(4, 2, "SAME"), (3, 2, "SAME"), (3, 1, "VALID")])
def test_the_rule_of_transposed_convolutions_is_their_derivative(window, strides, padding, device):
    keys = jax.random.split(jax.random.key(0), 2)
    x, kernel = jax.random.normal(keys[0], (4, 8, 8, 32)), jax.random.normal(keys[1], (window, window, 16, 32))

    def training(function):
        def both(x, kernel):
            value, pull = jax.vjp(function, x, kernel)
            return value, pull(jnp.sin(value))

        return jax.jit(both)(x, kernel)

    rule = training(lambda x, k: conv_transpose(x, k, (strides, strides), padding))
    plain = training(lambda x, k: lax.conv_transpose(x, k, (strides, strides), padding, transpose_kernel=True))
    for mine, truth in zip(jax.tree.leaves(rule), jax.tree.leaves(plain), strict=True):
        assert distance(mine, truth) < 1e-5


@pytest.mark.parametrize(
    ("dtype", "implementation", "limit"),
    [("float32", "xla", 1e-5), ("bfloat16", "xla", 1e-2), ("bfloat16", "cudnn", 1e-2)],
)
@pytest.mark.parametrize("causal", [True, False])
def test_attention_is_the_softmax_written_out(dtype, implementation, limit, causal, device):
    if implementation == "cudnn" and device.platform != "gpu":
        pytest.skip("cuDNN is for GPUs")
    keys = jax.random.split(jax.random.key(0), 4)
    q, k, v, weight = (jax.random.normal(key, (2, 64, 2, 32)).astype(dtype) for key in keys)

    def written_out(q, k, v):
        logits = jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(32)
        logits = jnp.where(jnp.tril(jnp.ones((64, 64), bool)), logits, -jnp.inf) if causal else logits
        return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(logits), v)

    def training(attend, *args):
        value, pull = jax.vjp(attend, *args)
        return value, pull(weight.astype(value.dtype))

    attend = functools.partial(jax.nn.dot_product_attention, is_causal=causal, implementation=implementation)
    mine = jax.jit(functools.partial(training, attend))(q, k, v)
    truth = jax.jit(functools.partial(training, written_out))(*(x.astype(jnp.float32) for x in (q, k, v)))
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(truth), strict=True):
        assert distance(a, b) < limit
