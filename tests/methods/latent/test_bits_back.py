"""The files of VAEs, of one level or several, against their own evidence bounds."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.codec import mixture_prior as codec
from jaxgen.core import Net, view_of
from jaxgen.likelihoods import bernoulli, discretized_logistic, gaussian
from jaxgen.methods.latent import priors
from jaxgen.methods.latent.hierarchical import hierarchical_vae
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.ladder import LadderDecoder, LadderEncoder
from jaxgen.models.latent.priors import MixturePrior, PseudoInputs
from jaxgen.models.latent.vdvae import DeepDecoder, DeepEncoder
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
    held(vae(Net(Encoder(low)), Net(Decoder(outputs)), likelihood, latent_size=2), (2, 3, 1), levels, low)


PRIORS = {
    "mixture": lambda: priors.gaussian_mixture(Net(MixturePrior(3, 2))),
    "vamp": lambda: priors.vamp(Net(PseudoInputs(60, low=-1.0))),
}


@pytest.mark.parametrize("prior", PRIORS)
def test_with_a_mixture_for_a_prior_a_chain_takes_the_bound_of_the_whole_mixture(prior):
    made = vae(Net(Encoder(-1)), Net(Decoder(2)), discretized_logistic(5), latent_size=2, prior=PRIORS[prior]())
    assert isinstance(held(made, (2, 3, 1), 5, -1, count=200), codec.MixturePrior)


LADDER = LadderEncoder((3, 2), (4, 4)), LadderDecoder((3, 2), (4, 4), (4, 4, 1), outputs=2)
SHARED = {"sides": (4, 2), "blocks": 1, "width": 8}
DEEP = DeepEncoder(**SHARED), DeepDecoder(**SHARED, latent_channels=2, outputs=2)


@pytest.mark.parametrize("networks", [LADDER, pytest.param(DEEP, marks=pytest.mark.slow)], ids=["ladder", "very deep"])
def test_a_hierarchy_s_chain_comes_back_and_takes_the_bits_of_its_evidence_bound(networks):
    encoder, decoder = networks
    method = hierarchical_vae(Net(encoder), Net(decoder), discretized_logistic(5))
    held(method, (4, 4, 1), 5, -1, count=100)


def test_every_level_is_given_those_above_it():
    encoder, decoder = LADDER
    method = hierarchical_vae(Net(encoder), Net(decoder), discretized_logistic(5))
    symbols = np.arange(16) % 5
    images = np.float32(symbols.reshape(1, 4, 4, 1) / 2 - 1)
    view = view_of(method, jax.jit(lambda: init_state(method, jax.random.key(0), {"image": images}))())
    model = method.code.open(view, (4, 4, 1), 1)._model
    z, passed = [np.float32([2.0, -1.0]), np.float32([1.0, 0.0, 3.0])], []

    def sample(prior, posterior):
        passed.append((prior, posterior))
        return z[len(passed) - 1][None]

    outputs = view("decoder", view("encoder", images), count=1, sample=sample)
    for level, of in enumerate(passed):
        found = model.prior(z[:level]), model.posterior(model.evidence(symbols), z[:level])
        for pair in zip(of, found, strict=True):
            for expected, found_of in zip(*pair, strict=True):
                np.testing.assert_allclose(found_of, expected[0], atol=1e-5)
    image = method.code.symbols(images).ravel()
    log_p = np.log(model.likelihood(z)[np.arange(16), image]).sum()
    expected = discretized_logistic(5).log_prob(images, *jnp.unstack(outputs, axis=-1))[0]
    np.testing.assert_allclose(log_p, expected, rtol=1e-4)


def held(method, event, levels, low, count=300):
    """Codes random images under untrained networks."""
    symbols = np.random.default_rng(0).integers(0, levels, (count, *event)).astype(np.int32)
    images = np.float32(low + symbols * (1 - low) / (levels - 1))
    view = view_of(method, init_state(method, jax.random.key(0), {"image": images[:60]}))
    np.testing.assert_array_equal(method.code.symbols(images), symbols)
    coder = method.code.open(view, event, count)
    words = coder.encode(symbols.ravel())
    np.testing.assert_array_equal(coder.decode(words, symbols.size), symbols.ravel())
    evaluate = jax.jit(lambda key: method.evaluate(view, {"image": images}, key)["negative_elbo_nats"])
    nats = [evaluate(jax.random.key(i)) for i in range(50)]
    bits = np.mean(nats) * count / np.log(2)
    spread = np.std(nats) * count**0.5 / np.log(2)
    assert abs(coder.paid(words) - bits) < 4 * spread + 64 < 0.3 * bits
    return coder


def test_continuous_data_has_no_code():
    assert vae(Net(Encoder(-1)), Net(Decoder(2)), gaussian, latent_size=2).code is None
