"""Depth upscaling by enumeration: a distribution over images, whose coarse part is one of its own."""

import dataclasses
import itertools

import jax
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.methods.autoregressive.depth_upscaling import depth_upscaled
from jaxgen.models.autoregressive.transformer import Transformer
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
ALL = np.array(list(itertools.product(range(6), repeat=2)), np.uint8).reshape(-1, 1, 2, 1)
BATCH = {"image": ALL}


@pytest.fixture(scope="module")
def trained():
    net = Net(Transformer(3, width=8, layers=1, heads=2), optax.sgd(0.0))
    method = depth_upscaled(net, event=(1, 2, 1), levels=6, coarse=3)
    view, rng = view_of(method, init_state(method, KEY, BATCH)), np.random.default_rng(0)
    far = jax.tree.map(lambda p: p + rng.normal(0, 0.5, p.shape).astype(p.dtype), view.params)
    return method, dataclasses.replace(view, params=far)


def test_probabilities_of_all_images_are_a_distribution_s_but_for_what_no_pixel_has(trained):
    """The second part has two levels of the model's three: with its third, the sum would be one."""
    method, view = trained
    figures = jax.jit(lambda x: method.evaluate(view, {"image": x}, KEY))(ALL)
    p = np.exp(-np.asarray(figures["nats"], np.float64))
    planes = np.array(list(itertools.product(range(3), repeat=4)), np.int32).reshape(-1, 2, 1, 2, 1)
    every = np.exp(np.asarray(jax.jit(lambda x: view("model", x, method="log_prob"))(planes), np.float64))
    np.testing.assert_allclose(every.sum(), 1, rtol=1e-5)
    possible = (planes[:, 1] < 2).all((1, 2, 3))
    np.testing.assert_allclose(p.sum(), every[possible].sum(), rtol=1e-5)
    # An image's probability is that of its two parts, in whatever order both are listed.
    parts = np.stack([ALL // 2, ALL % 2], 1).reshape(-1, 4)
    listed = {tuple(plane.ravel()): q for plane, q in zip(planes, every, strict=True)}
    np.testing.assert_allclose(p, [listed[tuple(row)] for row in parts], rtol=1e-4)
    np.testing.assert_allclose(figures["bits_per_dim"], figures["nats"] / (2 * np.log(2)), rtol=1e-5)
    loss, aux = jax.jit(lambda x: method.phases[0].loss(view, {"image": x}, KEY))(ALL)
    np.testing.assert_allclose(loss, np.mean(figures["nats"]), rtol=1e-5)
    np.testing.assert_allclose(aux.metrics["bits_per_dim"], np.mean(figures["bits_per_dim"]), rtol=1e-5)


def test_the_coarse_image_is_drawn_first_and_samples_are_images(trained):
    method, view = trained
    drawn = np.asarray(jax.jit(lambda key: method.sample(view, key, 3000))(KEY))
    levels = np.round((drawn + 1) / 2 * 5)
    np.testing.assert_allclose(drawn, levels * 2 / 5 - 1, atol=1e-6)
    # What comes first has the first part's own probabilities, whatever the second would be.
    x = np.zeros((9, 2, 1, 2, 1), np.int32)
    x[:, 0, 0, :, 0] = list(itertools.product(range(3), repeat=2))
    log_p = jax.nn.log_softmax(view("model", x))[:, 0, 0, :, 0]
    coarse = np.exp(np.take_along_axis(np.asarray(log_p), x[:, 0, 0, :], -1)[..., 0].sum(1))
    index = (levels[:, 0, :, 0] // 2) @ [3, 1]
    np.testing.assert_allclose(np.bincount(index.astype(int), minlength=9) / 3000, coarse, atol=0.03)


@pytest.mark.parametrize("coarse", [1, 4, 6])
def test_parts_divide_the_levels(coarse):
    net = Net(Transformer(3, width=8, layers=1, heads=2), optax.sgd(0.0))
    with pytest.raises(UserError, match=f"coarse is {coarse}; make it a divisor of levels 6"):
        depth_upscaled(net, event=(1, 2, 1), levels=6, coarse=coarse)
