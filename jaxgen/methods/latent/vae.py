"""Variational autoencoders: encoder and decoder climb the evidence lower bound together.

Kingma & Welling, 2014, "Auto-Encoding Variational Bayes", eq. 10 (reparametrized, one sample, analytic KL). Rezende &
Mohamed, 2015, "Variational Inference with Normalizing Flows", eq. 15, where a flow refines the posterior.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.codec.coded import CodedMethod
from jaxgen.core import Apply, Array, Aux, Batch, Evidence, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.likelihoods import Likelihood
from jaxgen.losses import variational
from jaxgen.methods.fits import check, check_decoder, check_encoder
from jaxgen.methods.latent import priors
from jaxgen.methods.latent.bits_back import bits_back
from jaxgen.methods.latent.bound_figures import bound_figures
from jaxgen.methods.latent.priors import Prior
from jaxgen.methods.nulls import density_nulls


def ancestral_sampler(likelihood: Likelihood, *, latent_size: int) -> Callable[[View, Array, int], Array]:
    """`(view, key, count) -> x` drawn from p(x) itself, pixel noise included, where a VAE's `sample` shows means."""

    def sample(view: View, key: Array, count: int) -> Array:
        keys = jax.random.split(key)
        outputs = view("decoder", jax.random.normal(keys[0], (count, latent_size)))
        return likelihood.sample(keys[1], *jnp.unstack(outputs, axis=-1))

    return sample


def vae(
    encoder: Net,
    decoder: Net,
    likelihood: Likelihood,
    *,
    latent_size: int,
    posterior: Net | None = None,
    prior: Prior | None = None,
    beta: Weight = 1.0,
) -> Method:
    """A VAE on the batch field `image` `[batch, height, width, channels]`.

    Args:
      encoder: module of `images -> (mean, log_variance, *context)`, the first two `[batch, latent_size]`.
      decoder: module of `z [batch, latent_size] -> [batch, height, width, channels, outputs]`.
      likelihood: p(x|z), on the values the images have.
      latent_size: length of z.
      posterior: a bijector of z_0, given the context where there is one, which makes q(z|x) of the encoder's Gaussian
        of z_0; None leaves it Gaussian, and its divergence from a standard normal prior analytic.
      prior: of z, as in `jaxgen.methods.latent.priors`; None is standard normal.
      beta: weight of the divergence in training, or a schedule of it (warm-up): Higgins et al. 2017. Held-out figures
        have none.
    """
    nets = {"encoder": encoder, "decoder": decoder} | ({} if posterior is None else {"posterior": posterior})
    nets |= {} if prior is None else {"prior": prior.net}

    def infer(apply: Apply, images: Array, noise: Array | float) -> tuple[Array, Array, tuple[Array, Array]]:
        """z of the posterior and its log q(z|x), from the noise of z_0, and the mean and log-variance of that."""
        mean, log_variance, *context = apply("encoder", images)
        z = mean + jnp.exp(log_variance / 2) * noise
        log_q = variational.gaussian_log_prob(z, mean, log_variance)
        if posterior is not None:
            z, log_det = apply("posterior", z, *context, method="forward_and_log_det")
            log_q = log_q - log_det
        return z, log_q, (mean, log_variance)

    def noise(key: Array, images: Array) -> Array:
        return jax.random.normal(key, (images.shape[0], latent_size))

    def log_likelihood_of(apply: Apply, images: Array, z: Array) -> Array:
        return likelihood.log_prob(images, *jnp.unstack(apply("decoder", z), axis=-1))

    def bound(apply: Apply, images: Array, key: Array) -> tuple[Array, Array]:
        z, log_q, of_z_0 = infer(apply, images, noise(key, images))
        if posterior is None and prior is None:
            kl = variational.gaussian_kl(*of_z_0)
        else:
            kl = log_q - priors.log_prob(apply, prior, z)
        if prior is not None:
            prior.learn(apply, z)
        return log_likelihood_of(apply, images, z), kl

    def log_weight(view: View, batch: Batch, key: Array) -> Array:
        z, log_q, _ = infer(view, batch["image"], noise(key, batch["image"]))
        return jnp.add(*log_joint(view, batch, z)) - log_q

    def log_joint(view: View, batch: Batch, z: Array) -> tuple[Array, Array]:
        return priors.log_prob(view, prior, z), log_likelihood_of(view, batch["image"], z)

    def gaussian(view: View, batch: Batch) -> tuple[Array, Array]:
        return infer(view, batch["image"], 0.0)[2]

    def simulate(view: View, key: Array, count: int) -> tuple[Array, Batch]:
        keys = jax.random.split(key, 3)
        z = jax.random.normal(keys[0], (count, latent_size))
        if prior is not None:
            z = priors.place(prior.components(view), jax.random.split(keys[1], count), z)
        return z, {"image": likelihood.sample(keys[2], *jnp.unstack(view("decoder", z), axis=-1))}

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        log_likelihood, kl = bound(training, batch["image"], key)
        metrics = {"log_likelihood": jnp.mean(log_likelihood), "kl": jnp.mean(kl)}
        return -jnp.mean(variational.elbo(log_likelihood, view.weight(beta) * kl)), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key, 4)
        images, z = batch["image"], jnp.zeros((batch["image"].shape[0], latent_size))
        variables = {
            "encoder": linen.init(modules["encoder"], keys[0], images),
            "decoder": linen.init(modules["decoder"], keys[1], z),
        }
        check_encoder(modules["encoder"], variables["encoder"], images, size=latent_size)
        check_decoder(likelihood, images, modules["decoder"], variables["decoder"], z)
        if posterior is not None:
            _, _, *context = linen.evaluate(modules["encoder"], variables["encoder"], (images,), {})
            variables["posterior"] = linen.init(
                modules["posterior"], keys[2], z, *context, method="forward_and_log_det"
            )
        if prior is not None:
            variables["prior"] = linen.init(modules["prior"], keys[3], images)
            apply = lambda name, *inputs: linen.evaluate(modules[name], variables[name], inputs, {})  # noqa: E731
            means = jax.eval_shape(functools.partial(prior.components, apply)).means
            check("latent_size", (latent_size,), type(modules["prior"]).__name__, means.shape[1:])
        return variables

    def draw(key: Array, count: int, batch: Batch | None) -> Array:
        return jax.random.normal(key, (count, latent_size))

    def decode(view: View, z: Array, key: Array) -> Array:
        return likelihood.mean(*jnp.unstack(view("decoder", z), axis=-1))

    def encode(view: View, batch: Batch) -> Array:
        """The posterior's mean, or where a flow takes that of z_0."""
        return infer(view, batch["image"], 0.0)[0]

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        log_likelihood, kl = bound(view, batch["image"], key)
        return {**bound_figures(log_likelihood, kl, batch["image"]), "kl_nats": kl}

    return CodedMethod(
        name="VAE",
        nets=nets,
        phases=(Phase("elbo", tuple(net for net in nets if net != "prior" or nets[net].optimizer), loss),),
        init=init,
        latents=Latents(draw, decode, encode) if prior is None else priors.latents(prior, likelihood, latent_size),
        evaluate=evaluate,
        code=bits_back(likelihood, latent_size, prior) if posterior is None else None,
        takes={"image": likelihood.images},
        nulls=density_nulls("image", likelihood.takes),
        evidence=Evidence(log_weight, encode, gaussian if posterior is None else None, log_joint, simulate),
    )
