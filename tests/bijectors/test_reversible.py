"""The gradient that rebuilds activations, against autodiff that keeps them and, with dropout, against differences."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.batch_norm import BatchNorm
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.conditioner import ConvConditioner, DenseConditioner
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.invertible_conv import InvertibleConv
from jaxgen.bijectors.reverse import Reverse
from jaxgen.core import Net
from jaxgen.errors import UserError
from jaxgen.methods.flow.flow import flow
from jaxgen.training.loop import Trainer
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh

RNG = np.random.default_rng(0)


class Dropped(nn.Module):
    """A conditioner of one hidden layer, of which two fifths are dropped."""

    @nn.compact
    def __call__(self, x, features):
        x = nn.Dropout(0.4, deterministic=False)(jnp.tanh(nn.Dense(8)(x)))
        return nn.Dense(features)(x)


class Convolved(nn.Module):
    """A conditioner of a direct convolution, for which loops on a CPU are unrolled."""

    @nn.compact
    def __call__(self, x, features):
        return nn.Conv(features, (3, 3), kernel_init=nn.initializers.normal(0.1))(x)


def repeat(memory, conditioner, length=2):
    return Repeat(Chain((ActNorm(), Coupling(conditioner))), length, memory)


def variables_of(bijector, x):
    """Initialized on data, then moved away from where couplings do nothing."""
    keys = {"params": jax.random.key(1), "dropout": jax.random.key(1)}
    variables = dict(jax.jit(bijector.init)(keys, x))
    params = jax.tree.map(lambda p: p + 0.02 * RNG.standard_normal(p.shape).astype(p.dtype), variables.pop("params"))
    return params, variables


def gradient(bijector, direction, constants, rngs=None):
    """`(params, x) -> (loss, gradients)` of a loss of both outputs, every element and log-det weighing differently."""

    def loss(params, x):
        y, log_det = bijector.apply({"params": params, **constants}, x, rngs=rngs, method=direction)
        weights = jnp.linspace(0.5, 1.5, y.size, dtype=y.dtype).reshape(y.shape)
        return jnp.mean(weights * jnp.square(y)) + jnp.mean(weights.ravel()[: len(x)] * jnp.square(log_det))

    return jax.jit(jax.value_and_grad(loss, (0, 1)))


INVERSE, FORWARD = "inverse_and_log_det", "forward_and_log_det"
# The step of a Glow, as a chain in a chain, to be taken apart.
STEP = Chain((ActNorm(), Chain((InvertibleConv(), Coupling(DenseConditioner((8,)))))))


@pytest.mark.quick("forward", "unrolled")
@pytest.mark.parametrize(
    ("layer", "direction"),
    [(STEP, INVERSE), (STEP, FORWARD), (Coupling(Convolved()), INVERSE)],
    ids=["inverse", "forward", "unrolled"],
)
def test_the_gradient_is_autodiff_s(x64, layer, direction):
    x = 0.5 + 2.0 * RNG.standard_normal((5, 4, 4, 2))
    params, constants = variables_of(Repeat(layer, 2), x)
    plain, rebuilt = (
        gradient(Repeat(layer, 2, memory), direction, constants)(params, x) for memory in ("plain", "reversible")
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * np.abs(b).max()), rebuilt, plain)


def test_layers_without_parameters_may_be_rebuilt():
    x = RNG.standard_normal((2, 3)).astype(np.float32)
    slopes = jax.grad(lambda x: jnp.sum(jnp.arange(3) * Repeat(Reverse(), 3, "reversible").apply({}, x)[0]))(x)
    np.testing.assert_array_equal(slopes, [[2, 1, 0]] * 2)


@pytest.mark.slow
def test_dropout_is_the_same_when_activations_are_rebuilt(x64):
    """Central differences along random directions, the key held."""
    x = RNG.standard_normal((5, 4))
    bijector = repeat("reversible", Dropped())
    params, constants = variables_of(bijector, x)
    run = gradient(bijector, INVERSE, constants, {"dropout": jax.random.key(2)})
    _, gradients = run(params, x)
    for _ in range(3):
        along = jax.tree.map(lambda p: RNG.standard_normal(p.shape), (params, x))
        ahead, behind = (run(*jax.tree.map(lambda p, d, e=e: p + e * d, (params, x), along))[0] for e in (1e-5, -1e-5))
        slope = sum(jax.tree.leaves(jax.tree.map(lambda g, d: jnp.sum(g * d), gradients, along)))
        np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-6)


def test_initialization_on_data_does_not_depend_on_memory():
    x = jnp.zeros((4, 4, 4, 2))
    plain, reversible = (
        jax.make_jaxpr(repeat(memory, ConvConditioner(3)).init)(jax.random.key(1), x)
        for memory in ("plain", "reversible")
    )
    assert str(plain) == str(reversible)


@pytest.mark.slow
def test_half_precision_networks_rebuild_in_single_precision():
    """The path stays float32, so the gradient is off by the few inputs that round the other way, not by all."""
    x = RNG.standard_normal((64, 4, 4, 2)).astype(np.float32)
    conditioner = DenseConditioner((16,), jnp.bfloat16)
    params, constants = variables_of(repeat("plain", conditioner, 8), x)
    plain, rebuilt = (
        gradient(repeat(memory, conditioner, 8), INVERSE, constants)(params, x)[1] for memory in ("plain", "reversible")
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(rebuilt)} == {jnp.dtype("float32")}
    difference = optax.tree.norm(optax.tree.sub(rebuilt, plain)) / optax.tree.norm(plain)
    assert difference < 1e-3


def test_a_layer_without_both_directions_is_refused_by_name():
    class OneWay(Bijector):
        @nn.compact
        def inverse_and_log_det(self, x):
            return x * self.param("scale", nn.initializers.ones, (1,)), jnp.zeros(len(x))

    bijector, x = Repeat(OneWay(), 2, "reversible"), jnp.zeros((2, 3))
    variables = bijector.init(jax.random.key(0), x)
    with pytest.raises(UserError, match="OneWay has no closed form from base to data"):
        jax.grad(lambda x: bijector.apply(variables, x)[0].sum())(x)


def test_layers_that_move_averages_are_refused():
    """Their inverse in the backward pass would normalize by the averages, not by the batch."""
    bijector, x = Repeat(BatchNorm(), 2, "reversible"), jnp.ones((4, 3))
    variables = jax.eval_shape(bijector.init, jax.random.key(0), x)
    with pytest.raises(UserError, match="memory is 'reversible', but a layer moves its batch_stats; make it remat"):
        jax.eval_shape(functools.partial(bijector.apply, mutable=["batch_stats"]), variables, x)


def test_memory_is_checked():
    with pytest.raises(UserError, match="memory is 'reverse'; make it one of plain, remat, reversible"):
        jax.eval_shape(repeat("reverse", ConvConditioner(3)).init, jax.random.key(0), jnp.zeros((1, 4, 4, 2)))


@pytest.mark.slow
def test_a_sharded_accumulated_step_is_the_plain_step_of_one_device():
    x = RNG.standard_normal((8, 4, 4, 2)).astype(np.float32)

    def step(memory, devices, accumulate):
        method = flow(Net(repeat(memory, DenseConditioner((8,))), optax.sgd(0.1)), event_shape=x.shape[1:])
        phases = tuple(dataclasses.replace(phase, accumulate=accumulate) for phase in method.phases)
        method = dataclasses.replace(method, phases=phases)
        batches = {"x": x[None, None]}
        mesh = make_mesh(devices=jax.devices()[:devices])
        trainer = Trainer(method, Schedule(1), lambda step: (b for b in [batches]), {"x": x}, 0, mesh)
        call = trainer.program(0)
        state, _ = call(trainer.init(), batches, trainer.run_key)
        return state.nets["flow"].params, call.as_text()

    plain, _ = step("plain", devices=1, accumulate=1)
    sharded, text = step("reversible", devices=4, accumulate=2)
    assert "all-reduce" in text
    assert not any(kind in text for kind in ("all-gather", "all-to-all", "collective-permute"))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), sharded, plain)
