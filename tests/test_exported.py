"""Exported functions, deserialized and called, against closed forms and planted answers."""

import dataclasses

import flax.linen as nn
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from jaxgen.bijectors.scaling import Scaling
from jaxgen.core import Net
from jaxgen.exported import PLATFORMS, export
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import priors
from jaxgen.methods.adversarial.cyclegan import cyclegan
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.flow.flow import flow, image_flow
from jaxgen.training.step import init_state

KEY = jax.random.key(0)


class Labelled(nn.Module):
    """Pixels of a label's brightness and of the noise's first number."""

    @nn.compact
    def __call__(self, z, label):
        scale = self.param("scale", nn.initializers.ones, ())
        return jnp.broadcast_to((scale * label + z[:, 0])[:, None, None, None], (len(z), 2, 2, 1))


class Score(nn.Module):
    @nn.compact
    def __call__(self, x, *others):
        return nn.Dense(1)(x.reshape(len(x), -1))[:, 0]


class Shift(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x + self.param("shift", nn.initializers.constant(0.25), ())


class Halved(Scaling):
    """x = z / 2."""

    def forward_and_log_det(self, z):
        return z / 2, jnp.full(len(z), -jnp.log(2.0))

    def inverse_and_log_det(self, x):
        return 2 * x, jnp.full(len(x), jnp.log(2.0))


def called(exported, weights, **inputs):
    """What a program gives that is read back, of weights and inputs alone."""
    program = jax.export.deserialize(bytearray(exported.program))
    assert program.platforms == PLATFORMS
    return program.call(weights, inputs)


def begun(method, batch):
    return init_state(method, KEY, batch)


def spec(**shapes):
    return {name: jax.ShapeDtypeStruct(shape, kind) for name, (shape, kind) in shapes.items()}


def test_a_flow_s_log_density_is_the_closed_form_at_its_averaged_weights():
    method = flow(Net(Scaling(), optax.adam(1.0), ema_decay=0.9), event_shape=(3,))
    state = begun(method, {"x": jnp.zeros((2, 3))})
    log_scale = np.array([0.5, -1.0, 0.0], np.float32)
    state.nets["flow"].ema["log_scale"] = log_scale
    weights, functions = export(method, state, spec(x=((3,), jnp.float32)))
    assert set(functions) == {"sample", "log_prob", "encode", "reconstruct"}
    assert [x.tolist() for x in weights.values()] == [log_scale.tolist()]  # once, and not the optimizer's
    x = np.linspace(-1, 2, 15, dtype=np.float32).reshape(5, 3)
    assert set(functions["log_prob"].inputs) == {"x"}  # no seed: nothing is drawn
    truth = scipy.stats.norm.logpdf(x, scale=np.exp(log_scale)).sum(1)
    for count in (5, 1):
        np.testing.assert_allclose(called(functions["log_prob"], weights, x=x[:count]), truth[:count], rtol=1e-5)
    np.testing.assert_allclose(called(functions["encode"], weights, x=x), x / np.exp(log_scale), rtol=1e-5)
    np.testing.assert_allclose(called(functions["reconstruct"], weights, x=x), x, rtol=1e-5)
    many = called(functions["sample"], weights, seed=np.arange(4000, dtype=np.uint32))
    np.testing.assert_allclose(np.std(many, 0), np.exp(log_scale), rtol=0.05)


def test_a_conditional_gan_is_asked_for_classes_and_brings_no_critic():
    method = gan(
        Net(Labelled(), optax.sgd(1.0)),
        Net(Score(), optax.sgd(1.0)),
        adversarial.non_saturating,
        prior=priors.normal(4),
        classes=3,
    )
    batch = {"image": jnp.zeros((2, 2, 2, 1)), "label": jnp.zeros(2, jnp.int32)}
    fields = spec(image=((2, 2, 1), jnp.float32), label=((), jnp.int32))
    weights, functions = export(method, begun(method, batch), fields)
    assert list(functions) == ["sample"]
    assert list(weights) == ["params/generator/scale"]
    seed, label = np.array([7, 7, 8], np.uint32), np.array([0, 2, 0], np.int32)
    first, brighter, other = called(functions["sample"], weights, seed=seed, label=label)[:, 0, 0, 0]
    assert brighter - first == pytest.approx(2, abs=1e-5)
    assert abs(other - first) > 1e-3


def test_a_translator_takes_the_examples_it_translates():
    method = cyclegan(Net(Shift(), optax.sgd(1.0)), Net(Shift(), optax.sgd(1.0)), Net(Score(), optax.sgd(1.0)))
    image = {"image": jnp.zeros((2, 2, 2, 1))}
    fields = {name: spec(image=((2, 2, 1), jnp.float32)) for name in ("a", "b")}
    weights, functions = export(method, begun(method, {"a": image, "b": image}), fields)
    assert list(functions) == ["translate"]
    assert list(weights) == ["params/a_to_b/shift"]
    assert set(functions["translate"].inputs) == {"a/image"}
    found = called(functions["translate"], weights, **{"a/image": np.full((3, 2, 2, 1), 0.5, np.float32)})
    np.testing.assert_allclose(found, 0.75)


def test_what_a_platform_has_not_is_said_and_the_rest_is_exported():
    def log_prob(view, batch, key):
        return jnp.sum(jnp.abs(jnp.linalg.eigvals(batch["x"])), -1)  # which no TPU computes

    nowhere = flow(Net(Scaling(), optax.adam(1.0)), event_shape=(3, 3))
    method = dataclasses.replace(nowhere, log_prob=log_prob)
    _, functions = export(method, begun(method, {"x": jnp.zeros((2, 3, 3))}), spec(x=((3, 3), jnp.float32)))
    assert "eig" in functions["log_prob"]
    assert "tpu" in functions["log_prob"]
    assert functions["sample"].program


def test_the_log_probability_of_whole_numbers_is_their_cells_mean_log_density():
    method = image_flow(Net(Halved(), optax.adam(1.0)), event_shape=(1, 1, 1), levels=2)
    pixel = spec(image=((1, 1, 1), jnp.uint8))
    weights, functions = export(method, begun(method, {"image": jnp.zeros((2, 1, 1, 1), jnp.uint8)}), pixel)
    image = np.repeat(np.arange(2, dtype=np.uint8), 500)[:, None, None, None]
    found = called(functions["log_prob"], weights, image=image, seed=np.arange(1000, dtype=np.uint32))
    lower, upper = np.split(np.asarray(found), 2)
    u = np.linspace(0, 1, 100_001)[1:-1] / 2  # a cell's places
    for nats, start in ((lower, 0.0), (upper, 0.5)):
        truth = scipy.stats.norm.logpdf((start + u) / 0.5).mean() - np.log(0.5) - np.log(2)
        assert nats.mean() == pytest.approx(truth, abs=4 * nats.std() / np.sqrt(500))
