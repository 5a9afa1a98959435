"""Methods against exact answers: a linear VAE at its posterior, wake-sleep against the sum over all states."""

import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, View
from jaxgen.data.embedded import digits
from jaxgen.likelihoods import gaussian
from jaxgen.losses import estimators, ppca
from jaxgen.losses.ancestral import Draw, Replay
from jaxgen.losses.variational import bernoulli_log_prob
from jaxgen.methods.latent.autoencoder import autoencoder
from jaxgen.methods.latent.discrete_vae import discrete_vae
from jaxgen.methods.latent.iwae import iwae
from jaxgen.methods.latent.wake_sleep import reweighted_wake_sleep, wake_sleep
from jaxgen.models.latent.linear import LinearDecoder, LinearEncoder
from jaxgen.models.latent.sbn import RecognitionNet, SigmoidBeliefNet

SGD = optax.sgd(0.1)


def view_with(method, params):
    nothing = {name: {} for name in params}
    return View(method.nets, params, nothing, dict.fromkeys(params), jnp.zeros((), int))


@pytest.fixture(scope="module")
def pixels():
    train = digits().train
    return train[np.arange(len(train))]["image"].reshape(-1, 64).astype(float)


@pytest.mark.slow
def test_at_the_posterior_every_bound_is_the_likelihood_and_dreg_s_encoder_stands_still(x64, pixels):
    model = ppca.fit(pixels, latent_size=3)
    offset, covariance = ppca.posterior(np.zeros((1, 64)), model)
    slope = ppca.posterior(np.eye(64), model)[0] - offset
    params = {
        "encoder": {"mean": {"kernel": slope, "bias": offset[0]}, "log_variance": jnp.log(jnp.diag(covariance))},
        "decoder": {
            "mean": {"kernel": model.weights.T, "bias": model.mean},
            "log_variance": jnp.log(model.noise_variance),
        },
    }
    nets = {"encoder": Net(LinearEncoder(3), SGD), "decoder": Net(LinearDecoder((64,)), SGD)}
    settings = {"likelihood": gaussian, "latent_size": 3, "draws": 4, "evaluation_draws": 20}
    batch = {"image": jnp.asarray(pixels[:6])}
    truth = -np.asarray(ppca.log_prob(pixels[:6], model))

    def slopes(method):
        def loss(params):
            value, aux = method.phases[0].loss(view_with(method, params), batch, jax.random.key(0))
            return value, aux.metrics

        slopes, metrics = jax.jit(jax.grad(loss, has_aux=True))(params)
        np.testing.assert_allclose(metrics["effective_draws"], 4, rtol=1e-9)  # where all weights are alike
        return slopes

    plain = iwae(**nets, **settings)
    figures = jax.jit(lambda p: plain.evaluate(view_with(plain, p), batch, jax.random.key(1)))(params)
    np.testing.assert_allclose(figures["iw_nats"], truth, rtol=1e-9)
    usual, doubled = slopes(plain), slopes(iwae(**nets, **settings, doubly_reparametrized=True))
    largest = [max(np.abs(leaf).max() for leaf in jax.tree.leaves(s["encoder"])) for s in (usual, doubled)]
    assert largest[1] < 1e-9 < 1e-3 < largest[0]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9), usual["decoder"], doubled["decoder"]
    )


HIDDEN, EVENT = (3, 2), (2, 2)


def all_bits(n):
    return np.array(list(itertools.product([0.0, 1.0], repeat=n)))


@pytest.fixture(scope="module")
def belief():
    """Networks with random weights, their enumerated log p(x, z) and log q(z|x), and all states."""
    nets = {"generative": SigmoidBeliefNet(HIDDEN, EVENT), "recognition": RecognitionNet(HIDDEN)}
    states = all_bits(9)  # three and two latents, four pixels
    layers, x = [states[:, :3], states[:, 3:5]], states[:, 5:].reshape(-1, *EVENT)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        draw = Draw(jax.random.key(0))
        shapes = {
            "generative": jax.eval_shape(lambda: nets["generative"].init(draw.key, lead=(1,), sample=Draw(draw.key))),
            "recognition": jax.eval_shape(lambda: nets["recognition"].init(draw.key, x, sample=Draw(draw.key))),
        }
        params = jax.tree.map(lambda leaf: jnp.asarray(0.6 * rng.normal(size=leaf.shape)), shapes)
        params = {name: tree["params"] for name, tree in params.items()}

    def log_p(params):
        replay = Replay(layers[::-1])
        logits = nets["generative"].apply({"params": params["generative"]}, lead=(512,), sample=replay)
        return replay.log_prob + bernoulli_log_prob(x, logits)

    def log_q(params):
        replay = Replay(layers)
        nets["recognition"].apply({"params": params["recognition"]}, x, sample=replay)
        return replay.log_prob

    return {name: Net(module, SGD) for name, module in nets.items()}, params, log_p, log_q, x


def gradients(method, phase, params, x, count, net):
    """That many gradients of a phase, `[count, parameters]`."""

    def one(key):
        def loss(own):
            view = view_with(method, params | {net: own})
            return method.phases[phase].loss(view, {"image": x}, key)[0]

        return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(jax.grad(loss)(params[net]))])

    return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(1), count)))


def largest_z(drawn, truth):
    truth = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(truth)])
    return np.max(np.abs(drawn.mean(0) - truth) / (drawn.std(0) / np.sqrt(len(drawn)) + 1e-12)), truth


def test_sleep_s_gradient_is_that_of_the_divergence_of_q_from_p(x64, belief):
    nets, params, log_p, log_q, x = belief
    method = wake_sleep(**nets)

    def divergence(own):
        p = log_p(params)
        return jnp.sum(jnp.exp(p) * (p - log_q(params | {"recognition": own})))

    truth = jax.jit(jax.grad(divergence))(params["recognition"])
    z, exact = largest_z(gradients(method, 1, params, x[:20], 1000, "recognition"), truth)
    assert z < 5
    assert np.linalg.norm(exact) > 0.1


def test_wake_s_gradient_is_that_of_the_expected_joint(x64, belief):
    nets, params, log_p, log_q, x = belief
    image = x[7]
    here = np.flatnonzero((x == image).all((1, 2)))
    method = wake_sleep(**nets)

    def loss(own):
        q = jnp.exp(log_q(params)[here])
        return -jnp.sum(q * log_p(params | {"generative": own})[here])

    truth = jax.jit(jax.grad(loss))(params["generative"])
    z, _ = largest_z(gradients(method, 0, params, image[None], 4000, "generative"), truth)
    assert z < 5


def test_a_discrete_vae_climbs_the_bound_of_all_states(x64, belief):
    nets, params, log_p, log_q, x = belief
    images = x[[7, 30]]
    method = discrete_vae(**nets, estimator=functools.partial(estimators.exact, size=5))

    def bound(own):
        q, p = log_q(params | own), log_p(params | own)
        here = [np.flatnonzero((x == image).all((1, 2))) for image in images]
        return -sum(jnp.sum(jnp.exp(q[at]) * (p[at] - q[at])) for at in here) / len(images)

    for net in nets:
        truth = jax.jit(jax.grad(lambda own, net=net: bound({net: own})))(params[net])
        found = gradients(method, 0, params, images, 1, net)[0]
        np.testing.assert_allclose(found, largest_z(found[None], truth)[1], rtol=1e-7, atol=1e-9)


@pytest.mark.slow
def test_reweighting_by_many_draws_gives_the_likelihood_s_gradient_and_the_posterior_s(x64, belief):
    """Of 4,000 draws the two wake phases' are those of log p(x) and of KL(p(z|x) || q(z|x)): to a few per cent."""
    nets, params, log_p, log_q, x = belief
    image = x[7]
    here = (x == image).all((1, 2))
    method = reweighted_wake_sleep(**nets, draws=4000, sleep=False)

    def evidence(own):
        return -jax.nn.logsumexp(jnp.where(here, log_p(params | {"generative": own}), -jnp.inf))

    def forward(own):
        posterior = jax.nn.softmax(jnp.where(here, log_p(params), -jnp.inf))
        return -jnp.sum(posterior * log_q(params | {"recognition": own}))

    for phase, net, loss in ((0, "generative", evidence), (1, "recognition", forward)):
        _, truth = largest_z(np.zeros((2, 1)), jax.jit(jax.grad(loss))(params[net]))
        found = gradients(method, phase, params, image[None], 4, net).mean(0)
        assert np.linalg.norm(found - truth) < 0.06 * np.linalg.norm(truth)


def test_wake_sleep_stands_still_where_no_bound_does(x64):
    """One pixel, the exclusive or of two latents: at the best recognition of its dreams q is not the best of the bound.

    p is the truth, so that log p(x) is at its maximum; q, factorial, cannot be the posterior. Sleep's optimum is then
    uniform bits, and awake the model is moved from the maximum by what that q explains wrongly: wake-sleep, which
    follows no one function, leaves the best model. Reweighted by all states it would stay.
    """
    latents = all_bits(2)
    p_x = np.where(latents[:, 0] != latents[:, 1], 0.95, 0.05)
    dreams = {(x, tuple(z)): 0.25 * (p if x else 1 - p) for z, p in zip(latents, p_x, strict=True) for x in (0, 1)}
    for x in (0, 1):
        weights = np.array([dreams[x, tuple(z)] for z in latents])
        posterior = weights / weights.sum()
        asleep = posterior @ latents  # the factorial q that minimizes KL(p || q) has the posterior's own means
        np.testing.assert_allclose(asleep, [0.5, 0.5])
        q = np.prod(np.where(latents == 1, asleep, 1 - asleep), 1)
        # the wake phase's gradient by the logit of each state's pixel, against the likelihood's
        wake, likelihood = q * (x - p_x), posterior * (x - p_x)
        assert np.abs(wake - likelihood).max() > 0.2


class Linear(nn.Module):
    """A linear map of `[batch, ...]` to `[batch, features]`."""

    features: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.features)(x.reshape(x.shape[0], -1))


def test_a_linear_autoencoder_s_optimum_is_the_principal_components(x64, pixels):
    mean = pixels.mean(0)
    directions = np.linalg.qr(np.asarray(ppca.fit(pixels, latent_size=8).weights))[0]
    method = autoencoder(Net(Linear(8), SGD), Net(Linear(64), SGD))
    params = {
        "encoder": {"Dense_0": {"kernel": jnp.asarray(directions), "bias": jnp.asarray(-mean @ directions)}},
        "decoder": {"Dense_0": {"kernel": jnp.asarray(directions.T), "bias": jnp.asarray(mean)}},
    }
    batch = {"image": jnp.asarray(pixels)}
    loss = lambda p: method.phases[0].loss(view_with(method, p), batch, jax.random.key(0))[0]  # noqa: E731
    value, slope = jax.jit(jax.value_and_grad(loss))(params)
    assert float(value) == pytest.approx(387.318, abs=1e-3)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(slope)) < 1e-8


def test_a_denoising_autoencoder_s_optimum_on_a_gaussian_is_its_score(x64):
    """r(x~) = S (S + s^2 I)^-1 x~ has no gradient but noise, a map that ignores the noise has one."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    covariance, s = root @ root.T, 0.7
    best = covariance @ np.linalg.inv(covariance + s**2 * np.eye(3))
    method = autoencoder(Net(Linear(3), SGD), Net(Linear(3), SGD), noise=s)
    identity = {"Dense_0": {"kernel": jnp.eye(3), "bias": jnp.zeros(3)}}

    def z_of(kernel):
        params = {"encoder": {"Dense_0": {"kernel": jnp.asarray(kernel.T), "bias": jnp.zeros(3)}}, "decoder": identity}

        def one(key):
            x = jax.random.normal(key, (50, 3)) @ root.T
            loss = lambda own: method.phases[0].loss(  # noqa: E731
                view_with(method, params | {"encoder": own}), {"image": x}, jax.random.fold_in(key, 1)
            )[0]
            return jax.grad(loss)(params["encoder"])["Dense_0"]["kernel"].ravel()

        drawn = np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 400)))
        return np.abs(drawn.mean(0) / (drawn.std(0) / np.sqrt(400))).max()

    assert z_of(best) < 5
    assert z_of(np.eye(3)) > 20
