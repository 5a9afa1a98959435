"""Operation counts against formulae and against XLA's own count where nothing loops."""

import jax
import jax.numpy as jnp
import pytest

from jaxgen.training.flops import count_flops, flops_by_kind


def counted(function, *shapes):
    return count_flops(jax.make_jaxpr(function)(*[jnp.zeros(shape) for shape in shapes]))


def test_matrix_products_and_their_gradients():
    assert counted(lambda x, w: x @ w, (8, 3), (3, 5)) == 2 * 8 * 3 * 5
    assert counted(lambda x, w: jnp.einsum("bij,bjk->bik", x, w), (4, 8, 3), (4, 3, 5)) == 4 * 2 * 8 * 3 * 5
    gradient = jax.grad(lambda w, x: jnp.sum((x @ w) ** 2))
    assert counted(gradient, (3, 5), (8, 3)) == 2 * (2 * 8 * 3 * 5)  # the product and the weight's gradient


def test_loops_count_in_full():
    def chain(x, w):
        return jax.lax.scan(lambda x, w: (x @ w, None), x, w)[0]

    assert counted(chain, (8, 3), (7, 3, 3)) == 7 * 2 * 8 * 3 * 3
    assert counted(jax.jit(jax.checkpoint(chain)), (8, 3), (7, 3, 3)) == 7 * 2 * 8 * 3 * 3


def test_a_condition_counts_its_dearest_branch():
    def branch(x, w):
        return jax.lax.cond(x[0, 0] > 0, lambda: x @ w, lambda: x @ w @ w @ w)

    assert counted(branch, (8, 3), (3, 3)) == 3 * 2 * 8 * 3 * 3


@pytest.mark.parametrize(("groups", "dilation"), [(1, 1), (2, 1), (1, 2)])
def test_convolutions(groups, dilation):
    def convolve(x, w):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x,
            w,
            (1, 1),
            [(0, 0), (0, 0)],
            lhs_dilation=(dilation,) * 2,
            dimension_numbers=numbers,
            feature_group_count=groups,
        )

    side = (10 - 1) * dilation + 1 - 2
    dense = 2 * 4 * side * side * 8 * 3 * 3 * (6 // groups)
    assert counted(convolve, (4, 10, 10, 6), (3, 3, 6 // groups, 8)) == dense // dilation**2
    if dilation == 1:
        arrays = jnp.zeros((4, 10, 10, 6)), jnp.zeros((3, 3, 6 // groups, 8))
        assert dense == jax.jit(convolve).lower(*arrays).compile().cost_analysis()["flops"]


@pytest.mark.parametrize(
    ("dtypes", "precision", "kind"),
    [
        (("float32", "float32"), None, "float32"),
        (("float32", "float32"), "high", "float32 high"),
        (("float32", "float32"), jax.lax.Precision.HIGHEST, "float32 highest"),
        (("float32", "float32"), ("default", "highest"), "float32 highest"),
        (("bfloat16", "bfloat16"), "highest", "bfloat16"),
        (("bfloat16", "float32"), None, "float32"),
        (("float8_e4m3fn", "float8_e5m2"), None, "float8"),
        (("float16", "float16"), None, "float16"),
    ],
)
def test_what_decides_how_fast_a_product_can_go(dtypes, precision, kind):
    def products(x, w):
        def product(carry, _):
            return carry, jax.lax.dot_general(x, w, (((1,), (0,)), ((), ())), precision=precision)

        return jax.lax.scan(product, 0, None, length=3)[1], jax.jit(product)(0, None)[1]

    x, w = (jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in zip([(8, 3), (3, 5)], dtypes, strict=True))
    assert flops_by_kind(jax.make_jaxpr(products)(x, w)) == {kind: 4 * 2 * 8 * 3 * 5}


def test_kinds_are_counted_apart_and_of_a_condition_the_dearest_branch():
    def mixed(x):
        wide = jax.lax.cond(x[0, 0] > 0, lambda: x @ x, lambda: (x @ x) @ x)
        while_ = jax.lax.while_loop(lambda x: (x @ x)[0, 0] > 0, lambda x: x @ x, x)  # its condition counts, too
        return wide + jax.jit(lambda x: (x @ x).astype(jnp.float32))(x.astype(jnp.bfloat16)) + while_

    one = 2 * 4**3
    assert flops_by_kind(jax.make_jaxpr(mixed)(jnp.zeros((4, 4)))) == {"float32": 4 * one, "bfloat16": one}


def test_what_nobody_needs_is_no_work():
    def loss(x, w):
        return jnp.sum(jax.jit(lambda x, w: x @ w)(x, w) ** 2)

    def weights_gradient(x, w):
        return jax.grad(loss, argnums=(0, 1))(x, w)[1]

    assert counted(weights_gradient, (8, 3), (3, 5)) == 2 * (2 * 8 * 3 * 5)
