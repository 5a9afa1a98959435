"""Latent Dirichlet allocation: a document mixes topics, each word of it is of one: exactly, and by mean field. In nats.

Blei, Ng and Jordan 2003, "Latent Dirichlet Allocation". A document's theta ~ Dirichlet(alpha), and each word's topic
~ theta, the word ~ that topic. Documents are words in their order, `[words]`, or counts of each word, `[vocabulary]`;
probabilities are those of the words in their order.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammaln
from jax.typing import ArrayLike

from jaxgen.losses.arrays import at_least_float32


class Topics(NamedTuple):
    """The model.

    Attributes:
      alpha: of the Dirichlet, `[topics]`, positive.
      log_probs: of words in each topic, `[topics, vocabulary]`.
    """

    alpha: jax.Array
    log_probs: jax.Array


def exact_log_prob(words: ArrayLike, topics: Topics) -> jax.Array:
    """log p(words), `[]`, theta integrated out and summed over every assignment of topics: topics ** words of them.

    Args:
      words: integers `[words]`, few.
      topics: the model.
    """
    words, (alpha, log_probs) = jnp.asarray(words), topics
    number, count = len(alpha), len(words)
    states = jnp.arange(number**count)[:, None] // number ** jnp.arange(count) % number
    used = jnp.sum(jax.nn.one_hot(states, number, dtype=log_probs.dtype), 1)
    total = jnp.sum(alpha)
    prior = jnp.sum(gammaln(alpha + used) - gammaln(alpha), 1) + gammaln(total) - gammaln(total + count)
    return jax.nn.logsumexp(prior + jnp.sum(log_probs[states, words], 1))


def infer(counts: ArrayLike, topics: Topics, *, iterations: int = 50) -> jax.Array:
    """q(theta) = Dirichlet(gamma) of documents `[documents, vocabulary]`: gamma `[documents, topics]`, eq. 6 and 7.

    Args:
      counts: of each word in each document.
      topics: the model.
      iterations: of the two equations, from a gamma that knows of the document's length alone.
    """
    counts, alpha, log_probs = at_least_float32(counts, *topics)
    first = alpha + jnp.sum(counts, 1, keepdims=True) / len(alpha)

    def step(_: int, gamma: jax.Array) -> jax.Array:
        return alpha + jnp.einsum("dv,dvk->dk", counts, shares(gamma, log_probs))

    return jax.lax.fori_loop(0, iterations, step, first)


def shares(gamma: jax.Array, log_probs: jax.Array) -> jax.Array:
    """q of each word's topic, `[documents, vocabulary, topics]`."""
    return jax.nn.softmax(_log_joint(gamma, log_probs), -1)


def elbo(counts: ArrayLike, gamma: jax.Array, topics: Topics) -> jax.Array:
    """The evidence lower bound of each document, `[documents]`, the words' topics being at their best."""
    counts, alpha, log_probs = at_least_float32(counts, *topics)
    expected = jnp.sum(counts * jax.nn.logsumexp(_log_joint(gamma, log_probs), -1), 1)
    return expected - dirichlet_kl(gamma, alpha)


def m_step(counts: ArrayLike, gamma: jax.Array, topics: Topics, *, pseudo_count: float = 0.0) -> Topics:
    """The topics that raise all documents' bounds most, alpha as it was; eq. 9, smoothed by a pseudo-count a word."""
    (counts,) = at_least_float32(counts)
    found = jnp.einsum("dv,dvk->kv", counts, shares(gamma, topics.log_probs)) + pseudo_count
    return topics._replace(log_probs=jnp.log(found) - jnp.log(jnp.sum(found, 1, keepdims=True)))


def dirichlet_kl(gamma: ArrayLike, alpha: ArrayLike) -> jax.Array:
    """`KL(Dirichlet(gamma) || Dirichlet(alpha))`, the last axis theirs."""
    gamma, alpha = at_least_float32(gamma, alpha)
    normalizers = gammaln(jnp.sum(gamma, -1)) - gammaln(jnp.sum(alpha, -1))
    by_topic = (gamma - alpha) * _expected_log(gamma) - gammaln(gamma) + gammaln(alpha)
    return normalizers + jnp.sum(by_topic, -1)


def laplace(alpha: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Mean and log-variance `[topics]` of a normal z whose softmax is about Dirichlet(alpha).

    Srivastava and Sutton 2017, "Autoencoding Variational Inference for Topic Models", section 3.2.
    """
    (alpha,) = at_least_float32(alpha)
    number = len(alpha)
    variance = (1 - 2 / number) / alpha + jnp.sum(1 / alpha) / number**2
    return jnp.log(alpha) - jnp.mean(jnp.log(alpha)), jnp.log(variance)


def _expected_log(gamma: jax.Array) -> jax.Array:
    return digamma(gamma) - digamma(jnp.sum(gamma, -1, keepdims=True))


def _log_joint(gamma: jax.Array, log_probs: jax.Array) -> jax.Array:
    """`E_q[log theta_k] + log p(word | k)`, `[documents, vocabulary, topics]`."""
    return _expected_log(gamma)[:, None] + log_probs.T
