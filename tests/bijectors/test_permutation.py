import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxgen.bijectors.permutation import Permutation


def test_any_order_may_be_drawn_and_the_one_drawn_is_applied():
    init = jax.jit(jax.vmap(Permutation().init, (0, None)))
    orders = np.asarray(init(jax.random.split(jax.random.key(0), 600), jnp.zeros((1, 3)))["constants"]["order"])
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3
    x = jnp.arange(3.0)[None]
    z, _ = Permutation().apply({"constants": {"order": jnp.array([1, 2, 0])}}, x)
    np.testing.assert_array_equal(z, [[1.0, 2.0, 0.0]])
