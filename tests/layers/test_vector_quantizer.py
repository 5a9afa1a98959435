"""Codebooks against scikit-learn's k-means and nearest neighbours, roundings by enumeration; their gradients."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from jaxgen.layers.vector_quantizer import FiniteScalarQuantizer, VectorQuantizer

CODES, SIZE = 6, 3


@pytest.fixture(scope="module")
def data():
    """`[batch, 4, 4, size]`, in clumps."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CODES, SIZE)) * 3
    return jnp.float32(centres[rng.integers(0, CODES, (20, 4, 4))] + 0.3 * rng.normal(size=(20, 4, 4, SIZE)))


def moved(module, z, steps=1, **rngs):
    variables = jax.jit(module.init)(jax.random.key(0), z)
    step = jax.jit(lambda variables, rngs: module.apply(variables, z, mutable=["codebook"], rngs=rngs))
    first = variables
    for number in range(steps):
        rngs = {name: jax.random.fold_in(key, number) for name, key in rngs.items()}
        _, variables = step(variables, rngs)
    return first, variables


def test_codes_are_the_nearest_vectors(data):
    module = VectorQuantizer(CODES)
    variables = jax.jit(module.init)(jax.random.key(0), data)
    found = jax.jit(module.apply)(variables, data)
    vectors = np.asarray(variables["codebook"]["vectors"])
    distance, nearest = NearestNeighbors(n_neighbors=1).fit(vectors).kneighbors(data.reshape(-1, SIZE))
    np.testing.assert_array_equal(found.codes, nearest.reshape(20, 4, 4))
    np.testing.assert_allclose(found.z, vectors[found.codes], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.commitment, (distance**2).reshape(20, -1).sum(1), rtol=1e-4)
    looked_up = module.apply(variables, found.codes, method="look_up")
    np.testing.assert_array_equal(looked_up, vectors[found.codes])


def test_without_decay_the_codebook_takes_one_step_of_k_means(data):
    first, after = moved(VectorQuantizer(CODES, decay=0.0, epsilon=1e-12), data)
    start = np.asarray(first["codebook"]["vectors"])
    expected = KMeans(CODES, init=start, n_init=1, max_iter=1, algorithm="lloyd").fit(data.reshape(-1, SIZE))
    # With one iteration scikit-learn's centres are the means of what was nearest to the start.
    nearest = NearestNeighbors(n_neighbors=1).fit(start).kneighbors(data.reshape(-1, SIZE))[1][:, 0]
    means = np.stack([np.asarray(data).reshape(-1, SIZE)[nearest == code].mean(0) for code in range(CODES)])
    np.testing.assert_allclose(after["codebook"]["vectors"], means, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(after["codebook"]["vectors"], expected.cluster_centers_, rtol=1e-4, atol=1e-4)


def test_uses_and_sums_are_averages_and_unmoved_where_not_mutable(data):
    module = VectorQuantizer(CODES, decay=0.9)
    first, after = moved(module, data)
    codes = np.asarray(module.apply(first, data).codes).ravel()
    counts = np.bincount(codes, minlength=CODES)
    np.testing.assert_allclose(after["codebook"]["uses"], 0.9 + 0.1 * counts, rtol=1e-5)
    vectors = np.asarray(first["codebook"]["vectors"])
    sums = np.stack([np.asarray(data).reshape(-1, SIZE)[codes == code].sum(0) for code in range(CODES)])
    np.testing.assert_allclose(after["codebook"]["sums"], 0.9 * vectors + 0.1 * sums, rtol=1e-4, atol=1e-4)
    # Laplace: smoothed uses add up to the uses.
    smoothed = after["codebook"]["sums"] / after["codebook"]["vectors"]
    np.testing.assert_allclose(smoothed.mean(1).sum(), after["codebook"]["uses"].sum(), rtol=1e-4)


def test_the_encoder_gets_the_decoder_s_gradient_and_the_commitment_s(data):
    module = VectorQuantizer(CODES)
    variables = jax.jit(module.init)(jax.random.key(0), data)
    weights = jax.random.normal(jax.random.key(1), data.shape)

    @jax.jit
    @jax.grad
    def both(z):
        quantized = module.apply(variables, z)
        return jnp.sum(weights * quantized.z) + 0.25 * jnp.sum(quantized.commitment)

    nearest = np.asarray(variables["codebook"]["vectors"])[module.apply(variables, data).codes]
    np.testing.assert_allclose(both(data), weights + 0.5 * (data - nearest), rtol=1e-3, atol=1e-4)

    def commitment(codebook):
        return jnp.sum(module.apply({"codebook": codebook}, data).commitment)

    assert not any(np.any(leaf) for leaf in jax.tree.leaves(jax.jit(jax.grad(commitment))(variables["codebook"])))


def test_codes_that_nobody_uses_start_again_at_the_data_and_without_it_stay_away(data):
    far = jnp.concatenate([data[:1] * 0 + 100.0, data[1:]])  # at the start some codes lie at 100, where no data will be

    def used(restart_below):
        module = VectorQuantizer(4 * CODES, decay=0.5, restart_below=restart_below)
        variables = jax.jit(module.init)(jax.random.key(0), far)
        vectors = jnp.where(jnp.arange(4 * CODES)[:, None] < 3 * CODES, 100.0, variables["codebook"]["vectors"])
        variables = {"codebook": variables["codebook"] | {"vectors": vectors, "sums": vectors}}
        step = jax.jit(lambda v, key: module.apply(v, data, mutable=["codebook"], rngs={"restart": key}))
        for number in range(20):
            quantized, variables = step(variables, jax.random.key(number))
        return len(np.unique(quantized.codes)), variables["codebook"]

    assert used(0.0)[0] <= CODES
    count, codebook = used(0.5)
    assert count > 2 * CODES
    assert np.isfinite(codebook["vectors"]).all()


def test_a_code_that_is_never_used_stays_finite(data):
    _, after = moved(VectorQuantizer(200, decay=0.0), data, steps=3)
    assert np.isfinite(after["codebook"]["vectors"]).all()


@pytest.mark.parametrize("levels", [(3,), (4, 3, 2), (8, 5, 5)])
def test_roundings_reach_every_code_and_look_up_is_their_inverse(levels):
    module = FiniteScalarQuantizer(levels)
    z = jnp.linspace(-6, 6, 200)
    columns = [
        np.unique(module.apply({}, jnp.full((200, len(levels)), z[:, None])).z[:, i]) for i in range(len(levels))
    ]
    assert [len(np.unique(np.round(column, 4))) for column in columns] == list(levels)
    assert all(np.abs(column).max() == 1 for column in columns)
    codes = jnp.arange(np.prod(levels))
    vectors = np.asarray(module.apply({}, codes, method="look_up"))
    grid = [np.unique(vectors[:, i]) for i in range(len(levels))]
    assert {tuple(row) for row in vectors} == set(itertools.product(*grid))
    # From within each cell: the squeezed middle, by the formula's inverse.
    reach, offset = (np.array(levels) - 1) / 2 * 1.001, np.where(np.array(levels) % 2, 0.0, 0.5)
    middle = vectors * (np.array(levels) // 2)
    inside = np.arctanh(np.clip((middle + offset) / reach, -0.999, 0.999)) - np.arctanh(offset / reach)
    np.testing.assert_array_equal(module.apply({}, jnp.asarray(inside)).codes, codes)


@pytest.mark.parametrize("levels", [2, 4, 5])
def test_what_is_zero_is_zero_before_rounding(levels):
    """So the slope's integrals to either side are the ends of the range, which are not alike of even levels."""
    module, z = FiniteScalarQuantizer((levels,)), jnp.linspace(0, 12, 3001)
    slope = jax.jit(jax.vmap(jax.grad(lambda z: module.apply({}, z[None, None]).z[0, 0])))
    half, offset = 1.001 * (levels - 1) / 2, (levels + 1) % 2 / 2
    for side in (1, -1):
        reached = np.trapezoid(slope(side * z), z) * (levels // 2)
        assert reached == pytest.approx(half - side * offset, abs=1e-3)


def test_rounding_passes_the_gradient_of_the_squeeze():
    module = FiniteScalarQuantizer((5,))
    gradient = jax.vmap(jax.grad(lambda z: module.apply({}, z[None, None]).z[0, 0]))(jnp.array([0.0, 0.3, -1.0]))
    np.testing.assert_allclose(gradient, 1.001 * (1 - np.tanh([0.0, 0.3, -1.0]) ** 2), rtol=1e-5)
