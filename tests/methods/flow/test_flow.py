"""Flow methods against the Gaussian that a single actnorm is."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats
from scipy.stats import norm

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.batch_norm import BatchNorm
from jaxgen.core import Net, view_of
from jaxgen.data.transforms import signed_unit
from jaxgen.methods.flow.flow import flow, image_flow
from jaxgen.models.flow.class_prior import ClassPrior
from jaxgen.models.flow.dequantizer import Dequantizer
from jaxgen.training.step import build_step, init_state

X = np.random.default_rng(0).normal([1.0, -2.0], [0.5, 3.0], (512, 2)).astype(np.float32)
KEY = jax.random.key(0)


def test_a_flow_s_figure_is_the_log_likelihood_and_its_samples_follow_the_density():
    method = flow(Net(ActNorm(), optax.sgd(0.0)), event_shape=(2,))
    state = init_state(method, KEY, {"x": X})  # the maximum-likelihood fit, by data-dependent initialization
    truth = stats.norm(X.mean(0), X.std(0)).logpdf(X).sum(1)
    view = view_of(method, state)
    np.testing.assert_allclose(method.evaluate(view, {"x": X}, KEY)["log_likelihood_nats"], truth, rtol=1e-4, atol=1e-4)
    _, metrics = build_step(method)(state, {"x": X[None]}, KEY)
    assert metrics["likelihood/loss"] == pytest.approx(-truth.mean(), rel=1e-5)
    samples = np.asarray(method.sample(view, KEY, 20_000))
    np.testing.assert_allclose(samples.mean(0), X.mean(0), atol=0.1)
    np.testing.assert_allclose(samples.std(0), X.std(0), rtol=0.03)
    z = method.latents.encode(view, {"x": X})
    np.testing.assert_allclose(z, (X - X.mean(0)) / X.std(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(method.latents.decode(view, z, KEY), X, rtol=1e-4, atol=1e-4)


def test_an_image_flow_s_figure_is_bits_of_the_dequantized_levels():
    images = np.random.default_rng(1).integers(0, 4, (2048, 2, 2, 1), np.uint8)
    method = image_flow(Net(ActNorm(), optax.sgd(0.0)), event_shape=(2, 2, 1), levels=4)
    state = init_state(method, KEY, {"image": images})
    bits = np.asarray(method.evaluate(view_of(method, state), {"image": images}, jax.random.key(1))["bits_per_dim"])
    # A uniform density under the Gaussian of its own moments costs log2 sqrt(2 pi e / 12), and the levels 2 bits.
    assert bits.mean() == pytest.approx(0.5 * np.log2(2 * np.pi * np.e / 12) + 2, abs=0.02)
    samples = np.asarray(method.sample(view_of(method, state), KEY, 64))
    assert samples.min() >= -1
    assert samples.max() <= 1
    view = view_of(method, state)
    again = method.latents.decode(view, method.latents.encode(view, {"image": images}), KEY)
    np.testing.assert_allclose(again, signed_unit(4)({"image": images})["image"], atol=1e-5)  # the scale of the data


def test_the_inversion_error_is_the_largest_of_a_batch():
    class Crooked(ActNorm):
        """Its map to data is off by the first number of each example."""

        def forward_and_log_det(self, z):
            x, log_det = super().forward_and_log_det(z)
            return x + x[:, :1, :1], log_det

    images = np.random.default_rng(1).integers(0, 4, (64, 2, 2, 1), np.uint8)
    for bijector, expected, tolerance in ((Crooked(), images[:, 0, 0].max() / 4 + 0.125, 0.125), (ActNorm(), 0, 1e-6)):
        method = image_flow(Net(bijector, optax.sgd(0.0)), event_shape=(2, 2, 1), levels=4, watch_inversion=True)
        assert method.watch is not None
        view = view_of(method, init_state(method, KEY, {"image": images}))
        assert method.watch.compute(view, {"image": images}, KEY) == pytest.approx(expected, abs=tolerance)


def test_a_class_s_own_base_density_fits_it_and_draws_it():
    """Dark images and bright ones: of either the levels cost a bit, of both together two, by any Gaussian's measure."""
    label = np.resize([0, 1], 512)
    images = np.random.default_rng(1).integers(0, 2, (512, 2, 2, 1)) + 2 * label[:, None, None, None]
    batch = {"image": jnp.asarray(images), "label": jnp.asarray(label)}
    net = Net(ClassPrior(ActNorm(), 2), optax.adam(0.03))
    method = image_flow(net, event_shape=(2, 2, 1), levels=4, classes=2)
    state, step = init_state(method, KEY, batch), build_step(method)
    batches = jax.tree.map(lambda x: x[None], batch)
    state, _ = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(s, batches, KEY), s, length=300))(state)
    view = view_of(method, state)
    bits = np.asarray(method.evaluate(view, batch, jax.random.key(1))["bits_per_dim"])
    gaussian = 0.5 * np.log2(2 * np.pi * np.e / 12)  # what a uniform density costs under it
    assert bits.mean() == pytest.approx(gaussian + 1, abs=0.03)
    latents = method.latents.prior(KEY, 4000, None)
    samples = np.asarray(method.latents.decode(view, latents, KEY))
    mean, deviation = -2 / 3, 2 / 3 * 2 / np.sqrt(12)  # of two levels of four, each with its cell
    past = (-1 - mean) / deviation  # where a Gaussian is cut off
    cut = mean * norm.sf(past) - norm.cdf(past) + deviation * norm.pdf(past)
    for value, sign in ((0, 1), (1, -1)):
        assert samples[latents["label"] == value].mean() == pytest.approx(sign * cut, abs=0.02)
    again = method.latents.decode(view, method.latents.encode(view, batch), KEY)
    np.testing.assert_allclose(again, signed_unit(4)(batch)["image"], atol=1e-5)


def test_training_moves_running_averages_and_evaluation_scores_by_them():
    method = flow(Net(BatchNorm(momentum=0.75), optax.sgd(0.0)), event_shape=(2,))
    state = init_state(method, KEY, {"x": X})
    state, _ = build_step(method)(state, {"x": 3 * X[None]}, KEY)
    mean, variance = (0.75 * a + 0.25 * b for a, b in zip(*((y.mean(0), y.var(0)) for y in (X, 3 * X)), strict=True))
    truth = stats.norm(mean, np.sqrt(variance)).logpdf(X[:3]).sum(1)
    scores = method.evaluate(view_of(method, state), {"x": X[:3]}, KEY)["log_likelihood_nats"]
    np.testing.assert_allclose(scores, truth, rtol=1e-4, atol=1e-4)


def test_a_learned_dequantizer_is_initialized_by_the_noise_it_will_see():
    """Were it the dequantized image, its first batch would normalize something else, and at 0 nothing at all."""

    class Moments(Dequantizer):
        @nn.compact
        def forward_and_log_det(self, v, x):
            for name, moment in {"mean": v.mean(), "square": (v**2).mean(), "with": (v * x).mean()}.items():
                self.param(name, lambda _, moment=moment: moment)
            return v, jnp.zeros(len(v))

    images = np.random.default_rng(1).integers(0, 4, (4096, 2, 2, 1), np.uint8) // 3 * 3
    method = image_flow(Net(ActNorm()), event_shape=(2, 2, 1), levels=4, dequantizer=Net(Moments(1, 8)))
    found = init_state(method, KEY, {"image": images}).nets["dequantizer"].params
    for name, moment in {"mean": 1 / 2, "square": 1 / 3, "with": ((images + 0.5) / 4).mean() / 2}.items():
        assert found[name] == pytest.approx(moment, abs=0.01)


@pytest.mark.slow
def test_a_learned_dequantizer_starts_as_uniform_noise_and_tightens_the_bound_on_the_exact_likelihood():
    """All images of 2x2 binary pixels under a fixed Gaussian narrower than a cell, the cells' masses being known."""
    images = np.array(list(np.ndindex(2, 2, 2, 2)), np.uint8).reshape(16, 2, 2, 1)
    mean, std = 0.45, 0.15
    cells = stats.norm(mean, std).cdf([[0.0, 0.5], [0.5, 1.0]])
    exact = -np.log2(np.diff(cells)[:, 0])[images].mean((1, 2, 3))
    flow_net, learned = Net(ActNorm(), optax.sgd(0.0)), Net(Dequantizer(1, 8), optax.adam(0.02))
    plain = image_flow(flow_net, event_shape=(2, 2, 1), levels=2)
    method = image_flow(flow_net, event_shape=(2, 2, 1), levels=2, dequantizer=learned)
    batch = {"image": jnp.tile(images, (64, 1, 1, 1))}

    def start(method):
        state = init_state(method, KEY, batch)
        params = {"shift": jnp.full(1, mean), "log_scale": jnp.log(jnp.full(1, std))}
        return dataclasses.replace(state, nets={**state.nets, "flow": state.nets["flow"].replace(params=params)})

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def bounds(key):
        def bits(method, state):
            return method.evaluate(view_of(method, state), batch, key)["bits_per_dim"].reshape(64, 16)

        state = start(method)
        step = build_step(method)
        trained, _ = jax.lax.scan(lambda s, _: step(s, {"image": batch["image"][None]}, key), state, None, 200)
        return bits(plain, start(plain)), bits(method, state), bits(method, trained)

    uniform, initial, trained = map(np.asarray, bounds(KEY))
    np.testing.assert_allclose(initial, uniform, rtol=1e-4, atol=1e-4)
    errors = trained.std(0) / 8
    assert (trained.mean(0) > exact - 4 * errors).all()
    assert 0 < trained.mean() - exact.mean() < 0.2 * (uniform.mean() - exact.mean())
