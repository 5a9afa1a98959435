"""The spline against its paper's formulae, and at every edge: of its bins, of its interval, of its parameters."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxgen.bijectors.spline import RationalQuadratic
from jaxgen.errors import UserError

SPLINE = RationalQuadratic(bins=5, bound=2.0)
COUNT = 10_000
EDGES = [0.0, 2.0, -2.0, np.nextafter(2.0, 3.0), np.nextafter(2.0, 0.0), np.nextafter(-2.0, 0.0), 1e4, -1e30]


@functools.cache
def evaluated(dtype):
    """10,000 random sets of parameters up to ±1e4, each at an input of its own for each direction.

    `(raw, (z, x), what forward gives and its gradients, what inverse gives and its gradients, both round trips)`.
    """
    rng = np.random.default_rng(0)
    scale = np.exp(rng.uniform(np.log(0.1), np.log(1e4), (COUNT, 1)))
    raw = (scale * rng.standard_normal((COUNT, SPLINE.parameters))).clip(-1e4, 1e4)
    raw[: COUNT // 10] = 1e4 * rng.choice([-1, 0, 1], (COUNT // 10, SPLINE.parameters))
    raw = raw.astype(dtype)
    with jax.enable_x64(dtype == np.float64):
        knots = [np.asarray(SPLINE._knots(part[..., None])) for part in (raw[:, :5], raw[:, 5:10])]
        inputs = []
        for own in knots:  # of the base's side for the forward map and of the data's for its inverse
            values = rng.uniform(-2.5, 2.5, COUNT).astype(dtype)
            values[::4] = own[::4, 1, 0]
            values[1::4] = own[1::4, 3, 0]
            values[2 : 2 + 4 * len(EDGES) * 20 : 4] = np.tile(EDGES, 20)
            inputs.append(values[:, None])

        def with_gradients(method):
            def total(x, raw):
                y, log_slope = method(x, raw)
                return y.sum() + log_slope.sum(), (y, log_slope)

            return jax.value_and_grad(total, (0, 1), has_aux=True)

        (_, forward), forward_grads = jax.jit(with_gradients(SPLINE.forward))(inputs[0], raw)
        (_, inverse), inverse_grads = jax.jit(with_gradients(SPLINE.inverse))(inputs[1], raw)
        again, _ = jax.jit(SPLINE.inverse)(forward[0], raw)
        undone, _ = jax.jit(SPLINE.forward)(inverse[0], raw)
    results = (*forward, *forward_grads), (*inverse, *inverse_grads), (again, undone)
    return raw, inputs, *jax.tree.map(np.asarray, results)


@pytest.mark.quick("float32")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_gradients_are_finite_everywhere(dtype):
    _, _, forward, inverse, _ = evaluated(dtype)
    for values in (*forward, *inverse):
        assert values.dtype == dtype
        assert np.isfinite(values).all()


def test_the_inverse_undoes_the_map_as_far_as_its_slope_lets_it():
    """Where f is almost flat, one rounding of f(z) stands for a whole range of z."""
    _, (z, x), forward, inverse, (again, undone) = evaluated(np.float64)
    for start, end, log_slope in ((z, again, forward[1]), (x, undone, inverse[1])):
        inside = np.abs(start) <= 2
        lost = 1e-14 * np.exp(np.maximum(0.0, -log_slope))
        np.testing.assert_array_less(np.abs(end - start)[inside], (1e-12 + lost)[inside])
        np.testing.assert_array_equal(end[~inside], start[~inside])
        gentle = (np.abs(log_slope) < 8) & inside
        assert gentle.mean() > 0.5
        np.testing.assert_allclose(end[gentle], start[gentle], rtol=0, atol=1e-10)


def test_increases_and_ends_at_its_bounds():
    raw = evaluated(np.float64)[0][::10]
    z = np.linspace(-2.1, 2.1, 101)
    with jax.enable_x64(True):
        x, _ = jax.jit(jax.vmap(SPLINE.forward, (0, None)))(np.broadcast_to(z[:, None, None], (101, len(raw), 1)), raw)
        ends, _ = jax.jit(SPLINE.forward)(np.array([[-2.0, 2.0]]), np.repeat(raw[:1], 2, axis=1))
    assert (np.diff(np.asarray(x), axis=0) >= 0).all()
    np.testing.assert_allclose(ends, [[-2.0, 2.0]], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(x[0], -2.1)


def test_is_the_identity_at_zero():
    z = np.linspace(-3, 3, 97, dtype=np.float32)[None]
    x, log_slope = SPLINE.forward(z, jnp.zeros((1, SPLINE.parameters * 97)))
    np.testing.assert_allclose(x, z, atol=1e-6)
    np.testing.assert_allclose(log_slope, 0.0, atol=2e-6)


def test_one_bin_has_nothing_to_bend():
    z = np.linspace(-3, 3, 97, dtype=np.float32)[None]
    x, log_slope = RationalQuadratic(bins=1, bound=2.0).forward(z, jnp.ones((1, 2 * 97)))
    np.testing.assert_allclose(x, z, atol=1e-6)
    np.testing.assert_allclose(log_slope, 0.0, atol=2e-6)


def test_is_the_papers_spline():
    """Equation 4, bin by bin in plain numpy."""
    rng = np.random.default_rng(1)
    raw, z = 2 * rng.standard_normal((40, SPLINE.parameters, 3)), rng.uniform(-2, 2, (40, 3))
    with jax.enable_x64(True):
        actual, _ = jax.jit(SPLINE.forward)(z, raw.reshape(40, -1))
    for i, j in np.ndindex(z.shape):
        widths, heights = (1e-3 + (1 - 5e-3) * special.softmax(raw[i, part, j]) for part in (slice(5), slice(5, 10)))
        across, up = (np.concatenate([[-2.0], -2 + 4 * np.cumsum(parts)]) for parts in (widths, heights))
        inner = 1e-3 + np.logaddexp(0, raw[i, 10:, j] + np.log(np.exp(0.999) - 1))
        slopes = np.concatenate([[1.0], inner, [1.0]])
        k = np.searchsorted(across, z[i, j]) - 1
        s = (up[k + 1] - up[k]) / (across[k + 1] - across[k])
        xi = (z[i, j] - across[k]) / (across[k + 1] - across[k])
        top = (up[k + 1] - up[k]) * (s * xi**2 + slopes[k] * xi * (1 - xi))
        bottom = s + (slopes[k + 1] + slopes[k] - 2 * s) * xi * (1 - xi)
        assert actual[i, j] == pytest.approx(up[k] + top / bottom, abs=1e-12)


@pytest.mark.parametrize("settings", [{"bins": 0}, {"bins": 1001}, {"smallest": 0.0}])
def test_bins_without_room_are_refused(settings):
    with pytest.raises(UserError, match=f"bins={settings.get('bins', 8)}"):
        RationalQuadratic(**settings)
