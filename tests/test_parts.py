"""Work on weights in parts is the work on whole ones, and every device keeps to its part of it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxgen import parts, target
from jaxgen.layers.resample import SpectralResampledConv
from jaxgen.losses.penalties import orthogonality
from jaxgen.training.sharding import make_mesh

X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 6, 6, 8)), jnp.float32)


@pytest.fixture
def shared(monkeypatch):
    """As a step for four devices is traced that share every weight: `f -> f`."""
    monkeypatch.setattr(parts, "_SMALLEST", 0)
    mesh = make_mesh(zero1=2, fsdp=2)

    def of(function):
        def traced(*arguments):
            with target.tracing_for("cpu", mesh):
                return function(*arguments)

        return jax.jit(traced)

    return of


@pytest.mark.parametrize("resample", ["up", "down"])
def test_a_layer_its_gradients_and_its_penalty_are_those_of_whole_weights(shared, resample):
    layer = SpectralResampledConv(8, (3, 3), resample=resample)
    variables = jax.jit(layer.init)(jax.random.key(0), X)

    def everything(variables, x):
        def loss(params, x):
            y, moved = layer.apply({**variables, "params": params}, x, mutable=["spectral"])
            penalty = orthogonality(parts.split(params["kernel"], -2))
            return jnp.sum(jnp.sin(y)) + penalty, (y, moved)

        return jax.value_and_grad(loss, (0, 1), has_aux=True)(variables["params"], x)

    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    jax.tree.map(close, shared(everything)(variables, X), jax.jit(everything)(variables, X))


def test_a_weight_is_rounded_in_parts_and_its_gradient_comes_back_in_them(shared):
    weight = jnp.asarray(np.random.default_rng(1).normal(size=(4, 8)), jnp.float32)

    def rounded(weight):
        y, pull = jax.vjp(lambda w: parts.whole(w, jnp.bfloat16), parts.split(weight))
        return y, *pull(y)

    part, (y, gradient) = shared(parts.split)(weight), shared(rounded)(weight)
    assert y.dtype == jnp.bfloat16
    assert y.sharding.is_fully_replicated
    assert gradient.dtype == jnp.float32
    for array in (part, gradient):
        assert array.sharding.shard_shape(array.shape) == (4, 2)
    np.testing.assert_array_equal(gradient, weight.astype(jnp.bfloat16).astype(jnp.float32))


def test_what_is_small_or_cannot_be_divided_stays_whole(shared, monkeypatch):
    def spec(shape, axis=None):
        with target.tracing_for("cpu", make_mesh(zero1=4)):
            sharding = parts._sharding(shape, axis)
        return sharding and sharding.spec

    assert spec((3, 8, 8)) == PartitionSpec(None, None, "zero1")
    assert spec((3, 8, 8), -2) == PartitionSpec(None, parts.AXES)
    assert spec((3, 6, 8), -2) is None
    assert spec((3, 5)) is None
    monkeypatch.setattr(parts, "_SMALLEST", 193)
    assert spec((3, 8, 8)) is None
    assert parts._sharding((3, 8, 8)) is None  # without a mesh
