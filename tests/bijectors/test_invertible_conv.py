import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.invertible_conv import InvertibleConv


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def weight(variables, channels: int) -> jax.Array:
    """W read off the map itself: the image of the unit vectors."""
    return InvertibleConv().apply(variables, jnp.eye(channels))[0].T


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 17])
def test_starts_as_a_rotation(channels):
    variables = InvertibleConv().init(jax.random.key(channels), jnp.zeros((1, channels)))
    w = weight(variables, channels)
    np.testing.assert_allclose(w @ w.T, np.eye(channels), atol=1e-6)
    np.testing.assert_allclose(InvertibleConv().apply(variables, jnp.zeros((1, channels)))[1], 0.0, atol=1e-6)


def test_weight_is_the_lu_product_and_its_log_det_the_diagonal_sum():
    channels = 6
    variables = InvertibleConv().init(jax.random.key(0), jnp.zeros((1, channels)))
    noise = jax.random.normal(jax.random.key(1), (2 * channels + 1, channels))
    params = {
        "lower": variables["params"]["lower"] + noise[:channels],  # outside the triangles too: those must be ignored
        "upper": variables["params"]["upper"] + noise[channels : 2 * channels],
        "log_scale": variables["params"]["log_scale"] + noise[-1],
    }
    constants = variables["constants"]
    permutation = np.eye(channels)[np.asarray(constants["order"])]
    lower = np.tril(params["lower"], -1) + np.eye(channels)
    upper = np.triu(params["upper"], 1)
    diagonal = np.diag(constants["sign"] * np.exp(params["log_scale"]))
    expected = permutation @ lower @ (upper + diagonal)

    variables = {"params": params, "constants": constants}
    np.testing.assert_allclose(weight(variables, channels), expected, atol=1e-12)
    sign, log_det = np.linalg.slogdet(expected)
    assert sign in (-1.0, 1.0)
    images = jnp.zeros((2, 3, 5, channels))
    np.testing.assert_allclose(InvertibleConv().apply(variables, images)[1], 15 * log_det, atol=1e-10)


def test_constants_are_fixed():
    """The permutation is integer and no gradient is asked of it; the signs receive none because they are no parameter."""
    x = jax.random.normal(jax.random.key(0), (4, 5))
    variables = InvertibleConv().init(jax.random.key(1), x)
    assert set(variables["constants"]) == {"order", "sign"}
    assert set(variables["params"]) == {"lower", "upper", "log_scale"}
    assert sorted(np.asarray(variables["constants"]["order"])) == list(range(5))
    np.testing.assert_array_equal(np.abs(variables["constants"]["sign"]), 1.0)
    _, moved = InvertibleConv().apply(variables, x, mutable=True)
    jax.tree.map(np.testing.assert_array_equal, moved["constants"], variables["constants"])


def test_gradient_of_the_log_det_is_one_per_pixel_on_the_diagonal():
    x = jnp.zeros((1, 2, 3, 4))
    variables = InvertibleConv().init(jax.random.key(1), x)
    gradient = jax.grad(lambda p: InvertibleConv().apply({**variables, "params": p}, x)[1][0])(variables["params"])
    np.testing.assert_allclose(gradient["log_scale"], 6.0)
    np.testing.assert_array_equal(gradient["lower"], 0.0)
    np.testing.assert_array_equal(gradient["upper"], 0.0)
