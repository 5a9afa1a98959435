"""One product for all pixels."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.layers.matrix import at_every_pixel


def test_multiplies_every_pixel_and_differentiates_by_one_matrix_product():
    rng = np.random.default_rng(0)
    x, matrix = rng.normal(size=(2, 3, 5, 4)).astype(np.float32), rng.normal(size=(4, 6)).astype(np.float32)
    y = at_every_pixel(jnp.asarray(x), jnp.asarray(matrix))
    np.testing.assert_allclose(y, np.einsum("bhwi,io->bhwo", x, matrix), rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda m: jnp.sum(jnp.sin(at_every_pixel(x, m))))
    np.testing.assert_allclose(gradient(matrix), np.einsum("bhwi,bhwo->io", x, np.cos(y)), rtol=1e-4, atol=1e-5)
    # The point of it: no product of the gradient sums over more than one axis.
    jaxpr = jax.make_jaxpr(gradient)(matrix)
    products = [equation for equation in jaxpr.eqns if equation.primitive.name == "dot_general"]
    assert products
    assert all(len(equation.params["dimension_numbers"][0][0]) == 1 for equation in products)
