"""Latent Dirichlet allocation against integrals, enumeration and a planted corpus."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from jaxgen.losses import lda

RNG = np.random.default_rng(0)
TWO = lda.Topics(np.array([0.7, 1.6]), np.log(RNG.dirichlet(np.ones(3), 2)))
WORDS = np.array([0, 2, 2, 1, 0])
COUNTS = np.bincount(WORDS, minlength=3)


elbo = jax.jit(lda.elbo)


def evidence(words, topics):
    """By quadrature over the share of the first of two topics."""
    dirichlet, probs = stats.beta(*topics.alpha), np.exp(topics.log_probs)

    def joint(t):
        return np.prod(t * probs[0, words] + (1 - t) * probs[1, words]) * dirichlet.pdf(t)

    return np.log(integrate.quad(joint, 0, 1, epsabs=1e-12)[0])


def test_the_sum_over_assignments_is_the_integral_over_shares(x64):
    assert jax.jit(lda.exact_log_prob)(WORDS, TWO) == pytest.approx(evidence(WORDS, TWO), abs=1e-8)
    of_each = jax.jit(jax.vmap(lda.exact_log_prob, (0, None)))
    every = of_each(np.array(list(itertools.product(range(3), repeat=3))), TWO)
    assert special.logsumexp(every) == pytest.approx(0, abs=1e-10)


def test_the_bound_is_below_the_evidence_and_mean_field_is_its_maximum(x64):
    gamma = np.asarray(jax.jit(lambda counts: lda.infer(counts, TWO, iterations=500))(COUNTS[None]))
    (best,) = np.asarray(elbo(COUNTS[None], gamma, TWO))
    assert best < evidence(WORDS, TWO) < best + 0.3
    bound = jax.jit(jax.value_and_grad(lambda log_gamma: -lda.elbo(COUNTS[None], jnp.exp(log_gamma)[None], TWO)[0]))
    found = optimize.minimize(lambda x: [np.asarray(v) for v in bound(x)], np.zeros(2), jac=True, tol=1e-10)
    assert -found.fun == pytest.approx(best, abs=1e-8)
    np.testing.assert_allclose(np.exp(found.x), gamma[0], rtol=1e-4)


def test_the_bound_is_the_mean_of_the_log_ratio_of_samples(x64):
    """Of any gamma: its words' topics are at their best, whose part is a logsumexp."""
    gamma, count = np.array([[1.3, 2.4]]), 100_000
    theta = RNG.dirichlet(gamma[0], count)
    shares = np.asarray(jax.jit(lda.shares)(gamma, TWO.log_probs))[0]
    total = stats.dirichlet(TWO.alpha).logpdf(theta.T) - stats.dirichlet(gamma[0]).logpdf(theta.T)
    for word, times in enumerate(COUNTS):
        total += times * (shares[word] * (np.log(theta) + TWO.log_probs[:, word] - np.log(shares[word]))).sum(1)
    (found,) = np.asarray(elbo(COUNTS[None], gamma, TWO))
    assert found == pytest.approx(total.mean(), abs=5 * total.std() / np.sqrt(count))


def test_laplace_s_normal_has_the_mode_and_the_curvature_of_the_dirichlet_s_logits(x64):
    """In the softmax basis the density is `sum_k alpha_k z_k - sum(alpha) logsumexp(z)`."""
    alpha = np.array([0.4, 1.5, 2.0])
    density = lambda z: jnp.dot(alpha, z) - alpha.sum() * jax.nn.logsumexp(z)  # noqa: E731

    @jax.jit
    def run(alpha):
        mean, log_variance = lda.laplace(alpha)
        return log_variance, jax.grad(density)(mean), jax.hessian(density)(mean)

    log_variance, slope, curvature = run(alpha)
    np.testing.assert_allclose(slope, 0, atol=1e-12)
    covariance = np.linalg.pinv(-np.asarray(curvature))  # no curvature along a shift of all
    np.testing.assert_allclose(np.exp(log_variance), np.diag(covariance), rtol=1e-8)


def planted(documents=200, length=40):
    """Three topics of which each has its own four of twelve words, and a little of the rest."""
    rng = np.random.default_rng(1)
    truth = np.kron(np.eye(3), np.ones(4)) * 0.22 + 0.01
    truth /= truth.sum(1, keepdims=True)
    return truth, np.stack([rng.multinomial(length, p @ truth) for p in rng.dirichlet(np.full(3, 0.3), documents)])


def recovered(found, truth):
    """The largest total variation of a topic from the planted one, in the best order."""
    distance = np.abs(np.exp(found)[:, None] - truth).sum(-1) / 2
    return distance[optimize.linear_sum_assignment(distance)].max()


def test_mean_field_recovers_planted_topics_and_its_bound_never_falls(x64):
    truth, counts = planted()

    @jax.jit
    def step(topics):
        gamma = lda.infer(counts, topics, iterations=30)
        topics = lda.m_step(counts, gamma, topics)
        return topics, jnp.sum(lda.elbo(counts, gamma, topics))

    start = np.random.default_rng(2).dirichlet(np.ones(12), 3)
    topics, course = lda.Topics(np.full(3, 0.3), np.log(start)), []
    for _ in range(15):
        topics, value = step(topics)
        course.append(float(value))
    assert (np.diff(course) > -1e-6).all()
    assert recovered(start, truth) > 0.3
    assert recovered(topics.log_probs, truth) < 0.08
