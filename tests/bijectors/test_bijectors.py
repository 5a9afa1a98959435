"""Every bijector against one table: inverses, log-determinants against autodiff, independence of the examples."""

import fnmatch
import functools
import importlib
import inspect
import pkgutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special

import jaxgen.bijectors
from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.batch_norm import BatchNorm
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.causal_transformer import CausalTransformer
from jaxgen.bijectors.compose import Chain, Invert, Repeat, Split
from jaxgen.bijectors.conditioner import ConvConditioner, DenseConditioner
from jaxgen.bijectors.coupling import Additive, Affine, Coupling
from jaxgen.bijectors.flatten import Flatten
from jaxgen.bijectors.invertible_conv import InvertibleConv
from jaxgen.bijectors.logit import Logit
from jaxgen.bijectors.lower_triangular import LowerTriangular
from jaxgen.bijectors.permutation import Permutation
from jaxgen.bijectors.planar import Planar
from jaxgen.bijectors.radial import Radial
from jaxgen.bijectors.reverse import Reverse
from jaxgen.bijectors.rotation import Rotation
from jaxgen.bijectors.scaling import Scaling
from jaxgen.bijectors.spline import RationalQuadratic
from jaxgen.bijectors.squeeze import Checkerboard, Squeeze
from jaxgen.errors import UserError
from jaxgen.layers.made import MADE
from jaxgen.losses.flow import log_likelihood
from jaxgen.models.flow.class_prior import ClassPrior
from jaxgen.models.flow.dequantizer import Dequantizer
from jaxgen.models.flow.glow import glow
from jaxgen.models.flow.iaf import iaf
from jaxgen.models.flow.jet import jet
from jaxgen.models.flow.maf import image_maf, maf
from jaxgen.models.flow.nice import nice
from jaxgen.models.flow.realnvp import image_realnvp, realnvp
from jaxgen.models.flow.tarflow import tarflow


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
    "coupling spline": (lambda: dense(transform=RationalQuadratic(bins=4)), (4,)),
    "coupling swapped": (lambda: dense(swap=True), (5,)),
    "coupling conv": (lambda: Coupling(ConvConditioner(3)), (3, 4, 2)),
    "planar": (Planar, (4,)),
    "planar image": (Planar, (2, 2, 3)),
    "radial": (Radial, (4,)),
    "radial image": (Radial, (2, 2, 3)),
    "autoregressive affine": (lambda: Autoregressive(MADE((8,))), (5,)),
    "autoregressive additive": (lambda: Autoregressive(MADE(()), Additive()), (3,)),
    "batch_norm vector": (BatchNorm, (3,)),
    "batch_norm image": (BatchNorm, (2, 3, 2)),
    "reverse": (Reverse, (5,)),
    "permutation vector": (Permutation, (5,)),
    "permutation image": (Permutation, (2, 3, 4)),
    "rotation vector": (Rotation, (5,)),
    "rotation image": (Rotation, (2, 3, 4)),
    "logit": (Logit, (2, 3, 1)),
    "logit wide": (lambda: Logit(alpha=0.05), (4,)),
    "scaling vector": (Scaling, (3,)),
    "scaling image": (Scaling, (2, 3, 2)),
    "squeeze": (Squeeze, (4, 6, 2)),
    "squeeze by 3": (lambda: Squeeze(factor=3), (3, 6, 1)),
    "checkerboard": (Checkerboard, (1, 2, 8)),
    "flatten": (lambda: Flatten((2, 3, 1)), (2, 3, 1)),
    "invert": (lambda: Invert(dense()), (4,)),
    "unsqueeze": (lambda: Invert(Squeeze()), (2, 3, 8)),
    "split": (lambda: Split(InvertibleConv()), (2, 2, 5)),
    "chain": (lambda: Chain((ActNorm(), InvertibleConv(), dense(), dense(swap=True))), (4,)),
    "repeat": (lambda: Repeat(Chain((ActNorm(), InvertibleConv(), dense())), 3), (4,)),
    "glow": (lambda: glow(steps=2, levels=2, width=4), (4, 4, 2)),
    "glow additive": (lambda: glow(steps=1, levels=1, width=4, transform=Additive()), (4, 2, 1)),
    "glow permuted": (lambda: glow(steps=2, levels=1, width=4, mix=Permutation), (2, 2, 1)),
    "maf": (lambda: maf(2, (6,)), (4,)),
    "iaf": (lambda: Invert(maf(2, (6,))), (4,)),
    "nice": (lambda: nice(2, (6,)), (5,)),
    "realnvp": (lambda: realnvp(2, (6,)), (5,)),
    "image maf": (lambda: image_maf((2, 2, 1), 1, (6,), 1e-3), (2, 2, 1)),
    "image realnvp": (lambda: image_realnvp(1, 1, 4), (2, 4, 1)),
    "coupling conditional": (lambda: dense(conditional=True), (4,)),
    "autoregressive conditional": (lambda: Autoregressive(MADE((8,)), conditional=True), (4,)),
    "repeat conditional": (lambda: Repeat(Chain((ActNorm(), dense(conditional=True))), 2), (4,)),
    "split conditional": (lambda: Split(Invert(dense(conditional=True))), (4,)),
    "class prior": (lambda: ClassPrior(dense(), 3), (4,)),
    "iaf posterior": (lambda: iaf(2, (6,)), (4,)),
    "dequantizer": (lambda: Dequantizer(1, 4), (2, 4, 1)),
    "lower_triangular": (LowerTriangular, (4,)),
    "causal transformer": (lambda: CausalTransformer(4, 2, 2), (3, 2)),
    "causal transformer conditional": (lambda: CausalTransformer(4, 1, classes=3, reverse=True), (3, 2)),
    "causal transformer guided": (lambda: CausalTransformer(4, 1, classes=3, guidance=0.5), (3, 2)),
    "tarflow": (lambda: tarflow((4, 4, 1), patch=2, flows=2, width=4, layers=1), (4, 4, 1)),
    "jet": (lambda: jet(patch=2, couplings=2, width=4, layers=1), (4, 2, 1)),
}

# What conditional rows are given: an array of a shape, or labels below a number.
CONDITIONS = {
    "coupling conditional": (3,),
    "autoregressive conditional": (3,),
    "repeat conditional": (3,),
    "split conditional": (3,),
    "class prior": 3,
    "iaf posterior": (3,),
    "dequantizer": (2, 4, 1),
    "lower_triangular": (6,),
    "causal transformer conditional": 3,
    "causal transformer guided": 3,
}


def given(name: str, count: int, dtype=np.float64) -> tuple:
    """The condition of so many examples, where there is one."""
    rng = np.random.default_rng(7)
    match CONDITIONS.get(name):
        case None:
            return ()
        case int(classes):
            return (rng.integers(0, classes, 2048)[:count],)
        case shape:
            return (rng.uniform(size=(2048, *shape))[:count].astype(dtype),)


# How far parameters move from their initial values, where 0.2 makes the map too ill-conditioned to test. The condition
# of glow's Jacobian is 10 to 64 at 0.05, up to 2e8 at 0.1 and up to 3e14 at 0.2, and round-trip errors grow with it.
PERTURBATION = {
    "glow": 0.05,
    "glow permuted": 0.05,
    "image realnvp": 0.05,
    "dequantizer": 0.02,
    "tarflow": 0.05,
    "jet": 0.05,
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


# Where a row's data lie, where that is not the whole line.
DOMAIN = dict.fromkeys(("logit", "logit wide", "image maf", "dequantizer"), special.expit)
BASE = {"dequantizer": special.expit}  # and its noise


def data(name: str, count: int, rng: np.random.Generator) -> np.ndarray:
    return DOMAIN.get(name, np.asarray)(0.5 + 2.0 * rng.standard_normal((count, *TABLE[name][1])))


@functools.cache
def initial(name: str) -> dict:
    """Variables of a row, initialized on many examples: a statistic of a few can be near zero."""
    examples = data(name, 64, np.random.default_rng(0))
    with jax.enable_x64(True):
        variables = jax.jit(TABLE[name][0]().init)(jax.random.key(1), examples, *given(name, len(examples)))
    return {"params": {}, **jax.tree.map(np.asarray, variables)}


def moved(name: str) -> dict:
    """The same with every parameter off its initial value."""
    variables, scale, rng = initial(name), PERTURBATION.get(name, 0.2), np.random.default_rng(1)
    params = jax.tree.map(lambda p: p + scale * rng.standard_normal(p.shape), variables["params"])
    return {**variables, "params": params}


@functools.cache
def evaluated(name: str) -> tuple:
    """A row of the table on four examples: both round trips, and the way to the base with derivatives by the first.

    What holds of one direction and of the round trips, whose log-determinants are opposite, holds of the other.
    """
    bijector, variables, rng = TABLE[name][0](), moved(name), np.random.default_rng(2)
    forward, inverse = (
        functools.partial(bijector.apply, variables, method=f"{direction}_and_log_det")
        for direction in ("forward", "inverse")
    )

    def with_derivatives(batch):
        def of_first(example):
            y, log_det = inverse(batch.at[0].set(example), *given(name, 4))
            return (y, log_det), (y, log_det)

        return jax.jacfwd(of_first, has_aux=True)(batch[0])

    to_base, to_data = jax.jit(with_derivatives), jax.jit(lambda noise: forward(noise, *given(name, 4)))
    x = data(name, 4, rng)
    jacobian, (z, log_det) = to_base(x)
    noise = BASE.get(name, np.asarray)(rng.standard_normal(z.shape))
    made, forward_log_det = to_data(noise)
    x_again, opposite_log_det = to_data(z)
    _, (noise_again, log_det_of_made) = to_base(made)
    there_and_back = (x_again, x), (noise_again, noise)
    opposite = (opposite_log_det, -log_det), (forward_log_det, -log_det_of_made)
    return (*there_and_back, *opposite), (log_det, *jacobian)


# Compositions, and a second of a kind, whose compilation takes long: `evaluated` compiles once for all three tests.
COMPOSED = (
    "glow*",
    "image realnvp",
    "image maf",
    "causal transformer *",
    "tarflow",
    "jet",
    "repeat conditional",
    "planar image",
    "radial image",
    "rotation image",
    "permutation image",
    "coupling affine tight",
    "autoregressive additive",
    "chain",
    "realnvp",
    "nice",
    "iaf",
)
EACH = [name for name in TABLE if not any(fnmatch.fnmatchcase(name, composed) for composed in COMPOSED)]


@pytest.mark.quick(*EACH)
@pytest.mark.parametrize("name", TABLE)
def test_each_direction_undoes_the_other(name):
    for actual, expected in evaluated(name)[0]:
        assert actual.dtype == jnp.float64
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max()))


@pytest.mark.quick(*EACH)
@pytest.mark.parametrize("name", TABLE)
def test_log_det_is_the_jacobians(name):
    log_det, jacobian, _ = evaluated(name)[1]
    size = jacobian[0].size
    first = np.asarray(jacobian[0]).reshape(int(size**0.5), -1)
    assert log_det.dtype == jnp.float64
    np.testing.assert_allclose(log_det[0], np.linalg.slogdet(first)[1], rtol=0, atol=1e-11)


@pytest.mark.quick(*EACH)
@pytest.mark.parametrize("name", TABLE)
def test_examples_do_not_see_each_other(name):
    """Nothing of the other examples depends on the first, which itself moves."""
    _, jacobian, log_det_gradient = evaluated(name)[1]
    np.testing.assert_array_equal(jacobian[1:], 0.0)
    np.testing.assert_array_equal(log_det_gradient[1:], 0.0)


def narrowed(variables: dict) -> dict:
    """The same in float32, which is how networks train."""
    return jax.tree.map(lambda v: v.astype(np.float32) if v.dtype == np.float64 else v, variables)


# Roundings allowed on the way of noise: a spline's slope, by which they count, changes much within a thousandth.
ROUNDINGS = {"coupling spline": 40.0}


@functools.cache
def maps(name: str) -> list:
    """To base and to data, compiled once for all parameters: `(variables, [64, ...]) -> [64, ...]`."""

    def run(method: str, variables: dict, x: jax.Array) -> jax.Array:
        return TABLE[name][0]().apply(variables, x, *given(name, len(x), x.dtype), method=method)[0]

    return [jax.jit(functools.partial(run, f"{direction}_and_log_det")) for direction in ("inverse", "forward")]


def assert_returns(there, back, variables, x, roundings: float = 10.0) -> np.ndarray:
    """A round trip in float32 loses no more than some roundings on the way would; its error `[64]`.

    What a rounding on the way comes to is the map's condition, which `back` from a thousandth off shows: so far that
    what it rounds itself does not count.
    """
    eps, nudge = np.finfo(np.float32).eps, 1e-3

    def largest(x):
        return np.abs(x).reshape(len(x), -1).max(1)

    y = np.asarray(there(variables, x))
    again = np.asarray(back(variables, y))
    assert y.dtype == again.dtype == np.float32
    off = nudge * np.random.default_rng(3).choice([-1, 1], y.shape) * largest(y).reshape(-1, *[1] * (y.ndim - 1))
    rounding = eps / nudge * largest(back(variables, np.float32(y + off)) - again)
    np.testing.assert_array_less(largest(again - x), roundings * (rounding + eps * largest(x)))
    return largest(again - x)


@pytest.mark.quick("*vector", "coupling *", "planar", "glow additive", "image maf")
@pytest.mark.parametrize("name", [name for name in TABLE if name not in BASE])  # whose noise may be moved anywhere
def test_round_trips_in_float32_keep_what_the_condition_leaves(name):
    """Of data, and of noise where data may lie anywhere, within ±10: far out of what the rows are initialized on."""
    rng = np.random.default_rng(0)
    with jax.enable_x64(False):
        (to_base, to_data), variables = maps(name), narrowed(moved(name))
        x = np.float32(DOMAIN.get(name, np.asarray)(rng.uniform(-10, 10, (64, *TABLE[name][1]))))
        assert_returns(to_base, to_data, variables, x)
        if name not in DOMAIN:
            noise = np.float32(rng.uniform(-10, 10, to_base(variables, x).shape))
            assert_returns(to_data, to_base, variables, noise, ROUNDINGS.get(name, 10.0))


VECTORS = [name for name, (_, shape) in TABLE.items() if len(shape) == 1]


def curve(size: int, rng: np.random.Generator) -> np.ndarray:
    """A noisy closed curve in `size` dimensions of different scales, `[2048, size]`."""
    angle, index = rng.uniform(0, 2 * np.pi, (2048, 1)), np.arange(size)
    x = np.cos(angle * (1 + index % 2) + index) + 0.1 * rng.standard_normal((2048, size))
    return x * np.linspace(0.5, 2, size) + 1


@pytest.mark.slow
@pytest.mark.parametrize("name", VECTORS)
def test_a_thousand_steps_of_training_leave_it_invertible(name):
    with jax.enable_x64(False):
        bijector, variables, rng = TABLE[name][0](), narrowed(initial(name)), np.random.default_rng(0)
        x = np.float32(DOMAIN.get(name, np.asarray)(curve(*TABLE[name][1], rng)))
        params, variables = variables["params"], {k: v for k, v in variables.items() if k != "params"}
        adam = optax.flatten(optax.adam(0.01))

        def loss(params, variables, batch):
            (z, log_det), averages = bijector.apply(
                {"params": params, **variables}, batch, *given(name, 64, np.float32), mutable=["batch_stats"]
            )
            return -jnp.mean(log_likelihood(z, log_det)), {**variables, **averages}

        def step(carry, batch):
            params, variables, state = carry
            (value, variables), gradient = jax.value_and_grad(loss, has_aux=True)(params, variables, batch)
            updates, state = adam.update(gradient, state)
            return (optax.apply_updates(params, updates), variables, state), value

        if params:
            train = jax.jit(lambda carry, batches: jax.lax.scan(step, carry, batches))
            batches = x[rng.integers(0, len(x), (1000, 64))]
            (params, variables, _), history = train((params, variables, adam.init(params)), batches)
            assert np.isfinite(history).all()
            assert history[-50:].mean() < history[:50].mean() + 0.2  # some start at their optimum
        trained = {"params": params, **variables}
        to_base, to_data = maps(name)
        assert assert_returns(to_base, to_data, trained, x[:64]).max() <= 1e-4
        noise = np.float32(rng.standard_normal((64, *TABLE[name][1])))
        assert_returns(to_data, to_base, trained, noise, ROUNDINGS.get(name, 10.0))


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_reaches_every_bijector(name):
    """Other conditions make other data of the same noise, and the examples' conditions are their own."""
    bijector, variables, rng = TABLE[name][0](), moved(name), np.random.default_rng(2)
    noise = BASE.get(name, np.asarray)(rng.standard_normal((4, *TABLE[name][1])))
    (condition,) = given(name, 4)
    other = condition.copy()
    other[0] = 1 - condition[0] if condition.dtype == float else (condition[0] + 1) % CONDITIONS[name]
    forward = jax.jit(lambda condition: bijector.apply(variables, noise, condition, method="forward_and_log_det")[0])
    x, y = forward(condition), forward(other)
    changed = np.abs(np.asarray(x - y)).reshape(4, -1).max(1)
    assert changed[0] > 1e-3
    np.testing.assert_array_equal(changed[1:], 0.0)


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
        (dense(conditional=True), (2, 4), "Coupling takes a condition, and got none"),
        (Chain((ActNorm(), ClassPrior(dense(), 2))), (2, 4), "Chain takes a condition, and got none"),
        (Repeat(dense(conditional=True), 2, "reversible"), (2, 4), "Repeat takes a condition, and got none"),
    ],
)
def test_impossible_shapes_are_refused(bijector, shape, message):
    with pytest.raises(UserError, match=message):
        jax.eval_shape(bijector.init, jax.random.key(0), jnp.zeros(shape))
