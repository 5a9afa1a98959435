"""Generative adversarial networks: the critic moves k times, then the generator once.

Goodfellow et al., 2014, "Generative Adversarial Nets", algorithm 1; any `AdversarialLoss` takes the place of its value
function. What later work adds is composed: regularizers and augmentations are functions given to `gan`, clipped weights
and averages are optimizers', spectral normalization is the critic's layers', two learning rates are two `Net`s', and
`simultaneous` moves both players at once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Latents, Method, Module, Net, Phase, Variables, View
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.regularizers import Game, Regularizer

# What a forward pass in training may move: running averages, and the power iterations of the network that trains.
_STATISTICS = ["batch_stats"]
_STATE = [*_STATISTICS, "spectral"]

_STANDING, _STANDING_BATCHES = 128, 16  # samples in a batch of those that give the standing statistics, and batches

Augmentation = Callable[[Array, Array, Array], Array]  # (images [batch, ...], key, step []) -> of the same shape


def gan(
    generator: Net,
    critic: Net,
    loss: AdversarialLoss,
    *,
    latent_size: int,
    critic_steps: int = 1,
    classes: int | None = None,
    critic_regularizers: Sequence[Regularizer] = (),
    generator_regularizers: Sequence[Regularizer] = (),
    augmentations: Sequence[Augmentation] = (),
    field: str = "image",
) -> Method:
    """A GAN on the batch field `image` `[batch, height, width, channels]` in [-1, 1].

    Args:
      generator: module of `(z [batch, latent_size], *, train) -> images`.
      critic: module of `(images, *, train) -> logits [batch]`.
      loss: the functions of logits.
      latent_size: length of the standard normal z.
      critic_steps: critic updates, each on a fresh batch, before the generator's.
      classes: how many values the batch field `label` (int `[batch]`) has in a conditional GAN, whose modules take
        labels as a second argument: in training those of the batch, in sampling uniform ones. None for no condition.
      critic_regularizers: what is added to the critic's loss.
      generator_regularizers: what is added to the generator's loss.
      augmentations: what both real and generated images go through, in order, before the critic sees them.
      field: the batch field of the data, where that is not images.
    """

    def condition(fields: Mapping[str, Any]) -> tuple[Array, ...]:
        return () if classes is None else (fields["label"],)

    def prior(key: Array, count: int) -> dict[str, Array]:
        z = {"z": jax.random.normal(key, (count, latent_size))}
        if classes is None:
            return z
        return {**z, "label": jax.random.randint(jax.random.fold_in(key, 1), (count,), 0, classes)}

    def decode(view: View, latents: Mapping[str, Array]) -> Array:
        return view("generator", latents["z"], *condition(latents), train=False)

    def standing(view: View, key: Array) -> Mapping[str, Variables]:
        """Means over batches of samples, the later weighing more: the standing statistics of Brock et al., 2019."""
        averages = view.variables["generator"].get("batch_stats", {})
        zeros, ones = (jax.tree.map(lambda x, v=value: jnp.full_like(x, v), averages) for value in (0, 1))

        def passed(before: Any, key: Array) -> Any:
            _, moved = generate(view.moved("generator", {"batch_stats": before}), prior(key, _STANDING), _STATISTICS)
            return moved.get("batch_stats", {})

        # What is left of a one tells how much the batches count, whatever the layers' momentum.
        (means, left), _ = jax.lax.scan(
            lambda before, key: (tuple(passed(each, key) for each in before), None),
            (zeros, ones),
            jax.random.split(key, _STANDING_BATCHES),
        )
        return {"generator": {"batch_stats": jax.tree.map(lambda m, n: m / (1 - (n - m)), means, left)}}

    def generate(view: View, latents: Mapping[str, Array], mutable: Sequence[str]) -> tuple[Array, Variables]:
        return view("generator", latents["z"], *condition(latents), train=True, mutable=mutable)

    def judge(view: View, images: Array, batch: Batch, key: Array, mutable: Sequence[str]) -> tuple[Array, Variables]:
        for index, augment in enumerate(augmentations):
            images = augment(images, jax.random.fold_in(key, index), view.step)
        logits, moved = view("critic", images, *condition(batch), train=True, mutable=mutable)
        return at_least_float32(logits)[0], moved

    def play(view: View, batch: Batch, key: Array, mutable: Sequence[str]) -> tuple[Game, Variables]:
        """Real and as many generated examples, and what the generator's pass moved of `mutable`."""
        keys = jax.random.split(key)
        latents = {**prior(keys[0], batch[field].shape[0]), **({} if classes is None else {"label": batch["label"]})}
        fake, moved = generate(view, latents, mutable)
        game = Game(
            view=view,
            critic=lambda images: judge(view, images, batch, keys[1], _STATISTICS)[0],
            generate=lambda latents: generate(view, latents, mutable)[0],
            real=batch[field],
            fake=fake,
            latents=latents,
        )
        return game, moved

    def critic_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 4)
        game, _ = play(view, batch, keys[0], _STATISTICS)
        real_logits, moved = judge(view, game.real, batch, keys[1], _STATE)
        fake_logits, moved = judge(view.moved("critic", moved), game.fake, batch, keys[2], _STATE)
        value = jnp.mean(loss.critic(real_logits, fake_logits))
        added, metrics = regularize(critic_regularizers, game, keys[3])
        metrics |= {"real": jnp.mean(real_logits), "fake": jnp.mean(fake_logits), **spectral_norms(moved)}
        return value + added, Aux(metrics, {"critic": moved})

    def generator_loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key, 3)
        game, moved = play(view, batch, keys[0], _STATE)
        # The critic's statistics belong to its own phase: here they are computed and thrown away.
        fake_logits, _ = judge(view, game.fake, batch, keys[1], _STATISTICS)
        real_logits = None
        if loss.paired:
            real_logits, _ = judge(view, game.real, batch, jax.random.fold_in(keys[1], 1), _STATISTICS)
        added, metrics = regularize(generator_regularizers, game, keys[2])
        value = jnp.mean(loss.generator(real_logits, fake_logits))
        return value + added, Aux(metrics | spectral_norms(moved), {"generator": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys = jax.random.split(key)
        z = jnp.zeros((batch[field].shape[0], latent_size))
        return {
            "generator": modules["generator"].init(keys[0], z, *condition(batch), train=True),
            "critic": modules["critic"].init(keys[1], batch[field], *condition(batch), train=True),
        }

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """How often a real example has a higher score than a generated one: equal scores count half."""
        latents = prior(key, batch[field].shape[0])
        real = view("critic", batch[field], *condition(batch), train=False)
        fake = view("critic", decode(view, latents), *condition(latents), train=False)
        return {"critic_accuracy": (1 + jnp.sign(real - fake)) / 2}

    return Method(
        name="GAN",
        nets={"generator": generator, "critic": critic},
        phases=(Phase(("critic",), critic_loss, repeats=critic_steps), Phase(("generator",), generator_loss)),
        init=init,
        latents=Latents(prior, decode, standing=standing),
        evaluate=evaluate,
    )


def regularize(regularizers: Sequence[Regularizer], game: Game, key: Array) -> tuple[Array, dict[str, Array]]:
    """The sum of the regularizers' means, and their metric."""
    if not regularizers:
        return jnp.zeros(()), {}
    terms = [jnp.mean(term(game, jax.random.fold_in(key, index))) for index, term in enumerate(regularizers)]
    return sum(terms, jnp.zeros(())), {"regularization": sum(terms, jnp.zeros(()))}


def spectral_norms(moved: Variables) -> dict[str, Array]:
    """The largest of a network's singular values by which spectral normalization divides, where it has any."""
    leaves = jax.tree_util.tree_leaves_with_path(moved.get("spectral", {}))
    sigmas = [leaf for path, leaf in leaves if path[-1].key == "sigma"]
    return {"spectral_norm": jnp.max(jnp.stack(sigmas))} if sigmas else {}
