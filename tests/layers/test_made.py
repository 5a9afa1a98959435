import jax
import numpy as np
import pytest

from jaxgen.layers.made import MADE


@pytest.mark.parametrize(("size", "widths", "context"), [(5, (16, 5), 2), (5, (8,), 0), (3, (), 1), (1, (2,), 0)])
def test_an_element_s_numbers_see_the_context_and_every_earlier_element_and_no_other(size, widths, context):
    """Derivatives by autodiff. Positive weights of positive inputs keep every ReLU open: what is connected has one."""
    made, rng = MADE(widths), np.random.default_rng(0)
    x, *extra = (np.float32(rng.uniform(0.5, 1.0, (1, length))) for length in (size, context) if length)
    shapes = jax.eval_shape(lambda: made.init(jax.random.key(0), x, 2 * size, *extra))
    variables = jax.tree.map(lambda p: np.float32(rng.uniform(0.5, 1.0, p.shape)), shapes)
    derivatives = jax.jacrev(lambda x, *extra: made.apply(variables, x, 2 * size, *extra)[0], range(1 + len(extra)))
    by_x, *by_context = jax.jit(derivatives)(x, *extra)
    earlier = np.tri(size, k=-1, dtype=bool)
    np.testing.assert_array_equal(np.asarray(by_x)[:, 0] != 0, np.concatenate([earlier, earlier]))
    assert all((np.asarray(derivative) != 0).all() for derivative in by_context)


def test_starts_at_zero_and_computes_in_its_dtype():
    made, x = MADE((8,), dtype="bfloat16"), np.ones((3, 4), np.float32)
    y, variables = jax.jit(made.init_with_output, static_argnums=2)(jax.random.key(0), x, 8)
    assert y.dtype == "bfloat16"
    assert not np.asarray(y, np.float32).any()
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype("float32")}
