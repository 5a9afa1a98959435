"""The amortized topic model against an integral, and a planted corpus."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import integrate, optimize, special, stats

from jaxgen import fit
from jaxgen.core import Net, View
from jaxgen.losses import lda
from jaxgen.methods.latent.topic_model import topic_model
from jaxgen.models.latent.topics import DocumentEncoder, TopicTable

SGD = optax.sgd(0.1)


def test_the_bound_and_the_samples_are_the_integrals(x64):
    """Two topics: all depends on the difference of two normals, the prior's or the encoder's."""
    rng = np.random.default_rng(0)
    alpha, counts, logits = (0.8, 1.9), np.array([[3.0, 0.0, 2.0]]), rng.normal(size=(2, 3))
    method = topic_model(Net(DocumentEncoder(2, (4,)), SGD), Net(TopicTable(2, 3), SGD), alpha=alpha)
    params = method.init(method.modules, jax.random.key(0), {"counts": counts})
    params = {"encoder": params["encoder"]["params"], "topics": {"logits": logits}}
    nothing = {name: {} for name in params}
    view = View(method.nets, params, nothing, dict.fromkeys(nothing), jnp.zeros((), int))
    prior, posterior = (
        [stats.norm(m, np.exp(v / 2)) for m, v in zip(*(np.ravel(part) for part in parts), strict=True)]
        for parts in (lda.laplace(np.array(alpha)), view("encoder", counts))
    )
    topics = special.softmax(logits, 1)

    def words(d):
        return special.expit(d) * topics[0] + special.expit(-d) * topics[1]

    def expected(function, z):
        difference = stats.norm(z[0].mean() - z[1].mean(), np.hypot(z[0].std(), z[1].std()))
        return integrate.quad(lambda d: function(d) * difference.pdf(d), -15, 15, epsabs=1e-13)[0]

    kl = sum(
        integrate.quad(lambda z, p=p, q=q: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -12, 12)[0]
        for p, q in zip(prior, posterior, strict=True)
    )
    truth = expected(lambda d: counts[0] @ np.log(words(d)), posterior) - kl
    of_draw = jax.jit(jax.vmap(lambda key: method.evaluate(view, {"counts": counts}, key)))
    figures = of_draw(jax.random.split(jax.random.key(1), 20_000))
    nats = np.asarray(figures["negative_elbo_nats"])
    assert -nats.mean() == pytest.approx(truth, abs=5 * nats.std() / np.sqrt(20_000))
    assert figures["kl_nats"][0, 0] == pytest.approx(kl, abs=1e-8)
    found = np.asarray(jax.jit(lambda key: method.sample(view, key, 20_000))(jax.random.key(2)))
    np.testing.assert_allclose(
        found.mean(0), [expected(lambda d, w=w: words(d)[w], prior) for w in range(3)], atol=0.01
    )


@pytest.mark.slow
@pytest.mark.optimized
def test_planted_topics_are_recovered_up_to_their_order():
    rng = np.random.default_rng(1)
    truth = np.kron(np.eye(3), np.ones(4)) * 0.22 + 0.01
    truth = truth / truth.sum(1, keepdims=True)
    counts = np.stack([rng.multinomial(40, p @ truth) for p in rng.dirichlet(np.full(3, 0.3), 300)]).astype(np.float32)
    adam = optax.adam(1e-2)
    method = topic_model(
        Net(DocumentEncoder(3, (32,)), adam), Net(TopicTable(3, 12), adam),
        alpha=(0.3,) * 3, beta=optax.linear_schedule(0.1, 1.0, 400),
    )  # fmt: skip
    state, _ = fit(method, {"counts": counts}, steps=1000, key=jax.random.key(0), batch_size=64, steps_per_call=50)
    found = special.softmax(np.asarray(state.nets["topics"].params["logits"]), 1)
    distance = np.abs(found[:, None] - truth).sum(-1) / 2
    assert distance[optimize.linear_sum_assignment(distance)].max() < 0.08
