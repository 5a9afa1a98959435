"""Spectral normalization against numpy's singular values, and who may move u."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from jaxgen.core import Aux, Method, Net, Phase
from jaxgen.layers.conv import conv, conv_transpose
from jaxgen.layers.resample import SpectralResampledConv
from jaxgen.layers.spectral_norm import SpectralConv, SpectralConvTranspose, SpectralDense, SpectralEmbed
from jaxgen.training.pace import due_phases
from jaxgen.training.sharding import make_mesh, placement, state_shardings
from jaxgen.training.step import build_step, compile_step, init_state

IMAGE = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
LABELS = np.arange(6, dtype=np.int32) % 5

# layer, input, its weight as a matrix of outputs and inputs, the plain layer
LAYERS = {
    "dense": (SpectralDense(7), IMAGE, lambda w: w.T, lambda x, w: x @ w),
    "conv": (
        SpectralConv(7, (3, 3), (2, 2)),
        IMAGE,
        lambda w: w.transpose(3, 2, 0, 1).reshape(7, -1),
        lambda x, w: conv(x, w, (2, 2)),
    ),
    "conv_transpose": (
        SpectralConvTranspose(7, (4, 4), (2, 2)),
        IMAGE,
        lambda w: w.transpose(2, 3, 0, 1).reshape(7, -1),
        lambda x, w: conv_transpose(x, w, (2, 2)),
    ),
    "embed": (SpectralEmbed(5, 7), LABELS, lambda w: w.T, lambda x, w: w[x]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_stays_in_float32_where_float64_is_the_default(name, x64):
    layer, x, _, _ = LAYERS[name]
    y, variables = jax.eval_shape(layer.init_with_output, jax.random.key(0), x)
    assert {leaf.dtype for leaf in jax.tree.leaves((y, variables))} == {jnp.dtype("float32")}


@pytest.mark.parametrize("name", LAYERS)
def test_sigma_and_its_gradient_are_those_of_the_singular_value_decomposition(name):
    layer, x, matrix, plain = LAYERS[name]
    variables = jax.jit(layer.init)(jax.random.key(0), x)
    (weight_name,) = variables["params"].keys() - {"bias"}
    weight = np.asarray(variables["params"][weight_name], np.float64)
    direction = np.random.default_rng(1).normal(size=weight.shape)

    def use(_, spectral):
        return layer.apply({**variables, "spectral": spectral}, x, mutable=["spectral"])[1]["spectral"]

    @jax.jit
    def converged(variables):
        spectral = jax.lax.fori_loop(0, 300, use, variables["spectral"])

        def output(step):
            moved = variables["params"][weight_name] + step * jnp.asarray(direction, jnp.float32)
            params = {**variables["params"], weight_name: moved}
            return layer.apply({"params": params, "spectral": spectral}, x)

        return spectral, output(0.0), jax.jacrev(output)(0.0)

    spectral, y, slope = jax.device_get(converged(variables))
    left, singular, _ = np.linalg.svd(matrix(weight))
    np.testing.assert_allclose(spectral["sigma"], singular[0], rtol=1e-4)
    assert abs(spectral["u"] @ left[:, 0]) > 1 - 1e-4

    # Twice the plain layer, as the output is linear in the weight: W / sigma, and its derivative along the direction.
    quotient, far = weight / singular[0], 1e-5
    ends = [w / np.linalg.svd(matrix(w))[1][0] for w in (weight + far * direction, weight - far * direction)]
    weights = [np.float32(w) for w in (quotient, (ends[0] - ends[1]) / (2 * far))]
    truth = jax.jit(lambda x, weights: [plain(x, w) for w in weights])(x, weights)
    np.testing.assert_allclose(y, truth[0], atol=1e-4)
    np.testing.assert_allclose(slope, truth[1], rtol=1e-3, atol=1e-3)


def unit(x):
    return x / np.linalg.norm(x)


def iterate(kernel, u):
    """Miyato et al., algorithm 1: the next u."""
    return unit(kernel.T @ unit(kernel @ u))


def test_u_moves_once_a_mutable_use_and_stays_otherwise():
    layer = SpectralDense(7, use_bias=False)
    x = IMAGE[0, 0, 0]

    def loss(kernel, u, spectral):
        """With u and v constant, its gradient is that of the sum of y·weights / (u·Wᵀ·v)."""
        y, _ = layer.apply({"params": {"kernel": kernel}, "spectral": {**spectral, "u": u}}, x, mutable=True)
        return jnp.vdot(y, jnp.arange(7.0))

    @jax.jit
    def run(variables):
        still = [layer.apply(variables, x, mutable=mutable) for mutable in (False, ["batch_stats"])]
        kernel, u = variables["params"]["kernel"], variables["spectral"]["u"]
        gradients = jax.grad(loss, (0, 1))(kernel, u, variables["spectral"])
        return layer.apply(variables, x, mutable=["spectral"]), still, gradients

    variables = jax.device_get(jax.jit(layer.init)(jax.random.key(0), x))
    kernel, u = variables["params"]["kernel"], variables["spectral"]["u"]
    (y, moved), (immutable, (of_others, changed)), (by_kernel, by_u) = jax.device_get(run(variables))
    np.testing.assert_allclose(moved["spectral"]["u"], iterate(kernel, u), atol=1e-6)
    sigma = moved["spectral"]["u"] @ kernel.T @ unit(kernel @ u)
    np.testing.assert_allclose(moved["spectral"]["sigma"], sigma, rtol=1e-5)
    np.testing.assert_allclose(y, x @ kernel / sigma, rtol=1e-4)

    constant = np.outer(unit(kernel @ u), moved["spectral"]["u"])
    truth = np.outer(x, np.arange(7)) / sigma - (y @ np.arange(7)) / sigma * constant
    np.testing.assert_allclose(by_kernel, truth, rtol=1e-4, atol=1e-5)
    assert not by_u.any()

    for still in (immutable, of_others):
        np.testing.assert_allclose(still, x @ kernel / np.linalg.norm(kernel @ u), rtol=1e-4)
    assert not changed


def test_power_iterations_are_float32_in_bfloat16():
    half, single = (SpectralConv(7, (3, 3), dtype=dtype) for dtype in (jnp.bfloat16, None))

    # Or XLA might itself compute in float32 what is written in bfloat16.
    @functools.partial(jax.jit, compiler_options={"xla_allow_excess_precision": False})
    def run(key):
        variables = half.init(key, IMAGE)
        return variables, [layer.apply(variables, IMAGE, mutable=["spectral"]) for layer in (half, single)]

    variables, ((y, moved), (exact, truth)) = run(jax.random.key(0))
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(y), exact, atol=0.05)
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, moved))} == {jnp.dtype("float32")}
    jax.tree.map(np.testing.assert_array_equal, moved, truth)


def test_repeated_and_sharded_phases_iterate_as_one_device_does():
    """Two repeats of the critic's phase move u twice, the other network's phase not at all, on every mesh."""

    def critic_loss(view, batch, key):
        score, moved = view.train("critic", batch["x"], key=key)
        return -jnp.mean(score), Aux(variables={"critic": moved})

    def other_loss(view, batch, key):
        return jnp.mean(view("critic", view("other", batch["x"]))), Aux()

    critic = SpectralDense(128, use_bias=False)  # large enough to be split
    method = Method(
        name="two",
        nets={"critic": Net(critic, optax.sgd(0.0)), "other": Net(SpectralDense(128), optax.sgd(0.1))},
        phases=(Phase("critic", ("critic",), critic_loss, repeats=2), Phase("other", ("other",), other_loss)),
        init=lambda modules, key, batch: {name: module.init(key, batch["x"]) for name, module in modules.items()},
        latents=None,
        evaluate=lambda view, batch, key: {},
    )
    x = np.random.default_rng(0).normal(size=(8, 128)).astype(np.float32)
    key = jax.random.key(0)

    def start():
        return init_state(method, key, {"x": x})

    ends = []
    for mesh in (make_mesh(devices=jax.devices()[:1]), make_mesh(fsdp=4)):
        shardings = state_shardings(jax.eval_shape(start), mesh, {})
        state = jax.jit(start, out_shardings=shardings)()
        before = jax.tree.map(np.asarray, state.nets["critic"])
        call = compile_step(build_step(method, placement(mesh, shardings)), mesh, shardings, [due_phases(method, 0)])
        state, _ = call(state, {"x": np.broadcast_to(x, (1, 2, 8, 128))}, key)
        ends.append(state.nets)
        kernel = before.params["kernel"]
        truth = iterate(kernel, iterate(kernel, before.variables["spectral"]["u"]))
        np.testing.assert_allclose(state.nets["critic"].variables["spectral"]["u"], truth, atol=1e-6)
    assert ends[1]["critic"].params["kernel"].sharding.spec == PartitionSpec(None, "fsdp")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), *ends)


RESAMPLED = SpectralResampledConv(7, (3, 3), resample="down")
ALL = {name: layer[:2] for name, layer in LAYERS.items()} | {"resampled": (RESAMPLED, IMAGE)}


@pytest.mark.parametrize("name", ALL)
def test_a_weight_of_zeros_is_used_as_it_is_and_leaves_u_for_when_it_is_none(name):
    layer, x = ALL[name]
    variables = jax.device_get(jax.jit(layer.init)(jax.random.key(0), x))
    (weight_name,) = variables["params"].keys() - {"bias"}
    weight = variables["params"][weight_name]

    @jax.jit
    @functools.partial(jax.grad, has_aux=True)
    def use(weight):
        params = {**variables["params"], weight_name: weight}
        y, moved = layer.apply({**variables, "params": params}, x, mutable=["spectral"])
        return jnp.sum(y), (y, moved["spectral"])

    gradient, (y, spectral) = jax.device_get(use(0 * weight))
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_array_equal(spectral["u"], variables["spectral"]["u"])
    assert np.isfinite(gradient).all()
    assert np.any(gradient != 0)
    small, large = (use(scale * weight)[1][0] for scale in (1e-16, 1.0))  # however small, it is normalized
    np.testing.assert_allclose(small, large, atol=1e-5 * np.abs(large).max())
