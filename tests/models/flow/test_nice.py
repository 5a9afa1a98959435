import jax
import numpy as np

from jaxgen.models.flow.nice import nice


def test_the_volume_changes_by_the_diagonal_scale_alone():
    flow, rng = nice(2, (8,)), np.random.default_rng(0)
    x = rng.standard_normal((8, 5), np.float32)
    shapes = jax.eval_shape(flow.init, jax.random.key(0), x)
    variables = jax.tree.map(lambda p: np.float32(rng.standard_normal(p.shape)), shapes)
    z, log_det = jax.jit(flow.apply)(variables, x)
    scale = variables["params"]["bijectors_1"]["log_scale"]
    np.testing.assert_allclose(log_det, np.full(8, -scale.sum()), rtol=1e-6)
    # The last coupling leaves one half alone, the one before the other: every element has moved by more than scale.
    assert (np.abs(z * np.exp(scale) - x).max(0) > 0.1).all()
