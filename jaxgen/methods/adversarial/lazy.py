"""Lazy regularization: a term that is dear and moves slowly is computed at every k-th step only, k times as large.

Karras et al., 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix B.
"""

import dataclasses

import jax
import optax

from jaxgen.core import Array, Aux, Batch, Method, Phase, View
from jaxgen.methods.adversarial.players import STILL, Players
from jaxgen.methods.adversarial.regularizers import Regularizer, regularize


def lazily(
    game: Method,
    players: Players,
    regularizer: Regularizer,
    *,
    name: str,
    every: int = 16,
    network: str = "critic",
    field: str = "image",
) -> Method:
    """A game with one phase more, of a regularizer alone, after those of the network it is for.

    Args:
      game: of the same players.
      players: of the game.
      regularizer: the term, e.g. R1.
      name: of the phase.
      every: steps from one computation to the next, by which the term is multiplied.
      network: what it moves; its optimizer is best an `adam` of this file.
      field: the batch field of the data.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key)
        move, _ = players.play(view, batch[field], batch, keys[0], hold=STILL)
        value, aux = regularize([regularizer], move, keys[1])
        return every * value, aux

    last = max(index for index, phase in enumerate(game.phases) if network in phase.trains)
    lazy = Phase(name, (network,), loss, every=every)
    return dataclasses.replace(game, phases=(*game.phases[: last + 1], lazy, *game.phases[last + 1 :]))


def adam(learning_rate: float, b1: float, b2: float, *, every: int, eps: float = 1e-8) -> optax.GradientTransformation:
    """Adam of as much memory and reach in k steps of k + 1 updates as it has in k updates: c = k / (k + 1).

    The learning rate times c, and both decays to the power of c.
    """
    c = every / (every + 1)
    return optax.adam(c * learning_rate, b1**c, b2**c, eps)
