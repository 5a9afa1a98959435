"""Generative adversarial networks: the critic moves k times, then the generator once.

Goodfellow et al., 2014, "Generative Adversarial Nets", algorithm 1; any `AdversarialLoss` takes the place of its value
function. What later work adds is composed: regularizers and augmentations are functions given to `gan`, clipped weights
and averages are optimizers', spectral normalization is the critic's layers', two learning rates are two `Net`s', and
`simultaneous` moves both players at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.methods.adversarial.players import STILL, Augmentation, Players, spectral_norms, taken
from jaxgen.methods.adversarial.priors import Prior, categorical, joint
from jaxgen.methods.adversarial.regularizers import Regularizer, regularize


def gan(
    generator: Net,
    critic: Net,
    loss: AdversarialLoss,
    *,
    prior: Prior,
    critic_steps: int = 1,
    classes: int | None = None,
    critic_regularizers: Sequence[Regularizer] = (),
    generator_regularizers: Sequence[Regularizer] = (),
    augmentations: Sequence[Augmentation] = (),
    together: bool = False,
    field: str = "image",
) -> Method:
    """A GAN on the batch field `image` `[batch, height, width, channels]` in [-1, 1].

    Args:
      generator: module of `*latents [batch, ...] -> images`, as many as the prior has parts.
      critic: module of `images -> logits [batch]`.
      loss: the functions of logits.
      prior: of the generator's latents.
      critic_steps: critic updates, each on a fresh batch, before the generator's.
      classes: how many values the batch field `label` (int `[batch]`) has in a conditional GAN, whose modules take
        labels as a last argument: in training those of the batch, in sampling uniform ones. None for no condition.
      critic_regularizers: what is added to the critic's loss.
      generator_regularizers: what is added to the generator's loss.
      augmentations: what both real and generated images go through, in order, before the critic sees them.
      together: whether the critic learns from real and generated examples in one pass: faster, and not for critics that
        normalize by the batch.
      field: the batch field of the data, where that is not images.
    """
    prior = prior if classes is None else joint(prior, categorical(classes))
    players = Players(prior, classes is not None, augmentations, together)

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 4)
        game, _ = players.play(view, batch[field], batch, keys[0], hold=STILL)
        (real, fake), _, moved = players.discriminate(view, game, batch, keys[1:3])
        added, aux = regularize(critic_regularizers, game, keys[3])
        metrics = {"real": jnp.mean(real), "fake": jnp.mean(fake), **aux.metrics, **spectral_norms(moved)}
        return jnp.mean(loss.critic(real, fake)) + added, Aux(metrics, {"critic": moved}, aux.memory)

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 4)
        game, moved = players.play(view, batch[field], batch, keys[0])
        # The critic's statistics belong to its own phase: here they are computed and thrown away.
        fake, _, _ = players.judge(view, game.fake, batch, keys[1], hold=STILL)
        real = players.judge(view, game.real, batch, keys[3], hold=STILL)[0] if loss.paired else None
        added, aux = regularize(generator_regularizers, game, keys[2])
        metrics = {**aux.metrics, **spectral_norms(moved)}
        return jnp.mean(loss.generator(real, fake)) + added, Aux(metrics, {"generator": moved}, aux.memory)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return players.init(modules, key, batch[field], batch)

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"critic_accuracy": players.critic_accuracy(view, batch[field], batch, key)}

    return Method(
        name="GAN",
        nets={"generator": generator, "critic": critic},
        phases=(
            Phase("critic", ("critic",), critic_loss, repeats=critic_steps),
            Phase("generator", ("generator",), generator_loss),
        ),
        init=init,
        latents=players.sampling(),
        evaluate=evaluate,
        takes=taken(field, classes),
    )
