import jax
import numpy as np

from jaxgen.layers.weight_norm import WeightNormDense


def test_the_first_batch_comes_out_standardized_and_a_constant_feature_finite(x64):
    rng = np.random.default_rng(0)
    x = rng.normal(3, [5.0, 0.1, 1.0], (64, 2, 3))
    y, variables = WeightNormDense(4, scale=0.1).init_with_output(jax.random.key(0), x)
    y = WeightNormDense(4, scale=0.1).apply(variables, x)
    np.testing.assert_allclose(y.mean((0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std((0, 1)), 0.1, rtol=1e-12)
    same, _ = WeightNormDense(4).init_with_output(jax.random.key(0), np.ones((8, 3)))
    np.testing.assert_allclose(same, 0, atol=1e-12)


def test_only_the_direction_of_the_weights_counts_and_the_gain_is_their_length(x64):
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(5, 3)), rng.normal(size=(3, 2))
    variables = {"params": {"kernel": kernel, "log_gain": np.log([2.0, 3.0]), "bias": np.array([1.0, 0.0])}}
    y = WeightNormDense(2).apply(variables, x)
    for feature, gain in enumerate((2, 3)):
        expected = gain * x @ kernel[:, feature] / np.sqrt((kernel[:, feature] ** 2).sum()) + (1 - feature)
        np.testing.assert_allclose(y[:, feature], expected, rtol=1e-12)
    variables["params"]["kernel"] = 7 * kernel
    np.testing.assert_allclose(WeightNormDense(2).apply(variables, x), y, rtol=1e-12)
