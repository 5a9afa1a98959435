"""Three levels of a linear Gaussian chain, of which the evidence is known, and the networks of hierarchies."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jaxgen.core import Net, View
from jaxgen.likelihoods import bernoulli, gaussian
from jaxgen.losses.levels import Gaussian, Levels, merged
from jaxgen.methods.latent.hierarchical import hierarchical_vae
from jaxgen.models.latent.ladder import LadderDecoder, LadderEncoder
from jaxgen.models.latent.vdvae import Bottleneck, DeepDecoder, DeepEncoder

SGD, RNG = optax.sgd(0.1), np.random.default_rng(0)
# z3 ~ N(0, I), z2 | z3 ~ N(a2 z3, v2), z1 | z2 ~ N(a1 z2, v1), x | z1 ~ N(W z1, v0): orthogonal W, all else diagonal.
A2, V2, A1, V1 = np.array([1.5, -0.7]), np.array([0.3, 0.8]), np.array([0.9, 2.0]), np.array([0.5, 0.2])
W, V0 = np.linalg.qr(RNG.normal(size=(4, 2)))[0] * np.array([2.0, 1.2]), 0.4
TOP_TO_X = W * A1 * A2
COVARIANCE = TOP_TO_X @ TOP_TO_X.T + W @ np.diag(A1**2 * V2 + V1) @ W.T + V0 * np.eye(4)
X = RNG.normal(size=(5, 4)) * 2
TRUTH = stats.multivariate_normal(np.zeros(4), COVARIANCE).logpdf(X)


@dataclasses.dataclass
class Evidence:
    """What x says of each level, exactly: `p(x | z_l)` as a normal of z_l; or with the wrong variances."""

    scale: float = 1.0

    def __call__(self):
        raise NotImplementedError

    def apply(self, variables, x, rngs=None, mutable=None):
        found = self.of(x)
        return found if mutable is None else (found, {})

    def of(self, x):
        length = np.sum(W**2, 0)
        mean, variance = x @ W / length, V0 / length
        found = [(mean, variance)]
        for a, v in ((A1, V1), (A2, V2)):
            mean, variance = mean / a, (variance + v) / a**2
            found.append((mean, variance))
        return [Gaussian(m, jnp.broadcast_to(jnp.log(self.scale * v), m.shape)) for m, v in found[::-1]]


class Chain:
    """The model."""

    levels = ((2,), (2,), (2,))

    def __call__(self):
        raise NotImplementedError

    def apply(self, variables, evidence, *, count, sample, rngs=None, mutable=None):
        found = self.of(evidence, count, sample)
        return found if mutable is None else (found, {})

    def of(self, evidence, count, sample):
        def level(depth, mean, variance):
            prior = Gaussian(mean, jnp.broadcast_to(jnp.log(variance), mean.shape))
            return sample(prior, None if evidence is None else merged(prior, evidence[depth]))

        z = level(0, jnp.zeros((count, 2)), np.ones(2))
        z = level(2, A1 * level(1, A2 * z, V2), V1)
        mean = z @ W.T
        return jnp.stack([mean, jnp.full_like(mean, np.log(V0))], -1)


def chain(scale=1.0, **settings):
    method = hierarchical_vae(Net(Evidence(scale), SGD), Net(Chain(), SGD), gaussian, **settings)
    nothing = {"encoder": {}, "decoder": {}}
    return method, View(method.nets, nothing, nothing, dict.fromkeys(nothing), jnp.zeros((), int))


def test_at_the_posterior_every_draw_s_weight_is_the_evidence_and_elsewhere_the_bound_is_lower(x64):
    noise = RNG.normal(size=(3, 5, 2))
    for scale, exact in ((1.0, True), (3.0, False)):
        _, view = chain(scale)
        levels = Levels(noise)
        outputs = view("decoder", view("encoder", X), count=5, sample=levels)
        weights = gaussian.log_prob(X, *jnp.unstack(outputs, axis=-1)) - sum(levels.log_ratios)
        assert np.allclose(weights, TRUTH, rtol=0, atol=1e-9) == exact
        method, _ = chain(scale)
        figures = jax.jit(jax.vmap(lambda key, m=method, v=view: m.evaluate(v, {"image": X}, key)))
        found = figures(jax.random.split(jax.random.key(0), 4000))
        nats = np.asarray(found["negative_elbo_nats"])
        error = 5 * nats.std(0) / np.sqrt(4000)
        assert (np.abs(nats.mean(0) + TRUTH) < error).all() if exact else (nats.mean(0) + TRUTH > error).all()
        assert all(np.min(found[f"kl_nats_{level}"]) >= 0 for level in (1, 2, 3))


def test_free_bits_are_each_level_s_and_beta_weighs_what_is_paid(x64):
    def loss(**settings):
        method, view = chain(**settings)
        value, aux = method.phases[0].loss(view, {"image": X}, jax.random.key(0))
        return value, aux.metrics

    value, metrics = loss()
    np.testing.assert_allclose(value, metrics["kl"] - metrics["log_likelihood"])
    np.testing.assert_allclose(loss(beta=3.0)[0], value + 2 * metrics["kl"])
    np.testing.assert_allclose(loss(free_bits=50.0)[0], 150 - metrics["log_likelihood"])


def test_samples_have_the_model_s_covariance(x64):
    method, view = chain()
    x = np.asarray(jax.jit(lambda key: method.sample(view, key, 40_000))(jax.random.key(0)))
    np.testing.assert_allclose(np.cov(x.T), COVARIANCE - V0 * np.eye(4), atol=0.15)  # means, without x's own noise


def networks(kind) -> tuple[Any, Any]:
    if kind == "ladder":
        return LadderEncoder((4, 3, 2), (8, 8, 8)), LadderDecoder((4, 3, 2), (8, 8, 8), (4, 4, 1))
    return DeepEncoder((4, 2), blocks=1, width=8), DeepDecoder((4, 2), blocks=1, latent_channels=2, width=8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ladder", "very deep"])
def test_every_level_of_the_networks_learns_from_x_and_samples_without_it(kind):
    encoder, decoder = networks(kind)
    method = hierarchical_vae(Net(encoder, SGD), Net(decoder, SGD), bernoulli)
    batch = {"image": jnp.asarray(RNG.integers(0, 2, (3, 4, 4, 1)).astype(np.float32))}
    params = {name: tree["params"] for name, tree in method.init(method.modules, jax.random.key(0), batch).items()}
    nothing = {name: {} for name in params}

    def view(params):
        return View(method.nets, params, nothing, dict.fromkeys(nothing), jnp.zeros((), int))

    params = jax.tree.map(lambda p: p + 0.1, params)  # the very deep one's sum begins at 0, whose slopes are 0
    key = jax.random.key(1)
    slopes = jax.jit(jax.grad(lambda params: method.phases[0].loss(view(params), batch, key)[0]))(params)
    still = [jax.tree_util.keystr(path) for path, leaf in jax.tree_util.tree_leaves_with_path(slopes) if not leaf.any()]
    assert not still
    figures = jax.eval_shape(lambda params: method.evaluate(view(params), batch, key), params)
    assert sum(name.startswith("kl_nats") for name in figures) == len(decoder.levels) == (3 if kind == "ladder" else 2)
    assert jax.eval_shape(lambda params: method.sample(view(params), key, 3), params).shape == (3, 4, 4, 1)


def test_what_depth_adds_begins_at_one_over_its_root():
    x = jax.random.normal(jax.random.key(0), (8, 3, 3, 16))
    scales = [
        np.std(block.init_with_output(jax.random.key(1), x)[0])
        for block in (Bottleneck(16, 8), Bottleneck(16, 8, depth=25))
    ]
    assert scales[0] / scales[1] == pytest.approx(5, rel=1e-3)


def test_in_bfloat16_a_bottleneck_keeps_what_goes_into_its_convolutions_and_a_decoder_nothing_in_float32():
    """Of what is as large as an activation: its GELUs and their insides, and a sum in float32, were six times that."""

    def kept(function, *args):
        _, pull = jax.eval_shape(lambda *args: jax.vjp(function, *args), *args)
        return [(x.shape[-1], x.dtype) for x in jax.tree.leaves(pull) if x.shape[:3] == (5, 4, 4)]

    x, half = jax.ShapeDtypeStruct((5, 4, 4, 32), jnp.bfloat16), jnp.dtype(jnp.bfloat16)
    bottleneck = Bottleneck(32, 8, dtype=jnp.bfloat16)
    variables = jax.eval_shape(bottleneck.init, jax.random.key(0), x)
    assert sorted(kept(bottleneck.apply, variables, x)) == [(8, half)] * 3 + [(32, half)]
    decoder = DeepDecoder((4,), blocks=2, latent_channels=2, width=32, dtype=jnp.bfloat16)
    sample = lambda prior, _: prior.mean  # noqa: E731
    variables = jax.eval_shape(lambda key: decoder.init(key, None, count=5, sample=sample), jax.random.key(0))
    found = kept(lambda variables: decoder.apply(variables, None, count=5, sample=sample), variables)
    assert {dtype for size, dtype in found if size >= 8} == {half}


def test_the_divergence_is_float32_s_where_networks_are_not():
    prior, posterior = (
        Gaussian(jnp.full((1, 1), m, jnp.bfloat16), jnp.full((1, 1), -1.0, jnp.bfloat16)) for m in (0, 0.5)
    )
    levels = Levels([jnp.zeros((1, 1))])
    assert levels(prior, posterior).dtype == jnp.float32
    np.testing.assert_allclose(levels.kl[0], 0.5**2 * np.e / 2, rtol=1e-5)
