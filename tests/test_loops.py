"""Which loops stay loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import loops, target
from jaxgen.models.autoregressive.transformer import Transformer

IMAGE = jnp.ones((2, 8, 8, 3))


def convolve(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")), None


def multiply(x, matrix):
    return jnp.tanh(x @ matrix), None


@pytest.mark.parametrize(
    ("body", "weights", "loops_left"),
    [(convolve, jnp.ones((5, 3, 3, 3, 3)), 0), (multiply, jnp.ones((5, 3, 3)), 1)],
    ids=["convolution", "matrix product"],
)
def test_on_cpu_only_convolutions_are_unrolled(body, weights, loops_left):
    compiled = jax.jit(lambda x: loops.scan(body, x, weights)[0]).lower(IMAGE).compile()
    assert compiled.as_text().count(" while(") == loops_left


def test_what_is_traced_for_an_accelerator_keeps_its_loops_though_traced_on_cpu():
    """One jitted function, so that what JAX keeps of one platform's trace must not serve the other."""
    step = jax.jit(lambda x: loops.scan(convolve, x, jnp.ones((5, 3, 3, 3, 3)))[0])
    kept = []
    for platform in ("cpu", "tpu", "cpu"):
        with target.tracing_for(platform):
            kept.append("stablehlo.while" in step.lower(IMAGE).as_text())
    assert kept == [False, True, False]
    assert target.platform() == jax.default_backend()


@pytest.mark.parametrize("body", [convolve, multiply])
def test_a_loop_of_no_iterations_leaves_what_it_was_given(body):
    none = jnp.ones((0, 3, 3, 3, 3) if body is convolve else (0, 3, 3))
    carry, ys = loops.scan(lambda x, w: (body(x, w)[0], jnp.sum(w)), IMAGE, none)
    np.testing.assert_array_equal(carry, IMAGE)
    assert ys.shape == (0,)


def test_the_result_is_the_loop_s():
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(2, 3)), rng.normal(size=(5, 3, 3))
    expected = x
    for matrix in weights:
        expected = np.tanh(expected @ matrix)
    np.testing.assert_allclose(loops.scan(multiply, jnp.asarray(x), jnp.asarray(weights))[0], expected, rtol=1e-4)


@pytest.mark.parametrize(("layers", "loops_left"), [(3, False), (25, True)])
def test_a_transformer_s_layers_are_written_out_where_they_are_few(layers, loops_left):
    model = Transformer(levels=5, width=4, layers=layers, heads=2)
    x = jnp.zeros((2, 3), int)
    variables = jax.eval_shape(model.init, jax.random.key(0), x)
    assert ("stablehlo.while" in jax.jit(model.apply).lower(variables, x).as_text()) == loops_left
