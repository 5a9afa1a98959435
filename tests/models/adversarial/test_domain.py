"""The features of domain adaptation have the published sizes."""

import jax
import jax.numpy as jnp

from jaxgen.models.adversarial.domain import Features


def test_features_of_mnist_m_are_768_and_both_convolutions_have_the_paper_s_weights():
    shapes = jax.eval_shape(Features().init_with_output, jax.random.key(0), jnp.zeros((2, 28, 28, 3)))
    features, variables = shapes
    assert features.shape == (2, 768)  # 4 x 4 x 48
    kernels = [layer["kernel"].shape for layer in variables["params"].values()]
    assert sorted(kernels) == [(5, 5, 3, 32), (5, 5, 32, 48)]
