"""A flow's files against the bits of its dequantized images."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxgen.bijectors.compose import Chain
from jaxgen.bijectors.logit import Logit
from jaxgen.core import Net, view_of
from jaxgen.errors import UserError
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.dequantizer import Dequantizer
from jaxgen.models.flow.glow import glow
from jaxgen.models.flow.realnvp import image_realnvp
from jaxgen.training.step import init_state

EVENT, LEVELS = (4, 4, 1), 5
NETWORKS = {"realnvp": image_realnvp(1, 1, 8), "glow": glow(2, 1, 8)}


@pytest.mark.parametrize("network", ["realnvp", pytest.param("glow", marks=pytest.mark.slow)])
def test_a_chain_comes_back_and_takes_the_bits_of_dequantized_images(network):
    method = image_flow(Net(Chain((Logit(), NETWORKS[network]))), event_shape=EVENT, levels=LEVELS)
    rng = np.random.default_rng(0)
    x = np.int32(np.clip(rng.normal(1, 2, (200, 1, 1, 1)) + rng.normal(0, 1, (200, *EVENT)), 0, LEVELS - 1))
    view = view_of(method, init_state(method, jax.random.key(0), {"image": x}))
    noisy = lambda p: p + np.float32(rng.normal(0, 0.02, p.shape))  # noqa: E731 - at first couplings do nothing
    view = dataclasses.replace(view, params=jax.tree.map(noisy, view.params))
    coder = method.code.open(view, EVENT, 200)
    words = coder.encode(method.code.symbols(x).ravel())
    np.testing.assert_array_equal(coder.decode(words, x.size), x.ravel())
    evaluate = jax.jit(lambda key: method.evaluate(view, {"image": x}, key)["bits_per_dim"])
    each = np.array([evaluate(jax.random.key(i)) for i in range(50)]) * x[0].size
    bits, spread = each.mean() * 200, each.std(0).mean() * 200**0.5
    assert abs(coder.paid(words) - bits) < 3 * spread + 64 < 0.03 * bits


def test_what_has_no_uniform_noise_or_is_of_classes_has_no_code():
    net = Net(NETWORKS["realnvp"])
    assert image_flow(net, event_shape=EVENT, levels=LEVELS, classes=3).code is None
    assert image_flow(net, event_shape=EVENT, levels=LEVELS, dequantizer=Net(Dequantizer(1, 4))).code is None


def test_images_of_so_many_numbers_that_nobody_could_wait_are_refused():
    code = image_flow(Net(NETWORKS["realnvp"]), event_shape=(32, 32, 3)).code
    with pytest.raises(UserError, match="images have 3072 numbers; a flow compresses at most 1024"):
        code.open(None, (32, 32, 3), 1)
