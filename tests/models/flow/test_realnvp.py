import jax
import numpy as np
import pytest

from jaxgen.bijectors.compose import Chain, Invert
from jaxgen.bijectors.conditioner import ZeroConv
from jaxgen.bijectors.coupling import Coupling
from jaxgen.bijectors.squeeze import Checkerboard, Squeeze


@pytest.mark.parametrize("swap", [False, True])
def test_a_coupling_on_a_checkerboard_moves_the_squares_of_one_colour_by_those_of_the_other(swap):
    mask = Chain((Squeeze(), Checkerboard()))
    flow = Chain((mask, Coupling(ZeroConv(), swap=swap), Invert(mask)))
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 4, 4, 1), np.float32)
    shapes = jax.eval_shape(flow.init, jax.random.key(0), x)
    variables = jax.tree.map(lambda p: np.float32(rng.standard_normal(p.shape)), shapes)
    jacobian = jax.jit(jax.jacfwd(lambda x: flow.apply(variables, x[None])[0].ravel()))(x[0])
    depends = np.asarray(jacobian).reshape(16, 16) != 0
    black = (np.indices((4, 4)).sum(0) % 2 == 0).ravel()
    moves = black if swap else ~black
    # Each moves by itself and, through 3x3 of its blocks of 2x2, by every one of the other colour; the others stay.
    np.testing.assert_array_equal(depends, np.eye(16, dtype=bool) | np.outer(moves, ~moves))
