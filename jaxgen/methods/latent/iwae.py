"""Importance-weighted autoencoders: several draws of z, weighed together, bound log p(x) more tightly than one.

Burda et al., 2016, "Importance Weighted Autoencoders", eq. 8; Roeder et al., 2017, "Sticking the Landing"; Tucker et
al., 2019, "Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives", eq. 8.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Apply, Array, Aux, Batch, Method, Net, Phase, View
from jaxgen.likelihoods import Likelihood
from jaxgen.losses import importance, variational
from jaxgen.methods.latent import priors
from jaxgen.methods.latent.priors import Prior
from jaxgen.methods.latent.vae import vae


def log_weights(
    apply: Apply,
    likelihood: Likelihood,
    images: Array,
    noise: Array,
    *,
    prior: Prior | None = None,
    doubly_reparametrized: bool = False,
) -> Array:
    """`log p(x, z) - log q(z|x)`, `[batch, draws]`, by one pass of the encoder and one of the decoder.

    Args:
      apply: the networks "encoder", "decoder" and, where there is a prior, "prior", as `vae` has them.
      likelihood: p(x|z).
      images: `[batch, ...]`.
      noise: standard normal, `[batch, draws, latent]`.
      prior: of z; None is standard normal.
      doubly_reparametrized: whether the encoder learns through z alone and by the squared weights.
    """
    batch, draws, latent_size = noise.shape
    mean, log_variance = apply("encoder", images)
    mean, log_variance = mean[:, None], log_variance[:, None]
    z = mean + jnp.exp(log_variance / 2) * noise
    nothing: Array | float = 0.0
    if doubly_reparametrized:
        z, nothing = importance.doubly_reparametrized(z, axis=1)
        mean, log_variance = jax.lax.stop_gradient((mean, log_variance))
    flat = z.reshape(batch * draws, latent_size)  # an example's draws side by side: split over devices as the batch is
    outputs = jnp.unstack(apply("decoder", flat), axis=-1)
    log_likelihood = likelihood.log_prob(jnp.repeat(images, draws, 0), *outputs).reshape(batch, draws)
    of_q = (jnp.broadcast_to(parameter, z.shape).reshape(flat.shape) for parameter in (mean, log_variance))
    log_q = variational.gaussian_log_prob(flat, *of_q)
    log_p = priors.log_prob(apply, prior, flat)
    if prior is not None:
        prior.learn(apply, flat)
    return log_likelihood + (log_p - log_q).reshape(batch, draws) + nothing


def iwae(
    encoder: Net,
    decoder: Net,
    likelihood: Likelihood,
    *,
    latent_size: int,
    draws: int,
    prior: Prior | None = None,
    doubly_reparametrized: bool = False,
    evaluation_draws: int = 50,
    chunk: int = 10,
) -> Method:
    """A VAE, trained by the bound of `draws` draws, on the batch field `image`.

    Args:
      encoder: as of `vae`.
      decoder: as of `vae`.
      likelihood: as of `vae`.
      latent_size: length of z.
      prior: as of `vae`.
      draws: k; 1 is a VAE that estimates its divergence, too.
      doubly_reparametrized: DReG, whose signal does not drown in noise as k grows; with one draw sticking the landing.
      evaluation_draws: k of the held-out bound `iw_nats`, a multiple of `chunk`.
      chunk: how many of those are computed at once.
    """
    plain = vae(encoder, decoder, likelihood, latent_size=latent_size, prior=prior)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training, images = view.training(key), batch["image"]
        noise = jax.random.normal(key, (images.shape[0], draws, latent_size))
        weights = log_weights(
            training, likelihood, images, noise, prior=prior, doubly_reparametrized=doubly_reparametrized
        )
        bound = variational.iwae(weights, axis=1)
        # How many draws count: one where a single weight drowns the others, k where all are alike.
        effective = 1 / jnp.sum(jnp.square(jax.nn.softmax(weights, 1)), 1)
        metrics = {"negative_elbo": -jnp.mean(weights), "effective_draws": jnp.mean(effective)}
        return -jnp.mean(bound), Aux(metrics, training.moved)

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        images = batch["image"]

        def log_weight(key: Array) -> Array:
            noise = jax.random.normal(key, (images.shape[0], 1, latent_size))
            return log_weights(view, likelihood, images, noise, prior=prior)[:, 0]

        nats = -importance.streamed_iwae(log_weight, key, draws=evaluation_draws, chunk=chunk)
        dimensions = np.prod(images.shape[1:]) * np.log(2)
        return {**plain.evaluate(view, batch, key), "iw_nats": nats, "iw_bits_per_dim": nats / dimensions}

    return dataclasses.replace(
        plain, name="IWAE", phases=(Phase("iwae", plain.phases[0].trains, loss),), evaluate=evaluate
    )
