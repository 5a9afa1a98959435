"""Controlled generation of text: a VAE whose code means what discriminators of attributes say it means.

Hu, Yang, Liang, Salakhutdinov & Xing, 2017, "Toward Controlled Generation of Text", algorithm 1. Awake, encoder and
generator explain sentences, and discriminators learn from those that are labelled; asleep, each learns from what the
generator makes up: the generator, through samples that are probabilities, to be told by its code and its z, and the
discriminators the code that it was told.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen import linen
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.fields import Field, label
from jaxgen.losses import variational
from jaxgen.losses.arrays import at_least_float32


def controlled(
    encoder: Net,
    generator: Net,
    discriminator: Net,
    *,
    vocabulary: int,
    classes: Sequence[int],
    latent_size: int,
    attribute: Weight = 0.1,
    independence: Weight = 0.1,
    temperature: Weight = 1.0,
    beta: Weight = 1.0,
    dreams: Weight = 0.1,
    entropy: Weight = 0.1,
) -> Method:
    """A VAE on the batch field `tokens` `[batch, length]`, and `attributes` `[batch, attributes]`, -1 where unknown.

    Samples are symbols, the likeliest at each place.

    Args:
      encoder: module of `probabilities of symbols [batch, length, vocabulary] -> (mean, log_variance)` of z.
      generator: module of `z [batch, latent_size], one-hot codes [batch, sum(classes)] -> logits`.
      discriminator: module of `probabilities of symbols -> logits [batch, classes] of each attribute, a tuple`.
      vocabulary: how many symbols.
      classes: of each attribute.
      latent_size: length of z.
      attribute: weight of what the discriminators say of the code (lambda_c of equation 8).
      independence: weight of what the encoder says of z (lambda_z); with neither, it is a plain VAE with a code.
      temperature: of the probabilities that stand for samples, by the step.
      beta: weight of the divergence, by the step.
      dreams: weight of generated sentences to the discriminators (lambda_u of equation 11).
      entropy: weight, there, of the entropy of what they say, which is to be small; equation 10 has the other sign,
        its text this one.
    """
    size = len(classes)

    def one_hot(code: Array) -> Array:
        return jnp.concatenate([jax.nn.one_hot(code[:, i], count) for i, count in enumerate(classes)], axis=-1)

    def any_code(key: Array, count: int) -> Array:
        return jax.random.randint(key, (count, size), 0, jnp.asarray(classes))

    def log_q(apply: Apply, x: Array) -> list[Array]:
        """Log-probabilities of every attribute's classes."""
        return [jax.nn.log_softmax(at_least_float32(logits)[0]) for logits in apply("discriminator", x)]

    def log_q_of(apply: Apply, x: Array, code: Array) -> Array:
        """Of one class of each attribute `[batch, attributes]`."""
        each = [jnp.take_along_axis(p, code[:, i, None], axis=1)[:, 0] for i, p in enumerate(log_q(apply, x))]
        return jnp.stack(each, axis=1)

    def filled(view: View, x: Array, told: Array, key: Array) -> Array:
        """The code of a sentence; where it is not told, a draw of the discriminators'."""
        keys = jax.random.split(key, size)
        drawn = [jax.random.categorical(k, p) for k, p in zip(keys, log_q(view, x), strict=True)]
        return jnp.where(told < 0, stop_gradient(jnp.stack(drawn, axis=1)), told)

    def logits_of(apply: Apply, z: Array, code: Array) -> Array:
        return at_least_float32(apply("generator", z, one_hot(code)))[0]

    def bound(apply: Apply, tokens: Array, code: Array, key: Array) -> tuple[Array, Array]:
        mean, log_variance = apply("encoder", jax.nn.one_hot(tokens, vocabulary))
        z = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
        log_p = jax.nn.log_softmax(logits_of(apply, z, code))
        log_likelihood = jnp.sum(jnp.take_along_axis(log_p, tokens[..., None], axis=-1)[..., 0], axis=1)
        return log_likelihood, variational.gaussian_kl(mean, log_variance)

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 5)
        tokens, training = batch["tokens"], view.training(keys[0])
        code = filled(view, jax.nn.one_hot(tokens, vocabulary), batch["attributes"], keys[1])
        log_likelihood, kl = bound(training, tokens, code, keys[2])

        # Asleep: no gradient reaches the encoder, which only says what it would have inferred.
        z, code = jax.random.normal(keys[3], (len(tokens), latent_size)), any_code(keys[4], len(tokens))
        soft = jax.nn.softmax(logits_of(training, z, code) / view.weight(temperature))
        judges = view.stopped("encoder")
        of_code = -jnp.mean(jnp.sum(log_q_of(judges, soft, code), axis=1))
        of_z = -jnp.mean(variational.gaussian_log_prob(z, *judges("encoder", soft)))

        elbo = variational.elbo(log_likelihood, view.weight(beta) * kl)
        value = -jnp.mean(elbo) + view.weight(attribute) * of_code + view.weight(independence) * of_z
        metrics = {"kl": jnp.mean(kl), "nats": jnp.mean(kl - log_likelihood), "attribute": of_code, "z": of_z}
        return value, Aux(metrics, training.moved)

    def discriminator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 4)
        tokens, told, training = batch["tokens"], batch["attributes"], view.training(keys[0])
        known = told >= 0
        log_p = log_q_of(training, jax.nn.one_hot(tokens, vocabulary), jnp.maximum(told, 0))
        supervised = -jnp.sum(jnp.where(known, log_p, 0)) / jnp.maximum(jnp.sum(known[:, 0]), 1)

        z, code = jax.random.normal(keys[1], (len(tokens), latent_size)), any_code(keys[2], len(tokens))
        written = jax.nn.one_hot(jax.random.categorical(keys[3], logits_of(view, z, code)), vocabulary)
        said = log_q(training, written)
        of_code = sum(-jnp.take_along_axis(p, code[:, i, None], axis=1)[:, 0] for i, p in enumerate(said))
        doubt = sum(-jnp.sum(jnp.exp(p) * p, axis=-1) for p in said)
        value = supervised + view.weight(dreams) * jnp.mean(of_code + view.weight(entropy) * doubt)
        return value, Aux({"supervised": supervised, "dreams": jnp.mean(of_code)}, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys, x = jax.random.split(key, 3), jax.nn.one_hot(batch["tokens"], vocabulary)
        z = jnp.zeros((len(x), latent_size))
        return {
            "encoder": linen.init(modules["encoder"], keys[0], x),
            "generator": linen.init(modules["generator"], keys[1], z, one_hot(jnp.zeros((len(x), size), int))),
            "discriminator": linen.init(modules["discriminator"], keys[2], x),
        }

    def prior(key: Array, count: int, batch: Batch | None) -> dict[str, Array]:
        keys = jax.random.split(key)
        return {"z": jax.random.normal(keys[0], (count, latent_size)), "code": any_code(keys[1], count)}

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        return jnp.argmax(logits_of(view, latents["z"], latents["code"]), axis=-1)

    def encode(view: View, batch: Batch) -> dict[str, Array]:
        x = jax.nn.one_hot(batch["tokens"], vocabulary)
        said = jnp.stack([jnp.argmax(p, axis=-1) for p in log_q(view, x)], axis=1)
        return {"z": view("encoder", x)[0], "code": said}

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """The bound of sentences whose code is known, and how often the discriminators say so."""
        log_likelihood, kl = bound(view, batch["tokens"], batch["attributes"], key)
        said = encode(view, batch)["code"]
        return {
            "nats": kl - log_likelihood,
            "kl_nats": kl,
            "discriminator_accuracy": jnp.mean(said == batch["attributes"], axis=1),
        }

    return Method(
        name="controlled text",
        nets={"encoder": encoder, "generator": generator, "discriminator": discriminator},
        phases=(
            Phase("generator", ("encoder", "generator"), generator_loss),
            Phase("discriminator", ("discriminator",), discriminator_loss),
        ),
        init=init,
        latents=Latents(prior, decode, encode),
        evaluate=evaluate,
        takes={"tokens": label(vocabulary), "attributes": Field()},
    )
