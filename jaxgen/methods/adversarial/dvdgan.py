"""DVD-GAN: clips judged twice, a few frames for what is seen, and the whole clip, made coarse, for how it moves.

Clark, Donahue & Simonyan, 2019, "Adversarial Video Generation on Complex Datasets", section 3.1. Neither critic alone
is enough: one is blind to the order of frames, the other to what pooling takes away.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, View
from jaxgen.errors import UserError
from jaxgen.fields import Field
from jaxgen.layers.resample import mean_pool
from jaxgen.losses.adversarial import Separable
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.players import STILL, spectral_norms
from jaxgen.methods.adversarial.priors import Prior

Sees = Callable[[Array, Array], Array]  # (clips [batch, time, height, width, channels], key) -> what a critic judges


class Critic(NamedTuple):
    """One of several.

    Attributes:
      net: module of what it sees to logits `[batch]`.
      sees: `(clips, key) -> what it sees of them`; no name of it is that of a network.
    """

    net: Net
    sees: Sees


def some_frames(count: int) -> Sees:
    """So many frames of each clip, in their order, drawn anew for each: what DVD-GAN's spatial critic sees (k = 8)."""

    def sees(clips: Array, key: Array) -> Array:
        if count > clips.shape[1]:
            raise UserError(
                f"some_frames({count}) of clips of {clips.shape[1]} frames; ask for no more than there are."
            )
        scores = jax.random.uniform(key, clips.shape[:2])
        chosen = jnp.sort(jnp.argsort(scores, axis=1)[:, :count], axis=1)
        return jnp.take_along_axis(clips, chosen[:, :, None, None, None], axis=1)

    return sees


def all_pooled(clips: Array, key: Array) -> Array:
    """Every frame, the means of its 2x2 pixels: what DVD-GAN's temporal critic sees."""
    frames = mean_pool(clips.reshape(-1, *clips.shape[2:]))
    return frames.reshape(*clips.shape[:2], *frames.shape[1:])


def dvdgan(
    generator: Net,
    critics: Mapping[str, Critic],
    loss: Separable,
    *,
    prior: Prior,
    critic_steps: int = 1,
    field: str = "video",
) -> Method:
    """A game on the batch field `video` `[batch, time, height, width, channels]` in [-1, 1]; losses of critics add up.

    Args:
      generator: module of `*latents [batch, ...] -> clips`.
      critics: by name, `{"spatial": Critic(net, some_frames(4)), "temporal": Critic(net, all_pooled)}`; one left out is
        the ablation.
      loss: the functions of logits.
      prior: of the latents.
      critic_steps: updates of the critics, each on a fresh batch, before the generator's.
      field: the batch field of the data.

    Raises:
      UserError: there is no critic, or one is named as the generator.
    """
    if not critics or "generator" in critics:
        raise UserError(f"critics are {sorted(critics)}; give at least one, and none named generator.")

    def generate(view: View, key: Array, count: int, hold: tuple[str, ...] = ()) -> tuple[Array, Any]:
        keys = jax.random.split(key)
        return view.train("generator", *prior.inputs(prior.draw(keys[0], count)), key=keys[1], hold=hold)

    def judge(view: View, name: str, clips: Array, key: Array, hold: tuple[str, ...] = ()) -> tuple[Array, Any]:
        keys = jax.random.split(key)
        logits, moved = view.train(name, critics[name].sees(clips, keys[0]), key=keys[1], hold=hold)
        return at_least_float32(logits)[0], moved

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        fake, _ = generate(view, jax.random.fold_in(key, 0), len(batch[field]), hold=STILL)
        total, metrics, variables = jnp.zeros(()), {}, {}
        for index, name in enumerate(critics):
            keys = jax.random.split(jax.random.fold_in(key, index + 1))
            on_real, moved = judge(view, name, batch[field], keys[0])
            on_fake, moved = judge(view.with_variables(name, moved), name, fake, keys[1])
            total += jnp.mean(loss.critic(on_real, on_fake))
            metrics |= {f"{name}_real": jnp.mean(on_real), f"{name}_fake": jnp.mean(on_fake)}
            metrics |= {f"{name}_{key}": x for key, x in spectral_norms(moved).items()}
            variables[name] = moved
        return total, Aux(metrics, variables)

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        fake, moved = generate(view, jax.random.fold_in(key, 0), len(batch[field]))
        total = jnp.zeros(())
        for index, name in enumerate(critics):
            logits, _ = judge(view, name, fake, jax.random.fold_in(key, index + 1), hold=STILL)
            total += jnp.mean(loss.generator(None, logits))
        return total, Aux(variables={"generator": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        clips, keys = jnp.asarray(batch[field]), jax.random.split(key, len(modules) + 1)
        latents = prior.inputs(prior.draw(keys[-1], len(clips)))
        seen = {name: (critic.sees(clips, keys[-1]),) for name, critic in critics.items()}
        return {
            name: linen.init(module, keys[index], *seen.get(name, latents))
            for index, (name, module) in enumerate(modules.items())
        }

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        return view("generator", *prior.inputs(latents))

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """How often a real clip has a higher score than a generated one, of each critic: equal scores count half."""
        fake = decode(view, prior.draw(key, len(batch[field])), key)
        figures = {}
        for name, critic in critics.items():
            real_score, fake_score = (view(name, critic.sees(clips, key)) for clips in (batch[field], fake))
            figures[f"{name}_accuracy"] = (1 + jnp.sign(real_score - fake_score)) / 2
        return figures

    return Method(
        name="DVD-GAN",
        nets={"generator": generator, **{name: critic.net for name, critic in critics.items()}},
        phases=(
            Phase("critics", tuple(critics), critic_loss, repeats=critic_steps),
            Phase("generator", ("generator",), generator_loss),
        ),
        init=init,
        latents=Latents(lambda key, count, batch: prior.draw(key, count), decode),
        evaluate=evaluate,
        takes={field: Field(-1, 1)},
    )
