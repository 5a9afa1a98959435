"""Generative adversarial networks: the critic moves k times, then the generator once.

Goodfellow et al., 2014, "Generative Adversarial Nets", algorithm 1; any `AdversarialLoss` takes the place of its value
function.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, Variables, View
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32

# What a forward pass in training may move: running averages and power iterations.
_STATE = ["batch_stats", "spectral"]


def gan(generator: Net, critic: Net, loss: AdversarialLoss, *, latent_size: int, critic_steps: int = 1) -> Method:
    """A GAN on the batch field `image` `[batch, height, width, channels]` in [-1, 1].

    Args:
      generator: module of `(z [batch, latent_size], *, train) -> images`.
      critic: module of `(images, *, train) -> logits [batch]`.
      loss: the three functions of logits.
      latent_size: length of the standard normal z.
      critic_steps: critic updates, each on a fresh batch, before the generator's.
    """

    def prior(key: Array, count: int) -> Array:
        return jax.random.normal(key, (count, latent_size))

    def decode(view: View, z: Array) -> Array:
        return view("generator", z, train=False)

    def generate(view: View, key: Array, count: int) -> tuple[Array, Variables]:
        return view("generator", prior(key, count), train=True, mutable=_STATE)

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        real = batch["image"]
        fake, _ = generate(view, key, real.shape[0])
        real_logits, moved = view("critic", real, train=True, mutable=_STATE)
        fake_logits, moved = view.moved("critic", moved)("critic", fake, train=True, mutable=_STATE)
        real_logits, fake_logits = at_least_float32(real_logits, fake_logits)
        value = jnp.mean(loss.real(real_logits)) + jnp.mean(loss.fake(fake_logits))
        return value, Aux({"real": jnp.mean(real_logits), "fake": jnp.mean(fake_logits)}, {"critic": moved})

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        fake, moved = generate(view, key, batch["image"].shape[0])
        # The critic's statistics belong to its own phase: here they are computed and thrown away.
        logits, _ = view("critic", fake, train=True, mutable=_STATE)
        return jnp.mean(loss.generator(logits)), Aux(variables={"generator": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        z = jnp.zeros((batch["image"].shape[0], latent_size))
        return {
            "generator": modules["generator"].init(keys[0], z, train=True),
            "critic": modules["critic"].init(keys[1], batch["image"], train=True),
        }

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        fake = decode(view, prior(key, batch["image"].shape[0]))
        return {
            "critic_accuracy_real": view("critic", batch["image"], train=False) > 0,
            "critic_accuracy_generated": view("critic", fake, train=False) <= 0,
        }

    return Method(
        name="GAN",
        nets={"generator": generator, "critic": critic},
        phases=(Phase(("critic",), critic_loss, repeats=critic_steps), Phase(("generator",), generator_loss)),
        init=init,
        latents=Latents(prior, decode),
        evaluate=evaluate,
    )
