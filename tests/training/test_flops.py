"""Operation counts against formulae and against XLA's own count where nothing loops."""

import jax
import jax.numpy as jnp
import pytest

from jaxgen.training.flops import count_flops


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
