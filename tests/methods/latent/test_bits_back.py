"""A VAE's files against its own evidence bound."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import Net, view_of
from jaxgen.likelihoods import bernoulli, discretized_logistic, gaussian
from jaxgen.methods.latent.vae import vae
from jaxgen.training.step import init_state


class Encoder(nn.Module):
    """Two of six numbers in a little noise, of about the prior's mean and variance over all examples."""

    low: float

    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)[:, :2]
        mean = 2 * x - 1 if self.low == 0 else 1.3 * x
        return mean, jnp.broadcast_to(self.param("log_variance", nn.initializers.constant(-2.0), (2,)), mean.shape)


class Decoder(nn.Module):
    """Those two, of its latents, of the others nothing; where a scale is asked for, always the same."""

    outputs: int

    @nn.compact
    def __call__(self, z):
        first = jnp.pad(z / 1.3 if self.outputs == 2 else 3 * z, ((0, 0), (0, 4)))
        rest = jnp.broadcast_to(
            self.param("rest", nn.initializers.constant(-1.0), (self.outputs - 1,)), (len(z), 6, self.outputs - 1)
        )
        return jnp.concatenate([first[..., None], rest], axis=-1).reshape(len(z), 2, 3, 1, -1)


@pytest.mark.quick("levels")
@pytest.mark.parametrize(
    ("likelihood", "outputs", "levels"), [(bernoulli, 1, 2), (discretized_logistic(5), 2, 5)], ids=["binary", "levels"]
)
def test_a_chain_comes_back_and_takes_the_bits_of_the_evidence_bound(likelihood, outputs, levels):
    low = {2: 0, 5: -1}[levels]
    method = vae(Net(Encoder(low)), Net(Decoder(outputs)), likelihood, latent_size=2)
    symbols = np.random.default_rng(0).integers(0, levels, (300, 2, 3, 1)).astype(np.int32)
    images = np.float32(low + symbols * (1 - low) / (levels - 1))
    view = view_of(method, init_state(method, jax.random.key(0), {"image": images[:2]}))
    np.testing.assert_array_equal(method.code.symbols(images), symbols)
    coder = method.code.open(view, (2, 3, 1), 300)
    words = coder.encode(symbols.ravel())
    np.testing.assert_array_equal(coder.decode(words, symbols.size), symbols.ravel())
    nats = [method.evaluate(view, {"image": images}, jax.random.key(i))["negative_elbo_nats"] for i in range(50)]
    bits = np.mean(nats) * 300 / np.log(2)
    spread = np.std(nats) * 300**0.5 / np.log(2)
    assert abs(32 * (len(words) - len(coder._seed)) - bits) < 4 * spread + 64 < 0.3 * bits


def test_continuous_data_has_no_code():
    assert vae(Net(Encoder(-1)), Net(Decoder(2)), gaussian, latent_size=2).code is None
