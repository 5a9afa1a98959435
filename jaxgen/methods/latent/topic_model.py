"""Latent Dirichlet allocation with amortized inference: a network says at once what mean field iterates for.

Srivastava and Sutton, 2017, "Autoencoding Variational Inference for Topic Models": theta is the softmax of a normal,
which stands for the Dirichlet by Laplace's approximation, and the words' topics are summed out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import Field
from jaxgen.losses import lda, variational
from jaxgen.methods.fits import check, check_encoder


def topic_model(encoder: Net, topics: Net, *, alpha: Sequence[float], beta: Weight = 1.0) -> Method:
    """A topic model of the batch field `counts` `[batch, vocabulary]`; samples are documents' probabilities of words.

    Args:
      encoder: module of `counts -> (mean, log_variance)`, `[batch, topics]` each.
      topics: module of `() -> logits [topics, vocabulary]`.
      alpha: of the Dirichlet, one for each topic.
      beta: weight of the divergence in training, or a schedule of it: at full weight from the start, topics that have
        nothing to say yet are given up for good.
    """
    prior_mean, prior_log_variance = lda.laplace(jnp.asarray(alpha))

    def words(apply: Apply, z: Array) -> Array:
        """Log-probabilities of words `[batch, vocabulary]`, of theta's logits `[batch, topics]`."""
        joint = jax.nn.log_softmax(z)[:, :, None] + jax.nn.log_softmax(apply("topics"))
        return jax.nn.logsumexp(joint, 1)

    def bound(apply: Apply, counts: Array, key: Array) -> tuple[Array, Array]:
        mean, log_variance = apply("encoder", counts)
        z = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
        # A divergence stays as it is when both normals are shifted and scaled.
        shifted = (mean - prior_mean) * jnp.exp(-prior_log_variance / 2)
        return jnp.sum(counts * words(apply, z), 1), variational.gaussian_kl(shifted, log_variance - prior_log_variance)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        log_likelihood, kl = bound(training, batch["counts"], key)
        metrics = {"log_likelihood": jnp.mean(log_likelihood), "kl": jnp.mean(kl)}
        return -jnp.mean(variational.elbo(log_likelihood, view.weight(beta) * kl)), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        counts, topics = batch["counts"], linen.init(modules["topics"], keys[1])
        encoder = linen.init(modules["encoder"], keys[0], counts)
        check_encoder(modules["encoder"], encoder, counts, size=len(alpha), setting="the number of alphas")
        table = linen.shapes(modules["topics"], topics).shape
        check("alphas by words", (len(alpha), counts.shape[1]), type(modules["topics"]).__name__, table)
        return {"encoder": encoder, "topics": topics}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        counts = batch["counts"]
        log_likelihood, kl = bound(view, counts, key)
        nats = -variational.elbo(log_likelihood, kl)
        length = jnp.maximum(jnp.sum(counts, 1), 1)
        return {"negative_elbo_nats": nats, "nats_per_word": nats / length, "kl_nats": kl}

    def draw(key: Array, count: int, batch: Batch | None) -> Array:
        return jax.random.normal(key, (count, len(alpha)))

    def decode(view: View, noise: Array, key: Array) -> Array:
        return jnp.exp(words(view, prior_mean + jnp.exp(prior_log_variance / 2) * noise))

    return Method(
        name="topic model",
        nets={"encoder": encoder, "topics": topics},
        phases=(Phase("elbo", ("encoder", "topics"), loss),),
        init=init,
        latents=Latents(draw, decode),
        evaluate=evaluate,
        takes={"counts": Field(low=0)},
    )
