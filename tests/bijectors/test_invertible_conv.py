import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.invertible_conv import InvertibleConv


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


inverse = jax.jit(InvertibleConv().apply)
forward = jax.jit(functools.partial(InvertibleConv().apply, method="forward_and_log_det"))
init = jax.jit(InvertibleConv().init)


def weight(variables, channels: int) -> jax.Array:
    """W read off the map itself: the image of the unit vectors."""
    return np.asarray(inverse(variables, np.eye(channels))[0]).T


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_starts_as_a_rotation(channels):
    variables = init(jax.random.key(channels), np.zeros((1, channels)))
    w = weight(variables, channels)
    np.testing.assert_allclose(w @ w.T, np.eye(channels), atol=1e-6)
    np.testing.assert_allclose(inverse(variables, np.zeros((1, channels)))[1], 0.0, atol=1e-6)


def test_weight_is_the_lu_product_and_its_log_det_the_diagonal_sum():
    channels = 6
    variables = init(jax.random.key(0), np.zeros((1, channels)))
    noise = np.random.default_rng(1).standard_normal((2 * channels + 1, channels))
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
    images = np.zeros((2, 3, 5, channels))
    np.testing.assert_allclose(inverse(variables, images)[1], 15 * log_det, atol=1e-10)


def test_constants_are_fixed():
    """The permutation is integer and the signs are no parameter: neither receives a gradient."""
    x = np.random.default_rng(0).standard_normal((4, 5))
    variables = init(jax.random.key(1), x)
    assert set(variables["constants"]) == {"order", "sign"}
    assert set(variables["params"]) == {"lower", "upper", "log_scale"}
    assert sorted(np.asarray(variables["constants"]["order"])) == list(range(5))
    np.testing.assert_array_equal(np.abs(variables["constants"]["sign"]), 1.0)
    _, moved = InvertibleConv().apply(variables, x, mutable=True)
    jax.tree.map(np.testing.assert_array_equal, moved["constants"], variables["constants"])


def test_gradient_of_the_log_det_is_one_per_pixel_on_the_diagonal():
    x = np.zeros((1, 2, 3, 4))
    variables = init(jax.random.key(1), x)
    gradient = jax.jit(jax.grad(lambda p: inverse({**variables, "params": p}, x)[1][0]))(variables["params"])
    np.testing.assert_allclose(gradient["log_scale"], 6.0)
    np.testing.assert_array_equal(gradient["lower"], 0.0)
    np.testing.assert_array_equal(gradient["upper"], 0.0)


def test_a_permutation_that_is_not_its_own_inverse_is_undone():
    """Random permutations of few channels often are their own inverses, which would hide a confusion of the two."""
    rng = np.random.default_rng(0)
    params = {"lower": rng.standard_normal((3, 3)), "upper": rng.standard_normal((3, 3)), "log_scale": np.zeros(3)}
    variables = {"params": params, "constants": {"order": np.array([1, 2, 0], np.int32), "sign": np.ones(3)}}
    z = rng.standard_normal((4, 3))
    x, _ = forward(variables, z)
    np.testing.assert_allclose(x, np.linalg.solve(weight(variables, 3), z.T).T, atol=1e-12)


def test_matrix_products_ask_for_full_precision():
    """An accelerator's default product would leave W and the triangular factors it is undone by apart."""
    x = jax.ShapeDtypeStruct((2, 4), jnp.float32)
    variables = jax.eval_shape(InvertibleConv().init, jax.random.key(0), x)
    text = inverse.lower(variables, x).as_text()
    assert text.count("stablehlo.dot_general") == text.count("precision = [HIGHEST, HIGHEST]") == 2


@pytest.mark.parametrize(("data", "parameters"), [(jnp.bfloat16, jnp.float32), (jnp.float64, jnp.float32)])
def test_data_of_another_type_than_the_parameters_round_trips(data, parameters):
    x = np.random.default_rng(0).standard_normal((3, 4))
    variables = init(jax.random.key(0), x)
    floats = {"params": variables["params"], "sign": variables["constants"]["sign"]}
    floats = jax.tree.map(lambda v: v.astype(parameters), floats)
    constants = {**variables["constants"], "sign": floats["sign"]}
    variables = {"params": floats["params"], "constants": constants}
    x = x.astype(data)
    (z, _), (from_data, _) = inverse(variables, x), forward(variables, x)
    again, _ = forward(variables, z)
    assert z.dtype == again.dtype == from_data.dtype == jnp.promote_types(data, parameters)
    np.testing.assert_allclose(again, x.astype(z.dtype), atol=1e-5)
