"""The bound of a variational recurrent network against the integral it bounds, and against what comes when."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.models.latent.vrnn import VRNN

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def trained():
    model = VRNN(latent=1, width=4)
    x = jax.random.normal(KEY, (3, 2, 2))
    variables, rng = jax.jit(model.init)(KEY, x, jnp.zeros((3, 2, 1))), np.random.default_rng(0)
    # Biases begin at 0, and with no state yet the prior's variance at 1, which hides what is divided by it.
    return model, jax.tree.map(lambda p: p + 0.3 * rng.normal(size=p.shape).astype(p.dtype), variables), x


def test_the_bound_is_the_evidence_less_the_divergence_from_the_posterior(trained):
    """One time, one latent: both by quadrature over what the noise does."""
    model, variables, x = trained
    one, e = x[:1, :1], np.linspace(-8, 8, 2001)
    heard = jax.jit(model.apply)(variables, jnp.repeat(one, len(e), 0), jnp.asarray(e, jnp.float32)[:, None, None])
    log_lik, kl = np.asarray(heard.log_prob, float), float(heard.kl[0])
    # q in terms of its own noise is a standard normal; the prior's mean and deviation in the same terms follow from the
    # cell's outputs at that time.
    params = variables["params"]["cell"]

    def gaussian(name, *inputs):
        y = np.maximum(
            np.concatenate(inputs) @ params[f"{name}_hidden"]["kernel"] + params[f"{name}_hidden"]["bias"], 0
        )
        return np.split(np.asarray(y @ params[name]["kernel"] + params[name]["bias"], float), 2)

    h = np.zeros(4)
    (mean,), (log_v,) = gaussian("encoder", np.asarray(one[0, 0]), h)
    (prior_mean,), (prior_log_v,) = gaussian("prior", h)
    z = mean + np.exp(log_v / 2) * e
    for place in (0, 700, 1500):  # what is drawn is z, and what is said of x is the decoder's
        x_mean, x_log_v = gaussian("decoder", z[[place]], h)
        said = stats.norm(x_mean, np.exp(x_log_v / 2)).logpdf(one[0, 0]).sum()
        np.testing.assert_allclose(log_lik[place], said, rtol=1e-4)
    log_q, log_p = (stats.norm(m, np.exp(v / 2)).logpdf(z) for m, v in ((mean, log_v), (prior_mean, prior_log_v)))
    log_evidence = np.log(np.trapezoid(np.exp(log_p + log_lik), z))
    q, log_posterior = np.exp(log_q), log_p + log_lik - log_evidence
    np.testing.assert_allclose(kl, np.trapezoid(q * (log_q - log_p), z), rtol=1e-4)
    gap = np.trapezoid(q * (log_q - log_posterior), z)
    np.testing.assert_allclose(np.trapezoid(q * log_lik, z) - kl, log_evidence - gap, rtol=1e-4)
    assert gap > 1e-3
    np.testing.assert_allclose(heard.last, mean, rtol=1e-4)


def test_what_is_last_knows_all_times_and_a_sum_is_over_them(trained):
    model, variables, x = trained
    noise = jnp.zeros((3, 2, 1))
    slope = jax.jit(jax.grad(lambda x: jnp.sum(model.apply(variables, x, noise).last)))(x)
    assert (np.abs(slope).max((0, 2)) > 0).all()
    both, first = (jax.jit(model.apply)(variables, y, n) for y, n in ((x, noise), (x[:, :1], noise[:, :1])))
    later = jax.jit(lambda x: model.apply(variables, x, noise).log_prob)(x.at[:, 1].add(1.0))
    assert (np.asarray(both.kl) > np.asarray(first.kl)).all()
    assert np.abs(later - both.log_prob).min() > 1e-4
