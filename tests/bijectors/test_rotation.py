import functools

import jax
import numpy as np

from jaxgen.bijectors.rotation import Rotation


def test_is_the_product_of_its_reflections(x64):
    vectors = np.random.default_rng(0).standard_normal((5, 5))
    reflections = [np.eye(5) - 2 * np.outer(v, v) / (v @ v) for v in vectors.T]
    z, _ = jax.jit(Rotation().apply)({"params": {"vectors": vectors}}, np.eye(5))
    np.testing.assert_allclose(z.T, functools.reduce(np.matmul, reflections), atol=1e-13)


def test_stays_orthogonal_in_float32_whatever_its_vectors():
    rng = np.random.default_rng(0)
    scales = np.geomspace(1e-3, 1e3, 48)
    similar = rng.standard_normal((48, 1)) + 0.01 * rng.standard_normal((48, 48))
    for vectors in (rng.standard_normal((48, 48)) * scales, similar):
        q, _ = jax.jit(Rotation().apply)({"params": {"vectors": np.float32(vectors)}}, np.eye(48, dtype=np.float32))
        np.testing.assert_allclose(q @ q.T, np.eye(48), atol=1e-5)
