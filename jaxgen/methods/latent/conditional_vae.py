"""Conditional VAEs: an encoder and a decoder that are told each image's class, so that z is what the class leaves open.

Sohn et al., 2015, "Learning Structured Output Representation using Deep Conditional Generative Models", eq. 4, with the
prior of z independent of the condition; Kingma et al., 2014, "Semi-supervised Learning with Deep Generative Models".
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Evidence, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import label
from jaxgen.likelihoods import Likelihood
from jaxgen.losses import variational
from jaxgen.methods.fits import check_decoder, check_encoder
from jaxgen.methods.latent.bound_figures import bound_figures
from jaxgen.methods.nulls import density_nulls


def conditional_vae(
    encoder: Net, decoder: Net, likelihood: Likelihood, *, latent_size: int, classes: int, beta: Weight = 1.0
) -> Method:
    """A VAE of p(x|c) on the batch fields `image` `[batch, height, width, channels]` and `label` `[batch]`.

    Args:
      encoder: module of `(images, label) -> (mean, log_variance)`, `[batch, latent_size]` each.
      decoder: module of `(z [batch, latent_size], label) -> [batch, height, width, channels, outputs]`.
      likelihood: p(x|z, c), on the values the images have.
      latent_size: length of z.
      classes: how many there are; samples are of each as often.
      beta: weight of the divergence in training, or a schedule of it. Held-out figures have none.
    """

    def log_likelihood(apply: Any, batch: Batch, z: Array) -> Array:
        return likelihood.log_prob(batch["image"], *jnp.unstack(apply("decoder", z, batch["label"]), axis=-1))

    def posterior(apply: Any, batch: Batch) -> tuple[Array, Array]:
        mean, log_variance = apply("encoder", batch["image"], batch["label"])
        return mean, log_variance

    def draw(key: Array, mean: Array, log_variance: Array) -> Array:
        return mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)

    def bound(apply: Any, batch: Batch, key: Array) -> tuple[Array, Array]:
        q = posterior(apply, batch)
        return log_likelihood(apply, batch, draw(key, *q)), variational.gaussian_kl(*q)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        reconstruction, kl = bound(training, batch, key)
        metrics = {"log_likelihood": jnp.mean(reconstruction), "kl": jnp.mean(kl)}
        return -jnp.mean(variational.elbo(reconstruction, view.weight(beta) * kl)), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys, given = jax.random.split(key), batch["label"]
        z = jnp.zeros((len(given), latent_size))
        variables = {
            "encoder": linen.init(modules["encoder"], keys[0], batch["image"], given),
            "decoder": linen.init(modules["decoder"], keys[1], z, given),
        }
        check_encoder(modules["encoder"], variables["encoder"], batch["image"], given, size=latent_size)
        check_decoder(likelihood, batch["image"], modules["decoder"], variables["decoder"], z, given)
        return variables

    def prior(key: Array, count: int, batch: Batch | None) -> Mapping[str, Array]:
        """Of examples that are given other images of their classes."""
        keys = jax.random.split(key)
        given = jax.random.randint(keys[1], (count,), 0, classes) if batch is None else batch["label"]
        return {"z": jax.random.normal(keys[0], (count, latent_size)), "label": given}

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        return likelihood.mean(*jnp.unstack(view("decoder", latents["z"], latents["label"]), axis=-1))

    def encode(view: View, batch: Batch) -> Mapping[str, Array]:
        return {"z": posterior(view, batch)[0], "label": batch["label"]}

    def log_joint(view: View, batch: Batch, z: Array) -> tuple[Array, Array]:
        zero = jnp.zeros_like(z)
        return variational.gaussian_log_prob(z, zero, zero), log_likelihood(view, batch, z)

    def log_weight(view: View, batch: Batch, key: Array) -> Array:
        q = posterior(view, batch)
        z = draw(key, *q)
        return jnp.add(*log_joint(view, batch, z)) - variational.gaussian_log_prob(z, *q)

    def simulate(view: View, key: Array, count: int) -> tuple[Array, Batch]:
        keys = jax.random.split(key)
        latents = prior(keys[0], count, None)
        outputs = jnp.unstack(view("decoder", latents["z"], latents["label"]), axis=-1)
        return latents["z"], {"image": likelihood.sample(keys[1], *outputs), "label": latents["label"]}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        reconstruction, kl = bound(view, batch, key)
        return {**bound_figures(reconstruction, kl, batch["image"]), "kl_nats": kl}

    return Method(
        name="conditional VAE",
        nets={"encoder": encoder, "decoder": decoder},
        phases=(Phase("elbo", ("encoder", "decoder"), loss),),
        init=init,
        latents=Latents(prior, decode, encode),
        evaluate=evaluate,
        takes={"image": likelihood.images, "label": label(classes)},
        nulls=density_nulls("image", likelihood.takes),
        evidence=Evidence(log_weight, lambda view, batch: posterior(view, batch)[0], posterior, log_joint, simulate),
    )
