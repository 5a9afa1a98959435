import jax.numpy as jnp
import numpy as np

from jaxgen.losses.autoregressive import categorical_log_prob


def test_log_prob_is_the_sum_of_the_symbols_log_probabilities():
    p = np.array([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]], [[1 / 3, 1 / 3, 1 / 3], [0.8, 0.1, 0.1]]])
    x = np.array([[1, 2], [0, 0]], np.uint8)
    logits = jnp.log(p) + np.arange(4).reshape(2, 2, 1)  # not normalized
    np.testing.assert_allclose(categorical_log_prob(x, logits), np.log([0.25 * 0.7, 0.8 / 3]), rtol=1e-5)


def test_far_logits_stay_finite_and_bfloat16_is_widened():
    logits = jnp.array([[[1e4, -1e4]]], jnp.bfloat16)
    assert categorical_log_prob([[1]], logits).dtype == jnp.float32
    np.testing.assert_allclose(categorical_log_prob([[1]], logits), [-2e4], rtol=1e-2)
