"""What a player of an adversarial game may add to its loss: a function of the `Game`, and its weight."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from jaxgen import parts
from jaxgen.core import Array, Aux, View, Weight
from jaxgen.losses import penalties

_OUTPUT_AXES = {"kernel": -1, "transposed_kernel": -2}  # parameter -> its filters' axis


@dataclasses.dataclass(frozen=True)
class Game:
    """A move of the game, as a regularizer sees it.

    Attributes:
      view: the networks, memory and the step.
      critic: `images [batch, ...] -> logits [batch]`, float32, as the critic judges in training (augmentations and the
        batch's condition included), moving no state.
      generate: `latents -> images`, as the generator draws in training, moving no state.
      real: `[batch, ...]`.
      fake: as many generated examples, under the same conditions.
      latents: what they were made of: `z` `[batch, latent_size]`, say, and `label` `[batch]` in a conditional game.
    """

    view: View
    critic: Callable[[Array], Array]
    generate: Callable[[Mapping[str, Array]], Array]
    real: Array
    fake: Array
    latents: Mapping[str, Array]


# (game, key) -> [batch] or [], whose mean is added to a player's loss, and what it logs and keeps: metrics and memory
Regularizer = Callable[[Game, Array], tuple[Array, Aux]]


def regularize(regularizers: Sequence[Regularizer], game: Game, key: Array) -> tuple[Array, Aux]:
    """The sum of the regularizers' means, and their metrics and memory together."""
    total, metrics, memory = jnp.zeros(()), {}, {}
    for index, term in enumerate(regularizers):
        value, aux = term(game, jax.random.fold_in(key, index))
        total += jnp.mean(value)
        metrics, memory = {**metrics, **aux.metrics}, {**memory, **aux.memory}
    return total, Aux({**metrics, "regularization": total} if regularizers else {}, memory=memory)


def weighted(weight: Weight, penalty: Callable[[Game, Array], Array]) -> Regularizer:
    """A penalty `(game, key) -> [batch] or []` of arrays alone, times a number or a schedule of the step."""
    return lambda game, key: (game.view.weight(weight) * penalty(game, key), Aux())


def gradient_penalty(weight: Weight = 10.0, *, target: float = 1.0) -> Regularizer:
    """WGAN-GP's, for the critic: `penalties.gradient_penalty`."""
    return weighted(
        weight, lambda game, key: penalties.gradient_penalty(game.critic, game.real, game.fake, key, target=target)
    )


def r1(gamma: Weight) -> Regularizer:
    """`gamma / 2 |grad f|^2` at the data, for the critic: `penalties.r1`."""
    return weighted(gamma, lambda game, key: penalties.r1(game.critic, game.real) / 2)


def r2(gamma: Weight) -> Regularizer:
    """`gamma / 2 |grad f|^2` at generated examples, for the critic: `penalties.r1` of those."""
    return weighted(gamma, lambda game, key: penalties.r1(game.critic, jax.lax.stop_gradient(game.fake)) / 2)


def max_gradient_penalty(weight: Weight) -> Regularizer:
    """LGAN's, for the critic: `penalties.max_gradient_penalty`."""
    return weighted(weight, lambda game, key: penalties.max_gradient_penalty(game.critic, game.real, game.fake, key))


def orthogonal(weight: Weight, *, network: str = "generator", norms: bool = False) -> Regularizer:
    """Filters at right angles in every kernel of a network, for that network: `penalties.orthogonality`.

    Tables of embeddings, whose rows are no filters, are left alone.
    """

    def term(game: Game, key: Array) -> Array:
        leaves = jax.tree_util.tree_leaves_with_path(game.view.params[network])
        kernels = [(leaf, _OUTPUT_AXES[path[-1].key]) for path, leaf in leaves if path[-1].key in _OUTPUT_AXES]
        # In parts along the inputs, sums over which are small matrices.
        terms = [
            penalties.orthogonality(parts.split(kernel, -3 - axis), norms=norms, output_axis=axis)
            for kernel, axis in kernels
        ]
        return sum(terms, jnp.zeros(()))

    return weighted(weight, term)


def mode_seeking(weight: Weight) -> Regularizer:
    """Other images for other latents under the same condition, for the generator: `penalties.mode_seeking`."""

    def term(game: Game, key: Array) -> Array:
        z = game.latents["z"]
        other = jax.random.normal(key, z.shape, z.dtype)
        return penalties.mode_seeking(z, game.fake, other, game.generate({**game.latents, "z": other}))

    return weighted(weight, term)
