"""A GAN of discrete sequences whose symbols are relaxed to points of the simplex, so that gradients pass.

Kusner & Hernandez-Lobato, 2016, "GANS for Sequences of Discrete Elements with the Gumbel-softmax Distribution"; Jang et
al., 2017, "Categorical Reparameterization with Gumbel-Softmax". Real symbols are relaxed like generated ones, or the
critic would know them by their corners.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import stop_gradient

from jaxgen.core import Array, Batch, Latents, Method, Net, View, Weight
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.players import Augmentation, Players
from jaxgen.methods.adversarial.priors import Prior

_SURE = 12.0  # the logit of a real symbol beside zeros: one in 30,000 becomes another for every other symbol there is


def gumbel_gan(
    generator: Net,
    critic: Net,
    loss: AdversarialLoss,
    *,
    prior: Prior,
    temperature: Weight = 1.0,
    straight_through: bool = False,
    field: str = "logits",
    **settings: Any,
) -> Method:
    """A GAN on the batch field `logits` `[batch, length, vocabulary]`, which `certain` makes of symbols.

    Samples are symbols, int `[count, length]`, drawn as training draws them.

    Args:
      generator: module of `*latents -> logits [batch, length, vocabulary]`.
      critic: module of `[batch, length, vocabulary]`, each symbol on the simplex, to `logits [batch]`.
      loss: the functions of the critic's logits.
      prior: of the generator's latents.
      temperature: of the relaxation, by the step.
      straight_through: whether the critic sees the symbol itself, and the gradient that of the relaxed one.
      field: the batch field of the data.
      **settings: of `gan`.
    """
    relax = relaxed(temperature, straight_through=straight_through)
    game = gan(generator, critic, loss, prior=prior, augmentations=[relax], field=field, **settings)
    players = Players(prior)

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        return jax.random.categorical(key, at_least_float32(players.decode(view, latents, key))[0])

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """How often a real sequence has a higher score than a generated one, both relaxed as in training."""
        keys = jax.random.split(key, 3)
        fake = players.decode(view, prior.draw(keys[0], len(batch[field])), keys[0])
        scores = [view("critic", relax(x, k, view.step)) for x, k in ((batch[field], keys[1]), (fake, keys[2]))]
        return {"critic_accuracy": (1 + jnp.sign(scores[0] - scores[1])) / 2}

    return dataclasses.replace(
        game, name="Gumbel-softmax GAN", latents=Latents(players.latents, decode), evaluate=evaluate
    )


def relaxed(temperature: Weight, *, straight_through: bool = False) -> Augmentation:
    """Logits `[..., vocabulary]` to `softmax((logits + Gumbel noise) / temperature)`, whose argmax is a draw.

    Args:
      temperature: by the step; towards 0 the corners of the simplex, with ever larger gradients.
      straight_through: whether the value is that corner, whatever the temperature.
    """

    def relax(logits: Array, key: Array, step: Array) -> Array:
        (logits,) = at_least_float32(logits)
        noisy = logits + jax.random.gumbel(key, logits.shape, logits.dtype)
        soft = jax.nn.softmax(noisy / (temperature(step) if callable(temperature) else temperature))
        if not straight_through:
            return soft
        hard = jax.nn.one_hot(jnp.argmax(noisy, axis=-1), logits.shape[-1], dtype=soft.dtype)
        return soft + stop_gradient(hard - soft)

    return relax


def certain(tokens: np.ndarray, vocabulary: int) -> np.ndarray:
    """Logits `[..., vocabulary]`, float32, of symbols: their own is the largest by far."""
    return np.float32(_SURE) * (np.asarray(tokens)[..., None] == np.arange(vocabulary))
