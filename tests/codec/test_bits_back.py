import jax
import numpy as np
import pytest
from scipy import stats

from jaxgen.codec.bits_back import BitsBack, LatentModel, gaussian_latents
from jaxgen.data.embedded import digits
from jaxgen.errors import UserError
from jaxgen.losses import mixture

RNG = np.random.default_rng(0)
WEIGHTS = RNG.dirichlet(np.ones(4))
PIXELS = RNG.dirichlet(np.full(3, 0.3), (4, 6))  # component, pixel, level


def joint(x):
    """log p(x, k) of a mixture of independent pixels, `[4]`."""
    return np.log(WEIGHTS) + np.log(PIXELS[:, np.arange(6), x]).sum(-1)


def posterior(x):
    log_p = joint(x)
    p = np.exp(log_p - log_p.max())
    return (p / p.sum())[None]


def draws(count):
    k = RNG.choice(4, count, p=WEIGHTS)
    return np.array([[RNG.choice(3, p=PIXELS[c, i]) for i in range(6)] for c in k], np.int32)


MIXTURE = LatentModel(WEIGHTS[None], posterior, lambda z: PIXELS[z[0]])


def test_with_the_exact_posterior_a_chain_takes_the_model_s_own_bits():
    x = draws(500)
    coder = BitsBack(MIXTURE, 6)
    words = coder.encode(x.ravel())
    np.testing.assert_array_equal(coder.decode(words, x.size), x.ravel())
    bits = -sum(np.logaddexp.reduce(joint(row)) for row in x) / np.log(2)
    assert abs(coder.paid(words) - bits) < 0.002 * bits + 64
    assert 0 < words[0] < len(coder._seed)  # of the seed only what was lent is in the file
    without = -sum(joint(row).max() for row in x) / np.log(2)  # the likeliest component sent along
    assert without > bits + 50


def test_a_mixture_of_ten_takes_its_own_bits_of_the_held_out_digits():
    """By a run of another program, 2.234 bits a pixel, and 2.2347 as coded; 2.436 of independent pixels."""
    data = digits()
    train, test = (split[np.arange(len(split))]["image"].reshape(-1, 64) for split in (data.train, data.test))
    shares = np.random.default_rng(0).dirichlet(np.full(10, 0.1), len(train))
    for _ in range(60):
        fitted = mixture.categorical_m_step(train, shares, levels=17, pseudo_count=0.1)
        shares = mixture.responsibilities(mixture.categorical_log_joint(train, fitted))
    found = mixture.categorical_log_joint(test, fitted)
    table, weights = (np.asarray(a, np.float64) for a in (jax.nn.softmax(fitted.level_logits), fitted.logits))
    weights = np.exp(weights - weights.max())[None]

    def posterior(x):
        log_p = np.log(weights[0]) + np.log(table[:, np.arange(64), x]).sum(-1)
        return np.exp(log_p - log_p.max())[None]

    coder = BitsBack(LatentModel(weights, posterior, lambda z: table[z[0]]), 64)
    words = coder.encode(test.ravel())
    np.testing.assert_array_equal(coder.decode(words, test.size), test.ravel())
    bits = -np.asarray(mixture.log_prob(found), np.float64).sum() / np.log(2)
    assert bits / test.size == pytest.approx(2.234, abs=0.03)
    assert abs(coder.paid(words) - bits) < 0.001 * bits + 32


def test_another_machine_s_numbers_do_not_give_the_seed_back():
    x = draws(50)
    words = BitsBack(MIXTURE, 6).encode(x.ravel())
    other = MIXTURE._replace(posterior=lambda x: posterior(x) + 0.01)
    with pytest.raises(UserError, match="did not give its seed back"):
        BitsBack(other, 6).decode(words, x.size)


def linear_gaussian(bits):
    """z ~ N(0, 1), x = 4 Bernoulli pixels of logit a·z, and q(z|x) a Gaussian near the posterior."""
    a = np.array([2.0, -1.5, 1.0, 3.0])

    def infer(x):
        return np.array([0.3 * (x * 2 - 1) @ np.sign(a)]), np.array([np.log(0.4)])

    def generate(z):
        p = 1 / (1 + np.exp(-a * z[0]))
        return np.stack([1 - p, p], -1)

    return gaussian_latents(infer, generate, 1, bits=bits), infer, generate


@pytest.mark.slow
def test_gaussian_latents_cost_the_evidence_bound():
    rng = np.random.default_rng(3)
    model, infer, generate = linear_gaussian(10)
    z = rng.standard_normal(1000)
    x = np.array([(rng.random(4) < generate([v])[:, 1]) for v in z], np.int32)
    elbo = 0.0
    for row in x:  # the bound by quadrature: q at 400 quantiles
        mean, log_variance = infer(row)
        s = np.exp(log_variance[0] / 2)
        at = stats.norm.ppf((np.arange(400) + 0.5) / 400, mean[0], s)
        log_p = np.array([np.log(generate([v])[np.arange(4), row]).sum() for v in at]) + stats.norm.logpdf(at)
        elbo += np.mean(log_p - stats.norm.logpdf(at, mean[0], s))
    drawn = []
    recording = model._replace(likelihood=lambda z: drawn.append(int(z[0])) or model.likelihood(z))
    coder = BitsBack(recording, 4)
    words = coder.encode(x.ravel())
    at = np.array(drawn)
    np.testing.assert_array_equal(coder.decode(words, x.size), x.ravel())
    q = np.array([model.posterior(row)[0, k] for row, k in zip(x, at, strict=True)])
    p = np.array([model.likelihood([k])[np.arange(4), row].prod() for row, k in zip(x, at, strict=True)])
    costs = np.log2(q) - np.log2(p / 1024)
    assert abs(coder.paid(words) - costs.sum()) < 0.002 * costs.sum() + 64
    assert abs(costs.sum() + elbo / np.log(2)) < 4 * costs.std() * len(x) ** 0.5


def test_bins_have_equal_mass_under_the_prior_and_the_posterior_s_under_it():
    model, infer, _ = linear_gaussian(3)
    x = np.array([1, 0, 1, 1])
    mean, log_variance = infer(x)
    edges = stats.norm.ppf(np.arange(9) / 8)
    expected = np.diff(stats.norm.cdf(edges, mean[0], np.exp(log_variance[0] / 2)))
    np.testing.assert_allclose(model.posterior(x), [expected], atol=1e-12)
    np.testing.assert_allclose(model.prior, np.full((1, 8), 1 / 8))
