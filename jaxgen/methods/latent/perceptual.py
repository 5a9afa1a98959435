"""Autoencoders judged by features: of a network that has learned something else, or of a critic that learns beside.

Hou et al., 2017, "Deep Feature Consistent Variational Autoencoder"; Larsen et al., 2016, "Autoencoding beyond pixels
using a learned similarity metric" (VAE-GAN), algorithm 1. Neither is a density: their figures are no likelihoods.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import SIGNED
from jaxgen.losses import variational
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32, sum_event_axes
from jaxgen.methods.adversarial.players import STILL
from jaxgen.methods.fits import check_encoder, check_output


def feature_distance(a: Any, b: Any) -> Array:
    """Squared distance of features, arrays `[batch, ...]` or a tree of such, summed: `[batch]`."""

    def apart(x: Any, y: Any) -> Array:
        x, y = at_least_float32(x, y)
        return sum_event_axes(jnp.square(x - y))

    return sum(jax.tree.leaves(jax.tree.map(apart, a, b)), jnp.zeros(()))


def perceptual_vae(
    encoder: Net, decoder: Net, features: Net, *, latent_size: int, beta: Weight = 1.0, method: str = "__call__"
) -> Method:
    """A VAE of the batch field `image` whose reconstruction is judged by a network that stands still.

    Args:
      encoder: module of `images -> (mean, log_variance)`, `[batch, latent_size]` each.
      decoder: module of `z [batch, latent_size] -> images`.
      features: module of `images -> features`; `Net(module, start=jaxgen.from_run(RUN, NET))` has them from a run.
      latent_size: length of z.
      beta: weight of the divergence against the distance, or a schedule of it.
      method: of the features' module, such as "hidden" of a classifier.
    """

    def parts(apply: Apply, view: View, batch: Batch, key: Array) -> tuple[Array, Array]:
        """The features' distance and the divergence, `[batch]` each."""
        images = batch["image"]
        still = view.stopped("features")
        z, kl = _infer(apply, images, key)
        again = apply("decoder", z)
        return feature_distance(*(still("features", x, method=method) for x in (again, images))), kl

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        distance, kl = parts(training, view, batch, key)
        metrics = {"feature_distance": jnp.mean(distance), "kl": jnp.mean(kl)}
        return jnp.mean(distance) + view.weight(beta) * jnp.mean(kl), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        variables = linen.init(modules["features"], keys[1], batch["image"])
        return {**_init(modules, keys[0], batch, latent_size), "features": variables}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        distance, kl = parts(view, view, batch, key)
        return {"feature_distance": distance, "kl_nats": kl}

    return Method(
        name="perceptual VAE",
        nets={"encoder": encoder, "decoder": decoder, "features": features},
        phases=(Phase("features", ("encoder", "decoder"), loss),),
        init=init,
        latents=_latents(latent_size),
        evaluate=evaluate,
        takes={"image": SIGNED},
    )


def vae_gan(
    encoder: Net, decoder: Net, critic: Net, loss: AdversarialLoss, *, latent_size: int, gamma: Weight = 1e-2
) -> Method:
    """A VAE of the batch field `image` whose decoder is a GAN's generator and whose reconstruction its critic judges.

    Three phases, each with its own loss: the encoder's has no adversarial term, the critic's no reconstruction.

    Args:
      encoder: as of `perceptual_vae`.
      decoder: as of `perceptual_vae`.
      critic: module of `images -> (logits [batch], features [batch, ...])`.
      loss: the game of the logits.
      latent_size: length of z.
      gamma: weight of the reconstruction against the game in the decoder's loss.
    """

    def made(encode: Apply, decode: Apply, images: Array, key: Array) -> tuple[Array, Array, Array]:
        """Reconstructions, samples of the prior and the divergence `[batch]`."""
        keys = jax.random.split(key)
        z, kl = _infer(encode, images, keys[0])
        prior = jax.random.normal(keys[1], z.shape)
        return decode("decoder", z), decode("decoder", prior), kl

    def judge(apply: Apply, images: Array) -> tuple[Array, Any]:
        """The logits, `[batch]`, and the features."""
        logits, features = apply("critic", images)
        return at_least_float32(logits)[0], features

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        others, own = view.training(keys[0], hold=STILL), view.training(keys[1])
        again, dreamt, _ = made(others, others, batch["image"], keys[2])
        real, *fakes = (judge(own, x)[0] for x in (batch["image"], again, dreamt))
        value = sum((jnp.mean(loss.critic(real, fake)) for fake in fakes), jnp.zeros(())) / 2
        return value, Aux({"real": jnp.mean(real), "fake": jnp.mean(fakes[1])}, own.moved)

    def encoder_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        own, others = view.training(keys[0]), view.training(keys[1], hold=STILL)
        z, kl = _infer(own, batch["image"], keys[2])
        again = others("decoder", z)
        distance = feature_distance(*(judge(others, x)[1] for x in (again, batch["image"])))
        metrics = {"feature_distance": jnp.mean(distance), "kl": jnp.mean(kl)}
        return jnp.mean(distance / 2 + kl), Aux(metrics, {"encoder": own.moved["encoder"]})

    def decoder_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        own, others = view.training(keys[0]), view.training(keys[1], hold=STILL)
        again, dreamt, _ = made(others, own, batch["image"], keys[2])
        (real, seen), (fake, features), (other, _) = (judge(others, x) for x in (batch["image"], again, dreamt))
        game = (jnp.mean(loss.generator(real, fake)) + jnp.mean(loss.generator(real, other))) / 2
        distance = jnp.mean(feature_distance(features, seen)) / 2
        return view.weight(gamma) * distance + game, Aux({"game": game}, own.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        variables = linen.init(modules["critic"], keys[1], batch["image"])
        return {**_init(modules, keys[0], batch, latent_size), "critic": variables}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """The distance of features, and of the pixels, which the critic cannot make small, beside a random image's."""
        again, dreamt, kl = made(view, view, batch["image"], key)
        (real, seen), (_, features), (fake, _) = (judge(view, x) for x in (batch["image"], again, dreamt))

        def distance(y: Array) -> Array:
            return jnp.sqrt(feature_distance(y, batch["image"]))

        return {
            "critic_accuracy": (1 + jnp.sign(real - fake)) / 2,
            "feature_distance": feature_distance(features, seen),
            "kl_nats": kl,
            "reconstruction": distance(again),
            "random_reconstruction": distance(dreamt),
        }

    return Method(
        name="VAE-GAN",
        nets={"encoder": encoder, "decoder": decoder, "critic": critic},
        phases=(
            Phase("critic", ("critic",), critic_loss),
            Phase("encoder", ("encoder",), encoder_loss),
            Phase("decoder", ("decoder",), decoder_loss),
        ),
        init=init,
        latents=_latents(latent_size),
        evaluate=evaluate,
        takes={"image": SIGNED},
    )


def _infer(apply: Apply, images: Array, key: Array) -> tuple[Array, Array]:
    mean, log_variance = at_least_float32(*apply("encoder", images))
    z = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
    return z, variational.gaussian_kl(mean, log_variance)


def _init(modules: Mapping[str, Module], key: Array, batch: Batch, latent_size: int) -> dict[str, Any]:
    keys = jax.random.split(key)
    images, z = batch["image"], jnp.zeros((batch["image"].shape[0], latent_size))
    encoder, decoder = linen.init(modules["encoder"], keys[0], images), linen.init(modules["decoder"], keys[1], z)
    check_encoder(modules["encoder"], encoder, images, size=latent_size)
    check_output("the images' shape", images.shape[1:], modules["decoder"], decoder, z)
    return {"encoder": encoder, "decoder": decoder}


def _latents(latent_size: int) -> Latents:
    def draw(key: Array, count: int, batch: Batch | None) -> Array:
        return jax.random.normal(key, (count, latent_size))

    def decode(view: View, z: Array, key: Array) -> Array:
        return view("decoder", z)

    def encode(view: View, batch: Batch) -> Array:
        return view("encoder", batch["image"])[0]

    return Latents(draw, decode, encode)
