"""Variational autoencoders: encoder and decoder climb the evidence lower bound together.

Kingma & Welling, 2014, "Auto-Encoding Variational Bayes", eq. 10 (reparametrized, one sample, analytic KL). Rezende &
Mohamed, 2015, "Variational Inference with Normalizing Flows", eq. 15, where a flow refines the posterior.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import linen
from jaxgen.codec.coded import CodedMethod
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.fields import SIGNED
from jaxgen.likelihoods import Likelihood
from jaxgen.losses import variational
from jaxgen.methods.latent.bits_back import bits_back


def ancestral_sampler(likelihood: Likelihood, *, latent_size: int) -> Callable[[View, Array, int], Array]:
    """`(view, key, count) -> x` drawn from p(x) itself, pixel noise included, where a VAE's `sample` shows means."""

    def sample(view: View, key: Array, count: int) -> Array:
        keys = jax.random.split(key)
        outputs = view("decoder", jax.random.normal(keys[0], (count, latent_size)))
        return likelihood.sample(keys[1], *jnp.unstack(outputs, axis=-1))

    return sample


def vae(
    encoder: Net, decoder: Net, likelihood: Likelihood, *, latent_size: int, posterior: Net | None = None
) -> Method:
    """A VAE with a standard normal prior on the batch field `image` `[batch, height, width, channels]`.

    Args:
      encoder: module of `images -> (mean, log_variance, *context)`, the first two `[batch, latent_size]`.
      decoder: module of `z [batch, latent_size] -> [batch, height, width, channels, outputs]`.
      likelihood: p(x|z), on the values the images have.
      latent_size: length of z.
      posterior: a bijector of z_0, given the context where there is one, which makes q(z|x) of the encoder's Gaussian
        of z_0; None leaves it Gaussian, and its divergence analytic.
    """
    nets = {"encoder": encoder, "decoder": decoder} | ({} if posterior is None else {"posterior": posterior})

    def infer(apply: Apply, images: Array, noise: Array | float) -> tuple[Array, Array]:
        """z of the posterior and its divergence from the prior, from the noise of z_0."""
        mean, log_variance, *context = apply("encoder", images)
        z_0 = mean + jnp.exp(log_variance / 2) * noise
        if posterior is None:
            return z_0, variational.gaussian_kl(mean, log_variance)
        z, log_det = apply("posterior", z_0, *context, method="forward_and_log_det")
        return z, variational.transformed_gaussian_kl(z_0, mean, log_variance, z, log_det)

    def bound(apply: Apply, images: Array, key: Array) -> tuple[Array, Array]:
        z, kl = infer(apply, images, jax.random.normal(key, (images.shape[0], latent_size)))
        return likelihood.log_prob(images, *jnp.unstack(apply("decoder", z), axis=-1)), kl

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        log_likelihood, kl = bound(training, batch["image"], key)
        metrics = {"log_likelihood": jnp.mean(log_likelihood), "kl": jnp.mean(kl)}
        return -jnp.mean(variational.elbo(log_likelihood, kl)), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key, 3)
        z = jnp.zeros((batch["image"].shape[0], latent_size))
        variables = {
            "encoder": linen.init(modules["encoder"], keys[0], batch["image"]),
            "decoder": linen.init(modules["decoder"], keys[1], z),
        }
        if posterior is not None:
            _, _, *context = linen.evaluate(modules["encoder"], variables["encoder"], (batch["image"],), {})
            variables["posterior"] = linen.init(
                modules["posterior"], keys[2], z, *context, method="forward_and_log_det"
            )
        return variables

    def prior(key: Array, count: int, batch: Batch | None) -> Array:
        return jax.random.normal(key, (count, latent_size))

    def decode(view: View, z: Array, key: Array) -> Array:
        return likelihood.mean(*jnp.unstack(view("decoder", z), axis=-1))

    def encode(view: View, batch: Batch) -> Array:
        """The posterior's mean, or where a flow takes that of z_0."""
        return infer(view, batch["image"], 0.0)[0]

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        log_likelihood, kl = bound(view, batch["image"], key)
        nats = -variational.elbo(log_likelihood, kl)
        dimensions = np.prod(batch["image"].shape[1:])
        return {"negative_elbo_nats": nats, "bits_per_dim": nats / (dimensions * np.log(2)), "kl_nats": kl}

    return CodedMethod(
        name="VAE",
        nets=nets,
        phases=(Phase("elbo", tuple(nets), loss),),
        init=init,
        latents=Latents(prior, decode, encode),
        evaluate=evaluate,
        code=bits_back(likelihood, latent_size) if posterior is None else None,
        takes={"image": dataclasses.replace(likelihood.takes, layout=SIGNED.layout)},
    )
