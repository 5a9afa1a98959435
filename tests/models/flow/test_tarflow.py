"""Which patches see which, by the Jacobian."""

import jax
import numpy as np
import pytest

from jaxgen.models.flow.tarflow import tarflow


@pytest.mark.parametrize("flows", [1, 2])
def test_a_flow_goes_through_the_patches_in_raster_order_and_the_next_one_backwards(flows, x64):
    """One flow's Jacobian is triangular in patches; two in opposite directions let every patch see every other."""
    model, shape = tarflow((4, 4, 1), patch=2, flows=flows, width=4, layers=1), (4, 4, 1)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, *shape))
    zeros = jax.eval_shape(lambda: model.init(jax.random.key(0), x, method="inverse_and_log_det"))
    variables = jax.tree.map(lambda p: 0.5 * rng.normal(size=p.shape), zeros)

    def to_base(x):
        return model.apply(variables, x[None], method="inverse_and_log_det")[0][0]

    slopes = np.asarray(jax.jit(jax.jacobian(to_base))(x[0])).reshape(
        2, 2, 2, 2, 2, 2, 2, 2
    )  # rows and columns of both
    among = np.abs(slopes.transpose(0, 2, 4, 6, 1, 3, 5, 7)).max((4, 5, 6, 7)).reshape(4, 4)  # patches in raster order
    later = np.triu_indices(4, 1)
    assert among[np.tril_indices(4)].min() > 1e-6
    assert among[later].max() < 1e-12 if flows == 1 else among[later].min() > 1e-6
