"""Auxiliary losses: which layers count when, and that each predicts as a network of so many layers does."""

import dataclasses

import jax
import numpy as np
import optax

from jaxgen.core import Net, view_of
from jaxgen.losses.autoregressive import layer_weights
from jaxgen.methods.autoregressive.deep_supervision import deeply_supervised
from jaxgen.models.autoregressive.character_transformer import CharacterTransformer
from jaxgen.models.autoregressive.transformer import Transformer
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
X = np.random.default_rng(0).integers(0, 3, (4, 6)).astype(np.int32)


def test_a_layer_counts_until_its_share_of_the_training_is_done():
    course = np.array([layer_weights(step, 4, 80) for step in range(80)])
    np.testing.assert_array_equal(course.sum(0), [10, 20, 30, 80])
    assert (np.diff(course, axis=0) <= 0).all()


def test_every_layer_predicts_as_a_transformer_that_ends_there_would():
    deep = CharacterTransformer(3, width=8, layers=3, heads=2)
    variables = jax.jit(deep.init)(KEY, X)
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda p: p + 0.3 * rng.standard_normal(p.shape).astype(np.float32), variables)
    found = jax.jit(lambda v: deep.apply(v, X, method="layer_log_probs"))(variables)
    for layers in (1, 2, 3):
        blocks = jax.tree.map(lambda p, n=layers: p[:n], variables["params"]["blocks"])
        shallow = {"params": {**variables["params"], "blocks": blocks}}
        one = Transformer(3, width=8, layers=layers, heads=2)
        expected = jax.jit(lambda v, one=one: one.apply(v, X, method="log_prob"))(shallow)
        np.testing.assert_allclose(found[layers - 1], expected, rtol=1e-5)
    assert np.abs(np.diff(found, axis=0)).min() > 1e-3


def test_the_loss_is_the_sum_of_those_that_count():
    net = Net(CharacterTransformer(3, width=8, layers=2, heads=2), optax.sgd(0.0))
    method = deeply_supervised(net, event=(6,), field="text", steps=8, levels=3)
    view = view_of(method, init_state(method, KEY, {"text": X}))
    nats = -np.asarray(jax.jit(lambda x: view("model", x, method="layer_log_probs"))(X)).mean(1)
    loss = jax.jit(lambda step: method.phases[0].loss(dataclasses.replace(view, step=step), {"text": X}, KEY))
    for step, expected in ((0, nats.sum()), (1, nats.sum()), (2, nats[1]), (7, nats[1])):
        value, aux = loss(step)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        np.testing.assert_allclose(aux.metrics["bits_per_dim"], nats[1] / 6 / np.log(2), rtol=1e-5)
    figures = jax.jit(lambda x: method.evaluate(view, {"text": x}, KEY))(X)
    np.testing.assert_allclose(np.mean(figures["nats"]), nats[1], rtol=1e-5)
