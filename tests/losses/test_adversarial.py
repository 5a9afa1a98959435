"""The games, and the theory of their optimal critics, on distributions whose every probability is known."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.spatial.distance import jensenshannon
from scipy.special import expit, rel_entr, softmax
from scipy.stats import norm

from jaxgen.errors import UserError
from jaxgen.losses import adversarial

LOSSES = {
    name: getattr(adversarial, name) for name in ("minimax", "non_saturating", "wasserstein", "hinge", "least_squares")
}
ALL = {**LOSSES, "relativistic_pairing": adversarial.relativistic_pairing}
P = np.array([0.5, 0.2, 0.2, 0.05, 0.05])
Q = np.array([0.1, 0.2, 0.3, 0.3, 0.1])


optimal_discriminator = jax.jit(adversarial.optimal_discriminator)
jensen_shannon = jax.jit(adversarial.jensen_shannon, static_argnames="axis")


@functools.cache
def terms(loss):
    """logits -> the critic's loss of them as real, as fake, and as both, and the generator's."""
    return jax.jit(lambda x: (loss.real(x), loss.fake(x), loss.critic(x, x), loss.generator(None, x)))


def critic_loss(loss, logits, p, q):
    return jnp.sum(p * loss.real(logits) + q * loss.fake(logits))


def best_logits(loss, p, q):
    """The critic's optimum, one free logit per point, by a general-purpose minimiser."""
    objective = jax.jit(jax.value_and_grad(lambda logits: critic_loss(loss, logits, p, q)))
    found = minimize(lambda logits: [np.asarray(v) for v in objective(logits)], np.zeros(len(p)), jac=True, tol=1e-12)
    return found.x, found.fun


# Worked by hand. sigmoid(log 3) = 3/4: -log(3/4), -log(1/4), log(1/4).
GOLDEN = [
    ("minimax", math.log(3), math.log(4 / 3), math.log(4), -math.log(4)),
    ("minimax", 0.0, math.log(2), math.log(2), -math.log(2)),
    ("non_saturating", math.log(3), math.log(4 / 3), math.log(4), math.log(4 / 3)),
    ("non_saturating", -math.log(3), math.log(4), math.log(4 / 3), math.log(4)),
    ("wasserstein", 2.5, -2.5, 2.5, -2.5),
    ("hinge", 0.25, 0.75, 1.25, -0.25),
    ("hinge", 3.0, 0.0, 4.0, -3.0),
    ("hinge", -3.0, 4.0, 0.0, 3.0),
    ("least_squares", 3.0, 2.0, 4.5, 2.0),
    ("least_squares", -1.0, 2.0, 0.5, 2.0),
]


@pytest.mark.parametrize(("name", "logit", "real", "fake", "generator"), GOLDEN)
def test_golden_values(name, logit, real, fake, generator):
    found = terms(LOSSES[name])(np.full((2, 3), logit, np.float32))
    for value, expected in zip(found, (real, fake, real + fake, generator), strict=True):
        np.testing.assert_allclose(value, np.full((2, 3), expected), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_optimal_discriminator_is_the_critics_optimum(x64, name):
    logits, value = best_logits(LOSSES[name], P, Q)
    np.testing.assert_allclose(expit(logits), optimal_discriminator(P, Q), atol=1e-6)
    # The players' common objective, maximised by the critic, is minus its loss: -log 4 + 2 JSD.
    np.testing.assert_allclose(-value, -math.log(4) + 2 * jensenshannon(P, Q) ** 2, rtol=1e-10)
    np.testing.assert_allclose(-value, -math.log(4) + 2 * jensen_shannon(P, Q), rtol=1e-10)


@pytest.mark.parametrize("role", ["critic", "generator"])
@pytest.mark.parametrize("name", ALL)
def test_gradients_are_finite_differences(x64, name, role):
    """Of both orders: every example's by its own logits, as the losses are theirs alone."""
    logits, step = np.array([[-2.3, -0.4, 0.6, 1.7], [1.4, 0.3, -0.7, -1.8]]), 1e-5

    @jax.jit
    @jax.vmap
    def derivatives(logits):
        slopes = jax.grad(lambda x: getattr(ALL[name], role)(*x).sum())
        return getattr(ALL[name], role)(*logits), slopes(logits), jax.jacrev(lambda x: slopes(x).sum(1))(logits)

    shifts = step * np.eye(2)[:, :, None]
    points = np.stack([logits, *(logits + shifts), *(logits - shifts)])
    losses, slopes, curvatures = jax.device_get(derivatives(points))
    np.testing.assert_allclose(slopes[0], (losses[1:3] - losses[3:]) / (2 * step), atol=1e-8)
    np.testing.assert_allclose(curvatures[0].swapaxes(0, 1), (slopes[1:3] - slopes[3:]) / (2 * step), atol=1e-8)


@pytest.mark.parametrize("name", ALL)
def test_a_generator_that_says_it_ignores_real_logits_does(name):
    loss, fake = ALL[name], np.array([-1.0, 0.5], np.float32)
    pull = jax.jit(jax.grad(lambda real: loss.generator(real, fake).sum()))(np.array([0.3, -0.2], np.float32))
    assert bool(np.any(pull != 0)) == loss.paired


def test_pairing_by_hand():
    # A real logit log 3 above the fake one: the pair is told apart with probability 3/4.
    real, fake = np.float32([math.log(3), 5 + math.log(3)]), np.float32([0.0, 5.0])
    loss = adversarial.relativistic_pairing
    critic, generator = jax.jit(lambda real, fake: (loss.critic(real, fake), loss.generator(real, fake)))(real, fake)
    np.testing.assert_allclose(critic, np.full(2, math.log(4 / 3)), rtol=1e-6)
    np.testing.assert_allclose(generator, np.full(2, math.log(4)), rtol=1e-6)


def pairs_loss(loss, logits, p, q, role="critic"):
    """The expected loss of independent pairs: every real point with every generated one."""
    return jnp.sum(p[:, None] * q * getattr(loss, role)(logits[:, None], logits))


def test_pairing_s_best_critic_is_the_log_ratio_and_its_loss_a_divergence_of_pairs(x64):
    objective = jax.jit(jax.value_and_grad(lambda t: pairs_loss(adversarial.relativistic_pairing, t, P, Q)))
    found = minimize(lambda t: [np.asarray(v) for v in objective(t)], np.zeros(len(P)), jac=True, tol=1e-12)
    ratio = np.log(P / Q)
    np.testing.assert_allclose(found.x - found.x.mean(), ratio - ratio.mean(), atol=1e-6)
    divergence = jensenshannon(np.outer(P, Q).ravel(), np.outer(Q, P).ravel()) ** 2
    np.testing.assert_allclose(found.fun, math.log(2) - divergence, rtol=1e-10)


def test_pairing_s_generator_rests_at_the_data_and_nowhere_else(x64):
    @jax.jit
    def gradient(theta):
        logits = jax.lax.stop_gradient(jnp.log(P) - jax.nn.log_softmax(theta))
        loss = adversarial.relativistic_pairing
        return jax.grad(lambda theta: pairs_loss(loss, logits, P, jax.nn.softmax(theta), "generator"))(theta)

    assert_rests_at_the_data_alone(gradient)


def assert_rests_at_the_data_alone(gradient):
    np.testing.assert_allclose(gradient(np.log(P)), 0, atol=1e-12)
    assert np.abs(gradient(np.log(Q))).max() > 1e-2
    theta = np.log(Q)
    for _ in range(600):
        theta = theta - 2.0 * np.asarray(gradient(theta))
    np.testing.assert_allclose(softmax(theta), P, atol=1e-6)


@pytest.mark.parametrize("epsilon", [0.1, 0.4])
def test_smoothing_scales_the_optimal_discriminator(x64, epsilon):
    smoothed = adversarial.one_sided_label_smoothing(adversarial.minimax, epsilon)
    logits, _ = best_logits(smoothed, P, Q)
    np.testing.assert_allclose(expit(logits), (1 - epsilon) * P / (P + Q), atol=1e-6)
    (_, fake, _, generator), (_, same_fake, _, same_generator) = (
        terms(loss)(logits) for loss in (smoothed, adversarial.minimax)
    )
    np.testing.assert_array_equal(fake, same_fake)
    np.testing.assert_array_equal(generator, same_generator)
    with pytest.raises(UserError, match=r"epsilon is 1.5; it must be between 0 and 1"):
        adversarial.one_sided_label_smoothing(adversarial.minimax, 1.5)


def test_least_squares_optimum_is_the_same_ratio_and_a_pearson_divergence(x64):
    scores, value = best_logits(adversarial.least_squares, P, Q)
    np.testing.assert_allclose(scores, P / (P + Q), atol=1e-6)
    pearson = np.sum((2 * Q - (P + Q)) ** 2 / (P + Q))  # chi^2(p + q || 2 q), the divergence of Mao et al. 2017
    np.testing.assert_allclose(value, 0.25 - pearson / 8, rtol=1e-10)


@pytest.mark.parametrize("name", ["hinge", "wasserstein"])
def test_piecewise_linear_critics_show_the_sign_and_total_variation(x64, name):
    # Wasserstein's critic must be bounded to have an optimum: within [-1, 1] the metric is total variation.
    grid = np.linspace(-1, 1, 201) if name == "wasserstein" else np.linspace(-3, 3, 601)
    real, fake, _, _ = jax.device_get(terms(LOSSES[name])(grid))
    per_point = P[:, None] * real + Q[:, None] * fake
    differ = P != Q
    np.testing.assert_allclose(grid[per_point.argmin(1)][differ], np.sign(P - Q)[differ], atol=1e-9)
    total_variation = 0.5 * np.abs(P - Q).sum()
    value = {"hinge": 2 - 2 * total_variation, "wasserstein": -2 * total_variation}[name]
    np.testing.assert_allclose(per_point.min(1).sum(), value, atol=1e-9)


@jax.jit
def generators_gradients(logit):
    return [jax.grad(loss.generator, 1)(None, logit) for loss in (adversarial.minimax, adversarial.non_saturating)]


@pytest.mark.parametrize("logit", [-30.0, -2.0, 0.0, 0.5, 30.0])
def test_generator_gradients_of_minimax_and_non_saturating(x64, logit):
    sigma = 1 / (1 + math.exp(-logit))
    one_minus_sigma = 1 / (1 + math.exp(logit))
    np.testing.assert_allclose(generators_gradients(logit), [-sigma, -one_minus_sigma], rtol=1e-12)


def generator_gradient(loss, theta, p):
    """Gradient of the generator softmax(theta) against the best discriminator of the moment, held still."""
    logits = jax.lax.stop_gradient(jnp.log(p) - jax.nn.log_softmax(theta))
    return jax.grad(lambda theta: jnp.sum(jax.nn.softmax(theta) * loss.generator(None, logits)))(theta)


def test_generator_gradients_are_those_of_the_divergences(x64):
    """Minimax descends 2 JSD (Goodfellow et al. 2014); non-saturating KL(q || p) - 2 JSD (Arjovsky and Bottou 2017)."""

    def twice_jsd(theta):
        q = jax.nn.softmax(theta)
        mean = (P + q) / 2
        return jnp.sum(P * jnp.log(P / mean) + q * jnp.log(q / mean))

    def kl(theta):
        q = jax.nn.softmax(theta)
        return jnp.sum(q * jnp.log(q / P))

    @jax.jit
    def gradients(theta):
        minimax = generator_gradient(adversarial.minimax, theta, P)
        non_saturating = generator_gradient(adversarial.non_saturating, theta, P)
        return (minimax, jax.grad(twice_jsd)(theta)), (non_saturating, jax.grad(lambda t: kl(t) - twice_jsd(t))(theta))

    for found, expected in gradients(np.log(Q)):
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_both_generators_rest_at_the_data_and_nowhere_else(x64, name):
    assert_rests_at_the_data_alone(jax.jit(lambda theta: generator_gradient(LOSSES[name], theta, P)))


def test_jensen_shannon_of_random_distributions_matches_scipy(x64):
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.full(7, 0.3), (2, 20))
    np.testing.assert_allclose(jensen_shannon(p, q), jensenshannon(p, q, axis=1) ** 2, rtol=1e-10)
    p, q = p.T.reshape(7, 4, 5), q.T.reshape(7, 4, 5)
    np.testing.assert_allclose(jensen_shannon(p, q, axis=0), jensenshannon(p, q, axis=0) ** 2, rtol=1e-10)
    joint = jensen_shannon(p / 20, q / 20, axis=None)
    np.testing.assert_allclose(joint, jensenshannon(p.ravel(), q.ravel()) ** 2, rtol=1e-10)


def test_jensen_shannon_at_its_bounds_and_with_empty_points():
    p, q = np.array([0.5, 0.5, 0, 0]), np.array([0, 0, 0.25, 0.75])
    np.testing.assert_allclose(jensen_shannon(p, q), math.log(2), rtol=1e-6)
    assert jensen_shannon(p, p) == 0
    # By hand: m = (3/4, 1/4), KL(p || m) = log 4/3, KL(q || m) = (log 2/3 + log 2) / 2.
    halfway = jensen_shannon(np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.5, 0.5, 0.0, 0.0]))
    np.testing.assert_allclose(halfway, 0.5 * math.log(4 / 3) + 0.25 * math.log(4 / 3), rtol=1e-6)


def test_jensen_shannon_of_densities_on_a_grid(x64):
    def density(x):
        return norm.pdf(x), norm.pdf(x, 1.5, 0.7)

    def integrand(x):
        p, q = density(x)
        return 0.5 * (rel_entr(p, (p + q) / 2) + rel_entr(q, (p + q) / 2))

    x, width = np.linspace(-12, 12, 2001, retstep=True)  # far enough for densities of 1e-80
    found = jensen_shannon(*density(x), weights=width)
    np.testing.assert_allclose(found, quad(integrand, -12, 12, epsabs=1e-13, limit=200)[0], rtol=1e-9)
    y, height = np.linspace(-12, 12, 201, retstep=True)
    two_dimensional = jensen_shannon(
        *(d[:, None] * norm.pdf(y) for d in density(x)), axis=(0, 1), weights=width * height
    )
    np.testing.assert_allclose(two_dimensional, found, rtol=1e-9)


def test_jensen_shannon_is_precise_in_float32_between_close_distributions():
    # log(p / m) written naively is a difference of nearly equal numbers: it loses all the digits of this one.
    p = np.full(1000, 1e-3)
    q = p * (1 + 1e-3 * np.sin(np.arange(1000)))
    q /= q.sum()
    p32, q32 = np.float32(p), np.float32(q)
    truth = 0.125 * np.sum((np.float64(p32) - np.float64(q32)) ** 2 / p)  # its leading term, relative error 1e-3
    np.testing.assert_allclose(jensen_shannon(p32, q32), truth, rtol=3e-3)


@jax.jit
def of_densities(p, q):
    """The divergence and the sum of the best discriminator, each with its gradients by p and q."""
    functions = adversarial.jensen_shannon, lambda p, q: adversarial.optimal_discriminator(p, q).sum()
    return [jax.value_and_grad(function, (0, 1))(p, q) for function in functions]


def test_gradients_of_the_densities_functions(x64):
    # d JSD / d p_i = log(2 p_i / (p_i + q_i)) / 2; d D* / d p_i = q_i / (p_i + q_i)^2.
    (_, jsd), (_, ratio) = of_densities(P, Q)
    np.testing.assert_allclose(jsd[0], 0.5 * np.log(2 * P / (P + Q)), atol=1e-12)
    np.testing.assert_allclose(jsd[1], 0.5 * np.log(2 * Q / (P + Q)), atol=1e-12)
    np.testing.assert_allclose(ratio[0], Q / (P + Q) ** 2, rtol=1e-12)
    np.testing.assert_allclose(ratio[1], -P / (P + Q) ** 2, rtol=1e-12)


def test_densities_may_vanish_or_be_tiny_with_finite_gradients():
    values = np.array([0.0, 1e-37, 1e-25, 1e-6, 1.0], np.float32)
    p, q = map(np.array, zip(*itertools.product(values, values), strict=True))
    p, q = np.append(p, np.float32([1e-25, 3e-25])), np.append(q, np.float32([3e-25, 1e-25]))
    ratio = optimal_discriminator(p, q)
    with np.errstate(invalid="ignore"):
        truth = np.where((p == 0) & (q == 0), 0.5, np.float64(p) / (np.float64(p) + q))
    np.testing.assert_allclose(ratio, truth, rtol=1e-6, atol=1e-37)
    for value, gradients in of_densities(p, q):
        assert np.isfinite(value)
        assert np.isfinite(gradients).all()
    np.testing.assert_allclose(gradients[0][-2:], [3e25 / 16, 1e25 / 16], rtol=1e-5)
