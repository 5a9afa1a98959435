"""Structured priors against scipy, and a linear decoder's evidence under a mixture, which is a mixture again."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jaxgen.core import Net, View
from jaxgen.likelihoods import gaussian
from jaxgen.losses import tree as crp
from jaxgen.losses.mixture import GaussianMixture
from jaxgen.methods.latent import priors
from jaxgen.methods.latent.iwae import iwae
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.linear import LinearDecoder, LinearEncoder
from jaxgen.models.latent.priors import MixturePrior, PseudoInputs, TreePrior

SGD, RNG = optax.sgd(0.1), np.random.default_rng(0)
MIXTURE = GaussianMixture(np.array([0.3, -1.0, 0.8]), 2 * RNG.normal(size=(3, 2)), 0.5 * RNG.normal(size=(3, 2)))
WEIGHTS = np.exp(MIXTURE.logits) / np.exp(MIXTURE.logits).sum()
W, B, S = RNG.normal(size=(3, 2)), RNG.normal(size=3), 0.8


def density(z, means, covariances):
    parts = zip(WEIGHTS, means, covariances, strict=True)
    return np.log(sum(w * stats.multivariate_normal(m, c).pdf(z) for w, m, c in parts))


def view_with(nets, params):
    nothing = {name: {} for name in params}
    return View(nets, jax.tree.map(jnp.asarray, params), nothing, dict.fromkeys(params), jnp.zeros((), int))


def linear():
    nets = {"encoder": Net(LinearEncoder(2), SGD), "decoder": Net(LinearDecoder((3,)), SGD)}
    params = {
        "encoder": {"mean": {"kernel": 0.4 * W, "bias": -0.4 * B @ W}, "log_variance": np.full(2, 0.4)},
        "decoder": {"mean": {"kernel": W.T, "bias": B}, "log_variance": 2 * np.log(S)},
    }
    return nets, params | {"prior": MIXTURE._asdict()}


def test_a_mixture_s_density_is_scipy_s_and_pseudo_inputs_make_the_same_mixture(x64):
    """An encoder that has the components as its posteriors of three inputs is the mixture itself."""
    z = 2 * RNG.normal(size=(5, 2))
    nets, params = linear()
    own = priors.gaussian_mixture(Net(MixturePrior(3, 2), SGD))
    expected = density(z, MIXTURE.means, [np.diag(np.exp(v)) for v in MIXTURE.log_variances])
    view = view_with({"prior": own.net}, {"prior": MIXTURE._asdict()})
    np.testing.assert_allclose(priors.log_prob(view, own, z), expected, rtol=1e-10)

    made = priors.vamp(Net(PseudoInputs(3), SGD))
    share = RNG.uniform(size=(3, 3))
    inputs = {"logits": MIXTURE.logits, "inputs": np.log(share / (1 - share))}
    view = view_with(nets | {"prior": made.net}, params | {"prior": inputs})
    mean, log_variance = (share - B) @ W * 0.4, np.full(2, 0.4)
    expected = density(z, mean, [np.diag(np.exp(log_variance))] * 3)
    np.testing.assert_allclose(priors.log_prob(view, made, z), expected, rtol=1e-10)


@pytest.fixture(scope="module")
def planted():
    """The linear model's networks with the mixture as prior, images, and log p of them by scipy."""
    nets, params = linear()
    x = np.random.default_rng(1).normal(size=(4, 3))
    covariances = [W @ np.diag(np.exp(v)) @ W.T + S**2 * np.eye(3) for v in MIXTURE.log_variances]
    truth = density(x, MIXTURE.means @ W.T + B, covariances)
    return nets, params, x, truth


def test_weights_under_a_mixture_have_the_evidence_as_their_mean(x64, planted):
    """Of the VAE draw by draw, and of the streamed bound, which with so many draws is the evidence."""
    nets, params, x, truth = planted
    settings = {"likelihood": gaussian, "latent_size": 2, "prior": priors.gaussian_mixture(Net(MixturePrior(3, 2)))}
    weighed = iwae(**nets, **settings, draws=3, evaluation_draws=20_000, chunk=20_000)
    plain, batch = vae(**nets, **settings), {"image": x}
    view = view_with(weighed.nets, params)
    nats = jax.jit(lambda key: weighed.evaluate(view, batch, key)["iw_nats"])(jax.random.key(0))
    np.testing.assert_allclose(nats, -truth, atol=0.03)
    of_draw = jax.jit(jax.vmap(lambda key: plain.evaluate(view, batch, key)["negative_elbo_nats"]))
    draws = np.asarray(of_draw(jax.random.split(jax.random.key(1), 20_000)))
    np.testing.assert_allclose(-np.log(np.exp(-draws).mean(0)), -truth, atol=0.03)
    assert (draws.mean(0) > -truth + 0.03).all()


def test_samples_have_the_mixture_s_moments(x64, planted):
    nets, params, _, _ = planted
    method = vae(**nets, likelihood=gaussian, latent_size=2, prior=priors.gaussian_mixture(Net(MixturePrior(3, 2))))
    view = view_with(method.nets, params)
    x = np.asarray(jax.jit(lambda key: method.sample(view, key, 20_000))(jax.random.key(0)))
    mean = WEIGHTS @ MIXTURE.means
    within = np.diag(WEIGHTS @ np.exp(MIXTURE.log_variances))
    between = (MIXTURE.means - mean).T @ np.diag(WEIGHTS) @ (MIXTURE.means - mean)
    np.testing.assert_allclose(x.mean(0), W @ mean + B, atol=0.05)
    np.testing.assert_allclose(np.cov(x.T), W @ (within + between) @ W.T, atol=0.1)


def test_the_loss_s_slope_by_beta_is_the_divergence(x64, planted):
    nets, params, x, _ = planted
    view, key = view_with(nets, {name: params[name] for name in nets}), jax.random.key(0)

    @jax.jit
    @jax.value_and_grad
    def loss(beta):
        method = vae(**nets, likelihood=gaussian, latent_size=2, beta=lambda step: beta)
        return method.phases[0].loss(view, {"image": x}, key)[0]

    plain = vae(**nets, likelihood=gaussian, latent_size=2)
    value, aux = plain.phases[0].loss(view, {"image": x}, key)
    np.testing.assert_allclose(loss(4.0), (value + 3 * aux.metrics["kl"], aux.metrics["kl"]), rtol=1e-9)


def test_pseudo_inputs_begin_as_images_and_stay_within_their_range():
    images = np.random.default_rng(0).uniform(0, 16, (5, 2, 2, 1))
    module = PseudoInputs(4, high=16.0)
    variables = module.init(jax.random.key(0), images)
    _, inputs = module.apply(variables)
    clipped = np.clip(images, 1.6, 14.4).reshape(5, 4)
    distance = np.abs(np.reshape(inputs, (4, 1, 4)) - clipped).max(-1).min(1)
    np.testing.assert_allclose(distance, 0, atol=1e-4)
    far = jax.tree.map(lambda p: 100 * p, variables)
    _, inputs = module.apply(far)
    assert np.min(inputs) >= 0
    assert np.max(inputs) <= 16


def test_a_tree_that_sees_all_latents_takes_the_sweeps_of_its_process_and_predicts_by_its_leaves(x64):
    z = jnp.asarray(RNG.normal(size=(20, 2)) + 3 * RNG.integers(0, 2, (20, 1)))
    process = crp.Process((2, 2), data_variance=0.5, concentration=1.3)
    module = TreePrior(process, 2, examples=20, decay=0.0)
    variables = module.init(jax.random.key(0), z, method="learn")
    data = crp.Data(z, jnp.zeros(()), jnp.zeros(20, int))
    expected = variables["tree"]["tree"]
    learn = jax.jit(lambda variables: module.apply(variables, z, method="learn", mutable="tree")[1])
    sweep = jax.jit(lambda tree: crp.sweep(data, tree, process)[0])
    for _ in range(3):
        variables, expected = learn(variables), sweep(expected)
    for found, leaf in zip(jax.tree.leaves(variables["tree"]["tree"]), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, leaf, rtol=1e-8)
    mixture = module.apply(variables)
    np.testing.assert_allclose(mixture.means, expected.means[-1])
    drawn = np.random.default_rng(0).beta(*np.moveaxis(expected.sticks[1][0], -1, 0), size=(50_000, 4))
    first = np.random.default_rng(1).beta(*np.moveaxis(expected.sticks[0][0], -1, 0), size=(50_000, 2))
    top = first * np.stack([np.ones(50_000), 1 - first[:, 0]], 1)
    rest = drawn * np.stack([np.ones(50_000), 1 - drawn[:, 0], np.ones(50_000), 1 - drawn[:, 2]], 1)
    np.testing.assert_allclose(np.exp(mixture.logits), (np.repeat(top, 2, 1) * rest).mean(0), atol=0.01)
