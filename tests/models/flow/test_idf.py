"""Integer flows by enumeration: one to one on all small images, probabilities that are a distribution's, and files."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.methods.flow.integer_flow import integer_flow
from jaxgen.models.flow.idf import IDF, rounded
from jaxgen.training.step import init_state

TINY = IDF(5, (2, 2, 1), couplings=3, scales=1, width=4)
ALL = np.array(list(itertools.product(range(5), repeat=4)), np.int32).reshape(-1, 2, 2, 1)


def moved(model):
    """Variables that shift much, to where the prior still has bits to give."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, *model.event), np.int32))
    rng = np.random.default_rng(0)

    def draw(path, p):
        return np.float32(rng.normal(0, 0.5 if path[1].key.startswith("shifts") else 0.1, p.shape))

    return jax.tree_util.tree_map_with_path(draw, shapes)


def test_it_is_one_to_one_on_all_images_of_five_levels_and_within_its_bounds():
    variables = moved(TINY)

    @jax.jit
    def there_and_back(x):
        def run(model, x):
            z = model.to_base(x, model.shift, jnp)[0][0]
            return z, model.to_data(lambda scale, rest: z, model.shift, jnp)

        return TINY.apply(variables, x, method=run)

    z, again = map(np.asarray, there_and_back(np.float32(ALL)))
    np.testing.assert_array_equal(again, ALL)
    np.testing.assert_array_equal(z, np.round(z))
    assert len(np.unique(z.reshape(-1, 4), axis=0)) == 625
    assert TINY.lowest <= z.min() < 0
    assert 4 < z.max() < TINY.lowest + TINY.values


def test_an_image_s_probability_is_the_product_of_its_numbers_and_all_of_them_at_most_one():
    variables = moved(TINY)
    pmf = np.asarray(TINY.apply(variables, 0, None, method="probabilities"))[0].reshape(4, -1)
    np.testing.assert_allclose(pmf.sum(-1), 1, rtol=1e-5)
    p = np.exp(jax.jit(TINY.apply)(variables, ALL))
    assert 1e-4 < p.sum() < 1
    z = TINY.apply(variables, ALL.astype(np.float32), method=lambda m, x: m.to_base(x, m.shift, jnp)[0][0])
    index = np.asarray(z, int).reshape(-1, 4) - TINY.lowest
    np.testing.assert_allclose(p, pmf[np.arange(4), index].prod(-1), rtol=1e-4)


def test_samples_are_as_frequent_as_they_are_probable():
    """Of images that no draw out of range is clipped to: those without the least and the greatest level."""
    variables = moved(TINY)
    count = 40_000
    noise = np.random.default_rng(2).normal(size=(count, 2, 2, 1))
    drawn = np.asarray(jax.jit(lambda x: TINY.apply(variables, x, method="sample"))(noise)).reshape(count, 4)
    inside = ALL[((ALL > 0) & (ALL < 4)).all((1, 2, 3))]
    p = np.exp(np.asarray(jax.jit(TINY.apply)(variables, inside), np.float64))
    codes = 5 ** np.arange(4)
    counts = np.bincount((drawn @ codes).astype(int), minlength=625)[inside.reshape(-1, 4) @ codes]
    often = count * p > 5
    expected = np.append(count * p[often], count * (1 - p[often].sum()))
    assert often.sum() > 10
    assert stats.chisquare(np.append(counts[often], count - counts[often].sum()), expected).pvalue > 1e-3


def test_rounding_is_exact_and_its_gradient_that_of_its_argument():
    x = np.float32([0.4999999, -2.51, 1e6 + 0.3])
    np.testing.assert_array_equal(rounded(x), np.round(x))
    np.testing.assert_array_equal(jax.vmap(jax.grad(rounded))(x), 1)


@pytest.fixture(scope="module")
def two_scales():
    model = IDF(5, (4, 4, 1), couplings=2, scales=2, width=4)
    method = integer_flow(Net(model))
    state = init_state(method, jax.random.key(0), {"image": np.zeros((2, 4, 4, 1), np.uint8)})
    view = view_of(method, state)
    return method, type(view)(**{**vars(view), "params": {"flow": moved(model)["params"]}})


@pytest.mark.slow
def test_files_come_back_and_take_the_model_s_bits(two_scales):
    method, view = two_scales
    images = np.random.default_rng(1).integers(0, 5, (7, 4, 4, 1)).astype(np.int32)
    nats = np.asarray(method.evaluate(view, {"image": images}, jax.random.key(0))["nats"])
    coder = method.code.open(view, (4, 4, 1), 8)
    words = coder.encode(images.ravel())
    np.testing.assert_array_equal(coder.decode(words, images.size), images.ravel())
    assert nats.sum() / np.log(2) - 1 < 32 * len(words) < 1.01 * nats.sum() / np.log(2) + 64


@pytest.mark.slow
def test_samples_are_images_and_functions_of_their_noise(two_scales):
    method, view = two_scales
    draw = jax.jit(lambda key: method.sample(view, key, 50))
    x = np.asarray(draw(jax.random.key(1)))
    np.testing.assert_allclose(2 * x, np.round(2 * x), atol=1e-6)
    assert -1 <= x.min() < x.max() <= 1
    np.testing.assert_array_equal(draw(jax.random.key(1)), x)


def test_images_that_scales_do_not_divide_are_refused():
    with pytest.raises(UserError, match="6x4: scales=2 takes multiples of 4"):
        jax.eval_shape(IDF(5, (6, 4, 1)).init, jax.random.key(0), jnp.zeros((1, 6, 4, 1)))
