"""The information that is reported, on a channel whose information is known."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy import stats
from scipy.special import entr

from jaxgen.core import Net, view_of
from jaxgen.data.own import arrays
from jaxgen.experiment import ExperimentFile
from jaxgen.fields import Field
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.infogan import category, infogan, interval
from jaxgen.methods.adversarial.priors import normal
from jaxgen.shipped import find
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
NOISE = 0.1
BATCH = {"image": jnp.zeros((20_000, 2))}


class Channel(nn.Module):
    """A bit that the noise turns over in one of ten cases, and a number that is shown with a fifth of noise."""

    def __call__(self, z, bit, number):
        flip = z[:, 0] < stats.norm.ppf(NOISE)
        return jnp.stack([jnp.where(flip, 1 - bit, bit), number[:, 0] + 0.2 * z[:, 1]], 1).astype(jnp.float32)


class Reader(nn.Module):
    """Reads both through one trunk; with the right weights it gives the bit's posterior."""

    @nn.compact
    def __call__(self, x):
        trunk = nn.Dense(2, use_bias=False, kernel_init=lambda key, *_: jnp.eye(2), name="trunk")(x)
        odds = math.log((1 - NOISE) / NOISE)
        log_odds = self.param("odds", lambda key: jnp.asarray(odds)) * (2 * trunk[:, 0] - 1)
        number = jnp.stack([trunk[:, 1], jnp.full(len(x), 2 * math.log(0.2))], 1)
        return trunk[:, 1], {"bit": jnp.stack([0 * log_odds, log_odds], 1), "number": number}


def game(weight):
    codes = [category("bit", 2), interval("number", weight)]
    return infogan(Net(Channel()), Net(Reader(), optax.sgd(0.1)), adversarial.hinge, noise=normal(2), codes=codes)


@pytest.fixture(scope="module")
def method():
    return game(0.5)


@pytest.mark.slow
def test_at_the_posterior_the_figure_is_the_information_in_nats(method):
    view = view_of(method, init_state(method, KEY, BATCH))
    found = jax.jit(lambda: method.evaluate(view, BATCH, KEY))()
    information = math.log(2) - float(entr(NOISE) + entr(1 - NOISE))
    assert float(found["information_bit_nats"].mean()) == pytest.approx(information, abs=0.02)
    # A Gaussian about what is seen, not cut off at the ends: what is said is the entropy of the noise, and log 2.
    assert float(found["information_number_nats"].mean()) == pytest.approx(
        math.log(2) - stats.norm.entropy(0, 0.2), abs=0.03
    )


def test_who_reads_worse_is_told_less(method):
    view = view_of(method, init_state(method, KEY, BATCH))
    right = float(method.evaluate(view, BATCH, KEY)["information_bit_nats"].mean())
    for odds in (0.0, 1.0, 6.0):
        params = {**view.params["critic"], "odds": jnp.asarray(odds)}
        wrong = dataclasses.replace(view, params={**view.params, "critic": params})
        value = float(method.evaluate(wrong, BATCH, KEY)["information_bit_nats"].mean())
        assert value < right
        assert value == pytest.approx(0, abs=1e-6) if odds == 0 else True


@pytest.mark.parametrize("phase", [0, 1])
def test_what_is_read_counts_by_the_weight_of_its_code(method, phase):
    view = view_of(method, init_state(method, KEY, BATCH))
    (without, aux), (twice, _) = (game(weight).phases[phase].loss(view, BATCH, KEY) for weight in (0.0, 2.0))
    bit, number = (float(aux.metrics[f"information_{name}"]) for name in ("bit", "number"))
    assert float(without - twice) == pytest.approx(2 * number, rel=1e-4)
    assert abs(number - bit) > 0.1


def test_the_trunk_is_moved_by_what_it_reads_in_the_critic_s_phase(method):
    """The recognition network is not the head alone."""
    view = view_of(method, init_state(method, KEY, BATCH))
    (phase,) = (p for p in method.phases if p.name == "critic")

    def loss(params):
        return phase.loss(dataclasses.replace(view, params={**view.params, "critic": params}), BATCH, KEY)[0]

    gradient = jax.jit(jax.grad(loss))(view.params["critic"])
    assert np.abs(gradient["trunk"]["kernel"][0, 0]) > 1e-3  # only the bit's reader looks at that


def test_what_is_read_of_data_are_latents_that_say_the_same(method):
    view = view_of(method, init_state(method, KEY, BATCH))
    images = jnp.array([[0.0, -0.5], [1.0, 0.25]])
    latents = method.latents.encode(view, {"image": images})
    np.testing.assert_array_equal(latents["bit"], [0, 1])
    np.testing.assert_allclose(stats.norm.cdf(latents["number"][:, 0]) * 2 - 1, [-0.5, 0.25], atol=1e-5)
    np.testing.assert_allclose(method.latents.decode(view, latents, KEY), images, atol=1e-5)


def test_slant_is_the_shear_of_an_upright_stroke():
    module = ExperimentFile.load(find("infogan")).module
    stroke = np.full((3, 9, 32, 1), -1.0)
    for image, shear in zip(stroke, (0, 1, -2), strict=True):
        for row in range(9):
            image[row, 15 + shear * (row - 4), 0] = 1
    np.testing.assert_allclose(module.shear(stroke), [0, 1, -2], atol=1e-9)


def test_one_number_that_slants_is_found_whatever_its_sign_and_none_where_nothing_does():
    module = ExperimentFile.load(find("infogan")).module
    row, column = np.meshgrid(np.arange(8.0), np.arange(16.0), indexing="ij")

    class Model:
        def __init__(self, slope):
            self.slope = slope

        def apply(self, function, noise, category, first, second):
            middle = 8 + self.slope * second[:, :, None] * (row - 3.5)
            return (2 * np.exp(-((column - middle) ** 2) / 2) - 1)[..., None]

    assert module.slanted(4, 10, Model(-0.5), None)["slant_correlation"] > 0.99
    noise = np.random.default_rng(1).normal(size=(1000, 8, 16, 1))
    nothing = type("Nothing", (), {"apply": lambda *_: np.tanh(noise)})()
    assert module.slanted(4, 10, nothing, None)["slant_correlation"] < 0.15


def test_the_null_of_categories_is_as_many_clusters_of_pixels():
    """Of images in three planted clusters they are the clusters; with two, a third of the images has none."""
    label = np.arange(90) % 3
    images = label[:, None, None, None] + 0.1 * np.random.default_rng(0).normal(size=(90, 2, 2, 1))
    held = {"images": images[:30], "labels": label[:30]}
    data = arrays(
        images=images / 3, labels=label, test={**held, "images": held["images"] / 3}, fields={"image": Field()}
    )
    of_pixels = ExperimentFile.load(find("infogan")).module.of_pixels
    assert of_pixels(3, None, data) == {"matched_accuracy": 1.0}
    assert of_pixels(2, None, data)["matched_accuracy"] == pytest.approx(2 / 3)
