"""What a player of an adversarial game may add to its loss: a function of the `Game`, and its weight."""

import dataclasses
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxgen.core import Array, View
from jaxgen.losses import penalties

_OUTPUT_AXES = {"kernel": -1, "transposed_kernel": -2}  # parameter -> its filters' axis


@dataclasses.dataclass(frozen=True)
class Game:
    """A move of the game, as a regularizer sees it.

    Attributes:
      view: the networks.
      critic: `images [batch, ...] -> logits [batch]`, float32, as the critic judges in training (augmentations and the
        batch's condition included), moving no state.
      generate: `latents -> images`, as the generator draws in training, moving no state.
      real: `[batch, ...]`.
      fake: as many generated examples, under the same conditions.
      latents: what they were made of: `z` `[batch, latent_size]`, and `label` `[batch]` in a conditional game.
    """

    view: View
    critic: Callable[[Array], Array]
    generate: Callable[[Mapping[str, Array]], Array]
    real: Array
    fake: Array
    latents: Mapping[str, Array]


Regularizer = Callable[[Game, Array], Array]  # (game, key) -> [batch] or []; its mean is added to a player's loss


def gradient_penalty(weight: float = 10.0, *, target: float = 1.0) -> Regularizer:
    """WGAN-GP's, for the critic: `penalties.gradient_penalty`."""
    return lambda game, key: weight * penalties.gradient_penalty(game.critic, game.real, game.fake, key, target=target)


def r1(gamma: float) -> Regularizer:
    """`gamma / 2 |grad f|^2` at the data, for the critic: `penalties.r1`."""
    return lambda game, key: gamma / 2 * penalties.r1(game.critic, game.real)


def r2(gamma: float) -> Regularizer:
    """`gamma / 2 |grad f|^2` at generated examples, for the critic: `penalties.r1` of those."""
    return lambda game, key: gamma / 2 * penalties.r1(game.critic, jax.lax.stop_gradient(game.fake))


def max_gradient_penalty(weight: float) -> Regularizer:
    """LGAN's, for the critic: `penalties.max_gradient_penalty`."""
    return lambda game, key: weight * penalties.max_gradient_penalty(game.critic, game.real, game.fake, key)


def orthogonal(weight: float, *, network: str = "generator", norms: bool = False) -> Regularizer:
    """Filters at right angles in every kernel of a network, for that network: `penalties.orthogonality`.

    Tables of embeddings, whose rows are no filters, are left alone.
    """

    def term(game: Game, key: Array) -> Array:
        leaves = jax.tree_util.tree_leaves_with_path(game.view.params[network])
        kernels = [(leaf, _OUTPUT_AXES[path[-1].key]) for path, leaf in leaves if path[-1].key in _OUTPUT_AXES]
        terms = [penalties.orthogonality(kernel, norms=norms, output_axis=axis) for kernel, axis in kernels]
        return weight * sum(terms, jnp.zeros(()))

    return term


def mode_seeking(weight: float) -> Regularizer:
    """Other images for other latents under the same condition, for the generator: `penalties.mode_seeking`."""

    def term(game: Game, key: Array) -> Array:
        z = game.latents["z"]
        other = jax.random.normal(key, z.shape, z.dtype)
        return weight * penalties.mode_seeking(z, game.fake, other, game.generate({**game.latents, "z": other}))

    return term
