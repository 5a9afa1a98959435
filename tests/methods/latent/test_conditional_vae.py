"""A conditional VAE against the linear-Gaussian model whose conditional density and posterior are known."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.core import Net, view_of
from jaxgen.likelihoods import gaussian
from jaxgen.methods.latent.conditional_vae import conditional_vae
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
W = np.diag([1.5, 0.7])  # orthogonal columns: the posterior's covariance is diagonal
MEANS = np.array([[2.0, -1.0], [0.0, 3.0], [-2.0, 0.5]])  # by class
VARIANCE = 0.3
COVARIANCE = W @ W.T + VARIANCE * np.eye(2)


class Decoder(nn.Module):
    """x ~ N(W z + the class's mean, 0.3)."""

    @nn.compact
    def __call__(self, z, label):
        mean = z @ W.T + jnp.asarray(MEANS)[label]
        return jnp.stack([mean, jnp.full_like(mean, np.log(VARIANCE))], -1).reshape(-1, 1, 2, 1, 2)


class Encoder(nn.Module):
    """The exact posterior, given the class."""

    size: int = 2

    @nn.compact
    def __call__(self, x, label):
        precision = 1 + np.diag(W) ** 2 / VARIANCE
        mean = (x.reshape(-1, 2) - jnp.asarray(MEANS)[label]) * np.diag(W) / VARIANCE / precision
        return mean[:, : self.size], jnp.broadcast_to(-np.log(precision), mean.shape)[:, : self.size]


@pytest.fixture
def fitted(x64):
    method = conditional_vae(Net(Encoder()), Net(Decoder()), gaussian, latent_size=2, classes=3)
    rng = np.random.default_rng(0)
    label = np.arange(30) % 3
    x = MEANS[label] + rng.multivariate_normal(np.zeros(2), COVARIANCE, 30)
    batch = {"image": x.reshape(-1, 1, 2, 1), "label": label}
    return method, view_of(method, init_state(method, KEY, batch)), batch


def test_at_the_posterior_every_draw_s_weight_is_the_density_given_the_class(fitted):
    method, view, batch = fitted
    truth = [
        stats.multivariate_normal(MEANS[c], COVARIANCE).logpdf(x)
        for x, c in zip(batch["image"].reshape(-1, 2), batch["label"], strict=True)
    ]
    weights = jax.jit(lambda key: method.evidence.log_weight(view, batch, key))(KEY)
    np.testing.assert_allclose(weights, truth, rtol=1e-9)
    another = {**batch, "label": (batch["label"] + 1) % 3}
    sampled = jax.jit(jax.vmap(lambda key: method.evaluate(view, batch, key)["negative_elbo_nats"]))
    nats = sampled(jax.random.split(KEY, 4000))  # whose mean is the negative evidence: nothing is lost
    errors = (nats.mean(0) + np.array(truth)) / (nats.std(0) / 4000**0.5)
    assert np.abs(errors).max() < 5
    figures = method.evaluate(view, batch, KEY)
    np.testing.assert_allclose(figures["bits_per_dim"], figures["negative_elbo_nats"] / 2 / np.log(2))
    np.testing.assert_allclose(figures["kl_nats"] + figures["reconstruction_nats"], figures["negative_elbo_nats"])
    assert (method.evaluate(view, another, KEY)["negative_elbo_nats"] > nats.mean(0)).mean() > 0.9


def test_samples_are_of_the_classes_that_are_asked_for_and_freely_of_each_as_often(fitted):
    method, view, batch = fitted
    latents = method.latents.prior(KEY, 3000, None)
    counts = np.bincount(latents["label"], minlength=3)
    assert stats.chisquare(counts).pvalue > 1e-3
    drawn = np.asarray(method.latents.decode(view, latents, KEY)).reshape(-1, 2)
    for c in range(3):
        of_class = drawn[latents["label"] == c]
        assert stats.kstest((of_class[:, 0] - MEANS[c, 0]) / W[0, 0], "norm").pvalue > 1e-3
    given = method.latents.prior(KEY, 30, batch)
    np.testing.assert_array_equal(given["label"], batch["label"])
    back = method.latents.decode(view, method.latents.encode(view, batch), KEY)
    assert np.mean((back - batch["image"]) ** 2) < 0.3 < np.mean((drawn[:30] - batch["image"].reshape(-1, 2)) ** 2)


def test_what_is_simulated_is_of_the_model_s_joint_distribution(fitted):
    method, view, _ = fitted
    z, batch = jax.jit(lambda key: method.evidence.draw(view, key, 6000))(KEY)
    assert stats.chisquare(np.bincount(batch["label"], minlength=3)).pvalue > 1e-3
    for axis in range(2):
        assert stats.kstest(z[:, axis], "norm").pvalue > 1e-3
    noise = batch["image"].reshape(-1, 2) - z @ W - MEANS[batch["label"]]
    for axis in range(2):
        assert stats.kstest(noise[:, axis] / VARIANCE**0.5, "norm").pvalue > 1e-3
    joint = sum(method.evidence.log_joint(view, batch, z))
    of_noise = stats.norm(scale=VARIANCE**0.5).logpdf(noise).sum(1)
    np.testing.assert_allclose(joint, stats.norm.logpdf(z).sum(1) + of_noise, rtol=1e-9)


def test_an_encoder_of_another_size_is_refused(fitted):
    _, _, batch = fitted
    method = conditional_vae(Net(Encoder(1)), Net(Decoder()), gaussian, latent_size=2, classes=3)
    with pytest.raises(ValueError, match="latent_size is 2, but Encoder gives 1"):
        init_state(method, KEY, batch)
