"""A VAE's own draws against its own probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.core import Net, View
from jaxgen.likelihoods import Likelihood, bernoulli, discretized_logistic
from jaxgen.methods.latent.vae import ancestral_sampler, vae

KEY = jax.random.key(0)


@pytest.mark.parametrize(("mean", "log_scale"), [(0.1, -1.0), (-0.9, -2.0), (1.5, 0.0)])
def test_draws_follow_the_discretized_logistic(mean, log_scale):
    likelihood = discretized_logistic(5)
    outputs = jnp.full(20_000, mean), jnp.full(20_000, log_scale)
    levels = np.linspace(-1, 1, 5)
    draws = np.asarray(likelihood.sample(KEY, *outputs))
    counts = [np.sum(np.isclose(draws, level)) for level in levels]
    expected = np.exp(np.asarray(likelihood.log_prob(levels[:, None], mean, log_scale), np.float64))
    assert stats.chisquare(counts, 20_000 * expected / expected.sum()).pvalue > 1e-3


def test_draws_follow_the_bernoulli():
    draws = bernoulli.sample(KEY, jnp.full(20_000, np.log(3.0)))
    assert set(np.unique(draws)) == {0, 1}
    assert draws.mean() == pytest.approx(0.75, abs=0.015)


class Apart:
    """A network that is nothing but its `apply`."""

    def __call__(self):
        raise NotImplementedError


class Decoder(Apart):
    """x ~ N(z) given z exactly, one pixel: mean z and a logistic of scale 1/10."""

    def apply(self, variables, z):
        return jnp.stack([z, jnp.full_like(z, np.log(0.1))], axis=-1)


def test_ancestral_samples_add_the_pixel_s_noise_to_that_of_the_latent():
    view = View({"decoder": Net(Decoder())}, {"decoder": {}}, {"decoder": {}}, {"decoder": None}, jnp.zeros((), int))
    draws = ancestral_sampler(discretized_logistic(2001), latent_size=1)(view, KEY, 20_000)
    # Within the interval nothing is clipped: P(|x| < 1/2) of a normal plus a logistic, by quadrature.
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    noisy = stats.logistic(nodes, 0.1)
    truth = weights @ (noisy.cdf(0.5) - noisy.cdf(-0.5)) / weights.sum()
    assert np.mean(np.abs(draws) < 0.5) == pytest.approx(truth, abs=0.015)


class Encoder(Apart):
    """z_0 ~ N(1/2, 1/4), and the number 1 as context."""

    def apply(self, variables, x):
        z = jnp.zeros((len(x), 1))
        return z + 0.5, z + np.log(0.25), z + 1.0


class Doubled(Apart):
    """z = 2 z_0 + context: N(2, 1)."""

    def forward_and_log_det(self):
        raise NotImplementedError

    def apply(self, variables, z, context, method):
        return 2 * z + context, jnp.full(len(z), np.log(2.0))


def test_the_bound_takes_its_latent_and_its_divergence_from_the_flow():
    """Posterior N(2, 1) has divergence 2; the likelihood's figure is z itself."""
    nets = {"encoder": Net(Encoder()), "decoder": Net(Decoder()), "posterior": Net(Doubled())}
    itself = Likelihood(lambda x, mean, log_scale: mean[:, 0], lambda mean, _: mean, lambda key, mean, _: mean)
    method = vae(**nets, likelihood=itself, latent_size=1)
    nothing = {name: {} for name in nets}
    view = View(nets, nothing, nothing, dict.fromkeys(nets), jnp.zeros((), int))
    batch = {"image": jnp.zeros((20_000, 1))}
    figures = method.evaluate(view, batch, KEY)
    assert figures["kl_nats"].mean() == pytest.approx(2.0, abs=0.05)
    assert (figures["kl_nats"] - figures["negative_elbo_nats"]).mean() == pytest.approx(2.0, abs=0.03)
    np.testing.assert_allclose(method.latents.encode(view, batch), 2.0)


class Narrow:
    def apply(self, variables, x):
        return jnp.ones_like(x), jnp.full_like(x, np.log(0.25))


def test_the_latent_s_variance_is_the_exponential_of_what_the_encoder_says():
    """E z^2 of N(1, 1/4) is 1.25, and it is 1/2 (1 + 1/4 - 1 + log 4) from the standard normal."""
    nets = {"encoder": Net(Narrow()), "decoder": Net(Decoder())}
    square = Likelihood(lambda x, mean, _: jnp.square(mean[:, 0]), lambda mean, _: mean, lambda key, mean, _: mean)
    method = vae(**nets, likelihood=square, latent_size=1)
    nothing = {name: {} for name in nets}
    view = View(nets, nothing, nothing, dict.fromkeys(nets), jnp.zeros((), int))
    figures = method.evaluate(view, {"image": jnp.zeros((20_000, 1))}, KEY)
    assert -figures["reconstruction_nats"].mean() == pytest.approx(1.25, abs=0.03)
    assert figures["kl_nats"].mean() == pytest.approx((0.25 + np.log(4)) / 2, abs=1e-5)
