"""Every bijector against one table: inverses, log-determinants against autodiff, independence of the examples."""

import importlib
import inspect
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxgen.bijectors
from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Invert, Repeat, Split
from jaxgen.bijectors.conditioner import ConvConditioner, DenseConditioner
from jaxgen.bijectors.coupling import Additive, Affine, Coupling
from jaxgen.bijectors.invertible_conv import InvertibleConv
from jaxgen.bijectors.squeeze import Squeeze
from jaxgen.errors import UserError
from jaxgen.models.glow import glow


def dense(**kwargs) -> Coupling:
    return Coupling(DenseConditioner((8,)), **kwargs)


# name -> (constructor, shape of one example of data)
TABLE = {
    "actnorm vector": (ActNorm, (3,)),
    "actnorm image": (ActNorm, (2, 3, 2)),
    "invertible_conv vector": (InvertibleConv, (5,)),
    "invertible_conv image": (InvertibleConv, (2, 3, 4)),
    "coupling affine": (dense, (5,)),
    "coupling affine tight": (lambda: dense(transform=Affine(bound=0.5)), (4,)),
    "coupling additive": (lambda: dense(transform=Additive()), (4,)),
    "coupling swapped": (lambda: dense(swap=True), (5,)),
    "coupling conv": (lambda: Coupling(ConvConditioner(3)), (3, 4, 2)),
    "squeeze": (Squeeze, (4, 6, 2)),
    "squeeze by 3": (lambda: Squeeze(factor=3), (3, 6, 1)),
    "invert": (lambda: Invert(dense()), (4,)),
    "unsqueeze": (lambda: Invert(Squeeze()), (2, 3, 8)),
    "split": (lambda: Split(InvertibleConv()), (2, 2, 5)),
    "chain": (lambda: Chain((ActNorm(), InvertibleConv(), dense(), dense(swap=True))), (4,)),
    "repeat": (lambda: Repeat(Chain((ActNorm(), InvertibleConv(), dense())), 3), (4,)),
    "glow": (lambda: glow(steps=2, levels=2, width=4), (4, 4, 2)),
    "glow additive": (lambda: glow(steps=1, levels=1, width=4, transform=Additive()), (4, 2, 1)),
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def data(shape: tuple[int, ...], batch: int = 4, seed: int = 0) -> jax.Array:
    return 0.5 + 2.0 * jax.random.normal(jax.random.key(seed), (batch, *shape), jnp.float64)


def randomized(bijector: Bijector, x: jax.Array, scale: float = 0.2):
    """Variables in float64, parameters moved away from the initial ones, which are often the identity."""
    variables = dict(bijector.init(jax.random.key(1), x))
    leaves, tree = jax.tree.flatten(variables.get("params", {}))
    keys = jax.random.split(jax.random.key(2), len(leaves) + 1)
    moved = [p + scale * jax.random.normal(k, p.shape, jnp.float64) for p, k in zip(leaves, keys, strict=False)]
    return {**variables, "params": jax.tree.unflatten(tree, moved)}


def directions(bijector: Bijector, variables):
    return (
        jax.jit(lambda z: bijector.apply(variables, z, method="forward_and_log_det")),
        jax.jit(lambda x: bijector.apply(variables, x, method="inverse_and_log_det")),
    )


def slogdet(direction, example: jax.Array) -> jax.Array:
    jacobian = jax.jacfwd(lambda e: direction(e[None])[0][0].ravel())(example)
    return jnp.linalg.slogdet(jacobian.reshape(example.size, example.size))[1]


@pytest.mark.parametrize("name", TABLE)
def test_is_a_bijection_with_the_stated_log_dets(name):
    make, shape = TABLE[name]
    bijector, x = make(), data(shape)
    forward, inverse = directions(bijector, randomized(bijector, x))

    z, inverse_log_det = inverse(x)
    x_again, forward_log_det = forward(z)
    np.testing.assert_allclose(x_again, x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(forward_log_det, -inverse_log_det, rtol=0, atol=1e-12)
    assert z.dtype == forward_log_det.dtype == inverse_log_det.dtype == jnp.float64

    noise = jax.random.normal(jax.random.key(3), z.shape, jnp.float64)
    made, made_log_det = forward(noise)
    np.testing.assert_allclose(inverse(made)[0], noise, rtol=0, atol=1e-12)

    for i in range(2):
        np.testing.assert_allclose(inverse_log_det[i], slogdet(inverse, x[i]), rtol=0, atol=1e-10)
        np.testing.assert_allclose(made_log_det[i], slogdet(forward, noise[i]), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", TABLE)
def test_examples_do_not_see_each_other(name):
    make, shape = TABLE[name]
    bijector, x = make(), data(shape)
    _, inverse = directions(bijector, randomized(bijector, x))
    z, log_det = inverse(x)
    changed_z, changed_log_det = inverse(x.at[1:].add(1.0))
    np.testing.assert_allclose(changed_z[0], z[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(changed_log_det[0], log_det[0], rtol=0, atol=1e-12)
    assert jnp.all(jnp.abs(changed_z[1:] - z[1:]).reshape(len(x) - 1, -1).max(1) > 1e-3)


def test_table_has_every_bijector():
    modules = [
        importlib.import_module(f"{jaxgen.bijectors.__name__}.{module.name}")
        for module in pkgutil.iter_modules(jaxgen.bijectors.__path__)
    ]
    defined = {
        cls
        for module in modules
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Bijector) and cls is not Bijector
    }
    assert len(defined) >= 8
    missing = defined - {type(make()) for make, _ in TABLE.values()}
    assert not missing, f"give these a row in TABLE: {missing}"


def test_a_direction_without_closed_form_raises_and_names_itself():
    class OneWay(Bijector):
        def forward_and_log_det(self, z):
            return z, jnp.zeros(len(z))

    with pytest.raises(UserError, match="OneWay has no closed inverse"):
        OneWay().init(jax.random.key(0), jnp.zeros((2, 3)))


@pytest.mark.parametrize(
    ("bijector", "shape", "message"),
    [
        (Squeeze(), (1, 5, 4, 3), "5x4"),
        (Invert(Squeeze()), (1, 2, 2, 3), "channels=3"),
        (dense(), (2, 1), "channels=1"),
        (glow(steps=1, levels=4, width=2), (1, 8, 8, 1), "1x1"),
    ],
)
def test_impossible_shapes_are_refused(bijector, shape, message):
    with pytest.raises(UserError, match=message):
        bijector.init(jax.random.key(0), jnp.zeros(shape))
