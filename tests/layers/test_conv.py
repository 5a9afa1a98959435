"""Convolutions against `jax.lax`'s and their gradients, of both orders, against its autodiff, in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgen import target
from jaxgen.errors import UserError
from jaxgen.layers.conv import Conv, ConvTranspose, conv, conv_transpose

GEOMETRIES = [
    # kernel, strides, padding, image
    ((4, 4), (2, 2), "SAME", (4, 6)),
    ((3, 3), (2, 2), "SAME", (5, 4)),
    ((3, 3), (1, 1), "SAME", (5, 4)),
    ((3, 3), (1, 1), ((2, 0), (0, 1)), (5, 4)),
    ((5, 3), (2, 3), "VALID", (7, 5)),
    ((2, 3), (3, 2), "SAME", (6, 5)),
    ((2, 2), (3, 3), "VALID", (6, 5)),
    ((4, 3), (2, 1), ((2, 1), (0, 2)), (6, 4)),
]


def lax_conv(x, kernel, strides, padding):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def transpose(x, kernel, strides, padding):
    return conv_transpose(x, kernel.swapaxes(2, 3), strides, padding)


def lax_transpose(x, kernel, strides, padding):
    return lax.conv_transpose(x, kernel.swapaxes(2, 3), strides, padding, transpose_kernel=True)


PAIRS = [(conv, lax_conv), (transpose, lax_transpose)]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def winograd(monkeypatch):
    """Has these few channels convolved as many would be."""
    monkeypatch.setattr("jaxgen.layers.conv._WINOGRAD_DEPTH", 1)


def arrays(window, image):
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, *image, 2)), rng.normal(size=(*window, 2, 3))


def with_gradients(function, strides, padding, x, kernel):
    """The value, and the gradients of a loss to which every output counts, and differently."""
    y, pull = jax.vjp(lambda x, kernel: function(x, kernel, strides, padding), x, kernel)
    return y, pull(jnp.cos(y) * jnp.arange(y.size).reshape(y.shape))


@functools.cache
def true(truth, window, strides, padding, image):
    return jax.jit(functools.partial(with_gradients, truth, strides, padding))(*arrays(window, image))


def assert_close(ours, truth):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11), ours, truth)


@pytest.mark.quick("window[0145]*")
@pytest.mark.parametrize(("ours", "truth"), PAIRS)
@pytest.mark.parametrize(("window", "strides", "padding", "image"), GEOMETRIES)
@pytest.mark.usefixtures("winograd")
def test_values_and_gradients(ours, truth, window, strides, padding, image):
    found = jax.jit(functools.partial(with_gradients, ours, strides, padding))(*arrays(window, image))
    assert_close(found, true(truth, window, strides, padding, image))


@pytest.mark.quick("window[0145]*")
@pytest.mark.parametrize(("ours", "truth"), PAIRS)
@pytest.mark.parametrize(("window", "strides", "padding", "image"), GEOMETRIES)
def test_gradient_of_gradient(ours, truth, window, strides, padding, image):
    """A gradient penalty, and a loss on the kernel's gradient, differentiated by both arguments."""

    def penalty(x, kernel, function):
        dx, dk = jax.grad(lambda x, k: jnp.sum(jnp.sin(function(x, k, strides, padding))), (0, 1))(x, kernel)
        return jnp.sum((jnp.sqrt(jnp.sum(dx**2, (1, 2, 3))) - 1) ** 2) + jnp.sum(jnp.cos(dk))

    gradients = jax.jit(lambda *args: [jax.grad(penalty, (0, 1))(*args, function) for function in (ours, truth)])
    assert_close(*gradients(*arrays(window, image)))


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "truth"), PAIRS)
@pytest.mark.usefixtures("winograd")
def test_third_order(ours, truth):
    x, kernel = arrays((4, 4), (4, 4))

    def third(function):
        def f(t):
            return jnp.sum(jnp.sin(function(x * t, kernel * jnp.cos(t), (2, 2), "SAME")))

        return jax.jit(jax.grad(jax.grad(jax.grad(f))))(0.7)

    np.testing.assert_allclose(third(ours), third(truth), rtol=1e-10)


@functools.cache
def cubed(ours):
    """(x, kernel) -> the output, and the gradients of its cubes' sum; and the same compiled."""

    def both(x, kernel):
        y, pull = jax.vjp(lambda x, kernel: ours(x, kernel, (2, 2), "SAME"), x, kernel)
        return y, pull(3 * y**2)

    return both, jax.jit(both)


@pytest.mark.parametrize("ours", [conv, transpose])
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)])
def test_vmap_is_a_loop(ours, axes):
    """Per-example values and gradients by `vmap` equal those taken one by one."""
    rng = np.random.default_rng(1)
    xs, kernels = rng.normal(size=(3, 2, 4, 4, 2)), rng.normal(size=(3, 4, 4, 2, 3))
    both, compiled = cubed(ours)
    x, kernel = (a if axis == 0 else a[0] for a, axis in zip((xs, kernels), axes, strict=True))
    mapped = jax.jit(jax.vmap(both, in_axes=axes))(x, kernel)
    for i in range(3):
        one = compiled(*(a if axis is None else a[i] for a, axis in zip((x, kernel), axes, strict=True)))
        assert_close(jax.tree.map(lambda a, i=i: np.asarray(a)[i], mapped), one)


@pytest.mark.parametrize("backend", ["cpu", "tpu"])
def test_every_platform_computes_the_same(backend):
    x, kernel = arrays((4, 4), (4, 6))

    def gradient(function):
        return jax.jit(jax.grad(lambda x: jnp.sum(function(x, kernel, (2, 2), "SAME") ** 2)))(x)

    with target.tracing_for(backend):
        found = gradient(transpose)
    assert_close(found, gradient(lax_transpose))


@pytest.mark.quick("window[0145]*")
@pytest.mark.parametrize(("ours", "truth"), PAIRS)
@pytest.mark.parametrize(("window", "strides", "padding", "image"), [g for g in GEOMETRIES if g[0] != (5, 3)])
def test_a_gpu_s_convolutions_of_images_are_products(ours, truth, window, strides, padding, image):
    x, kernel = arrays(window, image)

    with target.tracing_for("gpu"):
        mine = jax.jit(lambda x, kernel: with_gradients(ours, strides, padding, x, kernel)).trace(x, kernel)
    forward = [e.primitive.name for e in mine.jaxpr.eqns if e.outvars[0] is mine.jaxpr.jaxpr.outvars[0]]
    assert forward != ["conv_general_dilated"]
    assert_close(mine.lower().compile()(x, kernel), true(truth, window, strides, padding, image))


@pytest.mark.parametrize(
    ("layer", "kernel", "function"),
    [(Conv, "kernel", lax_conv), (ConvTranspose, "transposed_kernel", conv_transpose)],
)
def test_layers_add_their_bias_and_keep_float32_parameters(layer, kernel, function):
    x = np.random.default_rng(2).normal(size=(2, 4, 4, 3)).astype(np.float32)
    module = layer(5, (4, 4), (2, 2), dtype=jnp.bfloat16)
    params = jax.jit(module.init)(jax.random.key(0), x)["params"]
    assert {p.dtype for p in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    params["bias"] = np.arange(5, dtype=np.float32)

    @jax.jit
    def run(params):
        return module.apply({"params": params}, x), function(x, params[kernel], (2, 2), "SAME") + params["bias"]

    y, truth = run(params)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(y), truth, atol=0.05)
    without = jax.eval_shape(layer(5, (4, 4), use_bias=False).init, jax.random.key(0), x)
    assert "bias" not in without["params"]


@pytest.mark.parametrize(("size", "channels"), [(1, 16), (3, 4), (5, 16)], ids=["1x1", "few channels", "5x5"])
def test_forward_mode_passes_where_no_rule_gains(size, channels):
    """And agrees with reverse mode: <dy, J dx> = <Jᵀ dy, dx>."""
    rng = np.random.default_rng(0)
    x, dx = rng.normal(size=(2, 2, 6, 6, channels)).astype(np.float32)
    kernel, dk = rng.normal(size=(2, size, size, channels, 4)).astype(np.float32)
    weight = rng.normal(size=(2, 6, 6, 4)).astype(np.float32)

    @jax.jit
    def run(x, kernel, dx, dk):
        _, dy = jax.jvp(conv, (x, kernel), (dx, dk))
        return dy, jax.vjp(conv, x, kernel)[1](weight)

    dy, (gx, gk) = jax.device_get(run(x, kernel, dx, dk))
    assert np.vdot(weight, dy) == pytest.approx(np.vdot(gx, dx) + np.vdot(gk, dk), rel=1e-3)


def test_an_unknown_padding_is_refused():
    with pytest.raises(UserError, match="padding is 'CIRCULAR'; choose 'SAME', 'VALID'"):
        conv_transpose(*arrays((4, 4), (4, 4)), (2, 2), "CIRCULAR")
