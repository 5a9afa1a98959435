"""VQ-VAE in two stages on real digits: codes that are used, and a prior that has learned them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.data.embedded import digits
from jaxgen.layers.vector_quantizer import VectorQuantizer
from jaxgen.likelihoods import bernoulli
from jaxgen.methods.latent.codes import uses
from jaxgen.methods.latent.vq_vae import code_prior, vq_vae
from jaxgen.models.autoregressive.gated_pixelcnn import GatedPixelCNN
from jaxgen.training.stages import carry_over
from jaxgen.training.step import build_step, init_state

ADAM = optax.adam(3e-3)
SHAPE = (8, 8, 1)
BATCH, STEPS = 64, 150


class Grid(nn.Module):
    """Images to 2x2 vectors of `size`."""

    size: int

    @nn.compact
    def __call__(self, x):
        return nn.Conv(self.size, (4, 4), (4, 4))(nn.relu(nn.Conv(16, (3, 3))(x)))


class FromGrid(nn.Module):
    """2x2 vectors to a logit for each pixel."""

    @nn.compact
    def __call__(self, z):
        return nn.Dense(64)(nn.relu(nn.Dense(64)(z.reshape(z.shape[0], -1)))).reshape(-1, *SHAPE, 1)


def quantized(quantizer, size, method=vq_vae, **more):
    nets = {"encoder": Net(Grid(size), ADAM), "quantizer": quantizer, "decoder": Net(FromGrid(), ADAM)}
    return method(**nets, likelihood=bernoulli, **more)


CODEBOOK = Net(VectorQuantizer(16, decay=0.9, restart_below=0.1), streams=("restart",))
PRIOR = {"prior": Net(GatedPixelCNN(16, width=16, layers=2, size=3), ADAM), "event": (2, 2, 1)}


@pytest.fixture(scope="module")
def data():
    """Digits of ink and none, 0 and 1."""
    return digits().map(lambda batch: {"image": (batch["image"] > 7).astype(np.float32)})


def batches(data, steps):
    ids = np.random.default_rng(0).integers(0, len(data.train), (steps, 1, BATCH))
    images = data.train[np.arange(len(data.train))]["image"]
    return {"image": jnp.asarray(images[ids])}


def trained(method, data, state=None, steps=STEPS):
    """The state after some steps and before them, and the last metrics."""
    fed = batches(data, steps)
    start = jax.jit(lambda b: init_state(method, jax.random.key(0), b))({"image": fed["image"][0, 0]})
    start = start if state is None else state
    step = build_step(method)
    run = jax.jit(lambda s, b: jax.lax.scan(lambda s, b: step(s, b, jax.random.key(1)), s, b))
    end, metrics = run(start, fed)
    return start, end, jax.tree.map(lambda x: x[-1], metrics)


def figures(method, state, data):
    held_out = {"image": jnp.asarray(data.test[np.arange(128)]["image"])}
    found = jax.jit(lambda s: method.evaluate(view_of(method, s), held_out, jax.random.key(2)))(state)
    return {name: float(x.mean()) for name, x in found.items()}


@pytest.mark.slow
@pytest.mark.optimized
def test_a_prior_learns_the_codes_of_networks_that_stand_still(data):
    """In two stages: rate and distortion together end below the pixels' own entropy."""
    first = quantized(CODEBOOK, 4)
    _, state, _ = trained(first, data)
    second = quantized(CODEBOOK, 4, code_prior, **PRIOR)
    batch = {"image": batches(data, 1)["image"][0, 0]}
    fresh = jax.jit(lambda b: init_state(second, jax.random.key(5), b))(batch)
    begun = carry_over(state, fresh)
    _, end, _ = trained(second, data, begun)
    for name in ("encoder", "quantizer", "decoder"):
        kept = end.nets[name].params, end.nets[name].variables
        jax.tree.map(np.testing.assert_array_equal, kept, (state.nets[name].params, state.nets[name].variables))
    before, after = figures(second, begun, data), figures(second, end, data)
    assert after["distortion_nats"] == pytest.approx(before["distortion_nats"], rel=1e-6)
    assert after["rate_nats"] < 0.9 * before["rate_nats"]
    images = data.train[np.arange(len(data.train))]["image"].reshape(-1, 64)
    mean = images.mean(0).clip(1e-3, 1 - 1e-3)
    independent = -(mean * np.log2(mean) + (1 - mean) * np.log2(1 - mean)).mean()
    assert after["bits_per_dim"] < independent
    assert after["bits_per_dim"] == pytest.approx(
        (after["rate_nats"] + after["distortion_nats"]) / 64 / np.log(2), rel=1e-5
    )
    samples = jax.jit(lambda s: second.sample(view_of(second, s), jax.random.key(3), 50))(end)
    assert samples.mean(0) == pytest.approx(2 * images.mean(0).reshape(SHAPE) - 1, abs=0.45)

    class Applied:
        """What an evaluation is given."""

        def apply(self, function, *arrays):
            return jax.device_get(function(view_of(second, end), *arrays))

    whole = uses(Applied(), data)
    assert 4 < whole["codes_used"] <= 16
    assert 1 < whole["codes_perplexity"] <= whole["codes_used"]
