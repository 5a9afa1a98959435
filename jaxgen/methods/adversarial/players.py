"""What adversarial methods share: a generator that draws, a critic that judges, and figures of both."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Array, Batch, Latents, Module, Variables, View
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED, Field, Fields, label
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.adversarial.priors import Prior
from jaxgen.methods.adversarial.regularizers import Game
from jaxgen.methods.fits import check_output

STILL = ("spectral",)  # what stands still in a network that its phase does not train: its power iterations

_STANDING, _STANDING_BATCHES = 128, 16  # samples in a batch of those that give the standing statistics, and batches

Augmentation = Callable[[Array, Array, Array], Array]  # (images [batch, ...], key, step []) -> of the same shape


@dataclasses.dataclass(frozen=True)
class Players:
    """The networks "generator" and "critic" of a game, as its losses use them.

    Attributes:
      prior: of the latents.
      conditional: whether both networks see the batch field `label` too, the generator after what the prior gives.
      augmentations: what images go through, in order, before the critic sees them.
      together: whether the critic learns from real and generated examples in one pass, which reads its weights once; a
        batch normalization would see both kinds.
    """

    prior: Prior
    conditional: bool = False
    augmentations: Sequence[Augmentation] = ()
    together: bool = False

    def latents(self, key: Array, count: int, batch: Batch | None) -> dict[str, Array]:
        """Draws of the prior, under the conditions of a batch where there is one."""
        drawn = self.prior.draw(key, count)
        return drawn if batch is None else {**drawn, **self.condition(batch)}

    def condition(self, fields: Mapping[str, Any]) -> dict[str, Array]:
        """Of a batch or of latents, what both players are told."""
        return {"label": fields["label"]} if self.conditional else {}

    def init(self, modules: Mapping[str, Module], key: Array, data: Array, batch: Batch) -> Mapping[str, Variables]:
        """Both networks' variables, from latents as training draws them and from `data`, a field of the batch."""
        keys = jax.random.split(key, 3)
        inputs = self.prior.inputs(self.latents(keys[2], data.shape[0], batch))
        variables = linen.init(modules["generator"], keys[0], *inputs)
        check_output("the data's shape", data.shape[1:], modules["generator"], variables, *inputs)
        return {
            "generator": variables,
            "critic": linen.init(modules["critic"], keys[1], data, *self.condition(batch).values()),
        }

    def generate(
        self, view: View, latents: Mapping[str, Array], key: Array, hold: Sequence[str] = ()
    ) -> tuple[Array, Variables]:
        """Examples `[batch, ...]` as training draws them, and what that moved."""
        return view.train("generator", *self.prior.inputs(latents), key=key, hold=hold)

    def judge(
        self, view: View, images: Array, given: Mapping[str, Any], key: Array, hold: Sequence[str] = ()
    ) -> tuple[Array, tuple[Any, ...], Variables]:
        """Logits `[batch]`, float32, the critic's further heads, and what judging moved."""
        for index, augment in enumerate(self.augmentations):
            images = augment(images, jax.random.fold_in(key, index), view.step)
        output, moved = view.train("critic", images, *self.condition(given).values(), key=key, hold=hold)
        logits, heads = heads_of(output)
        return at_least_float32(logits)[0], heads, moved

    def play(
        self, view: View, real: Array, batch: Batch, key: Array, hold: Sequence[str] = ()
    ) -> tuple[Game, Variables]:
        """Real and as many generated examples, and what the generator's pass moved."""
        keys = jax.random.split(key)
        latents = self.latents(keys[0], real.shape[0], batch)
        fake, moved = self.generate(view, latents, keys[1], hold)
        game = Game(
            view=view,
            critic=lambda images: self.judge(view, images, batch, keys[1], hold=STILL)[0],
            generate=lambda latents: self.generate(view, latents, keys[1], hold)[0],
            real=real,
            fake=fake,
            latents=latents,
        )
        return game, moved

    def discriminate(
        self, view: View, game: Game, batch: Batch, keys: Array
    ) -> tuple[tuple[Array, Array], tuple[Any, Any], Variables]:
        """In the critic's own phase: logits and further heads of real and of generated examples, and what moved.

        Unless they are judged together, every kind is a pass of its own, with its own one of two `keys`, so that batch
        normalization sees one kind.
        """
        if self.together:
            # Real and generated take turns, so that every device keeps its own.
            images, conditions = jax.tree.map(
                _in_turns, (game.real, self.condition(batch)), (game.fake, self.condition(batch))
            )
            logits, heads, moved = self.judge(view, images, conditions, keys[0])
            real, fake = ((logits[kind::2], jax.tree.map(lambda x, k=kind: x[k::2], heads)) for kind in (0, 1))
            return (real[0], fake[0]), (real[1], fake[1]), moved
        real, real_heads, moved = self.judge(view, game.real, batch, keys[0])
        fake, fake_heads, moved = self.judge(view.with_variables("critic", moved), game.fake, batch, keys[1])
        return (real, fake), (real_heads, fake_heads), moved

    def sampling(self) -> Latents:
        """How samples are drawn when training is over."""
        return Latents(self.latents, self.decode, standing=self.standing)

    def decode(self, view: View, latents: Mapping[str, Array], key: Array) -> Array:
        """Examples `[batch, ...]` of trained networks."""
        return view("generator", *self.prior.inputs(latents))

    def critic_accuracy(self, view: View, images: Array, batch: Batch, key: Array) -> Array:
        """How often a real example has a higher score than a generated one: equal scores count half, `[batch]`."""
        latents = self.prior.draw(key, images.shape[0])
        fake = self.decode(view, latents, key)
        scores = (view("critic", x, *self.condition(y).values()) for x, y in ((images, batch), (fake, latents)))
        real, fake = (heads_of(score)[0] for score in scores)
        return (1 + jnp.sign(real - fake)) / 2

    def standing(self, view: View, key: Array) -> Mapping[str, Variables]:
        """Means over batches of samples, the later weighing more: the standing statistics of Brock et al., 2019."""
        averages = view.variables["generator"].get("batch_stats", {})
        zeros, ones = (jax.tree.map(lambda x, v=value: jnp.full_like(x, v), averages) for value in (0, 1))

        def passed(before: Any, key: Array) -> Any:
            latents = self.prior.draw(key, _STANDING)
            view_before = view.with_variables("generator", {"batch_stats": before})
            return self.generate(view_before, latents, key, hold=STILL)[1].get("batch_stats", {})

        # What is left of a one tells how much the batches count, whatever the layers' momentum.
        (means, left), _ = jax.lax.scan(
            lambda before, key: (tuple(passed(each, key) for each in before), None),
            (zeros, ones),
            jax.random.split(key, _STANDING_BATCHES),
        )
        return {"generator": {"batch_stats": jax.tree.map(lambda m, n: m / (1 - (n - m)), means, left)}}


def check_heads(method: str, module: Module, variables: Variables, images: Array, outputs: Mapping[str, int]) -> None:
    """Refuses a critic whose further heads are not those that a method reads.

    Args:
      method: its name.
      module: the critic's.
      variables: of the module.
      images: what it judges.
      outputs: how many numbers each head must give.

    Raises:
      UserError: one is missing, or gives more or fewer.
    """
    heads = heads_of(linen.shapes(module, variables, images))[1]
    given = {name: head.shape[-1] for name, head in heads[0].items()} if heads else {}
    for name, wanted in outputs.items():
        if given.get(name) != wanted:
            raise UserError(
                f"{method} reads {wanted} numbers from the critic's head {name!r}, but {type(module).__name__} gives "
                f"{given.get(name, 'none')}; let its heads be {dict(outputs)}."
            )


def taken(field: str, classes: int | None = None) -> Fields:
    """What a game takes: images in [-1, 1], another field whatever its values, and labels where there are classes."""
    return {field: SIGNED if field == "image" else Field()} | ({} if classes is None else {"label": label(classes)})


def _in_turns(a: Array, b: Array) -> Array:
    """`[batch, ...]` each to a, b, a, b, ... `[2 batch, ...]`."""
    return jnp.stack([a, b], 1).reshape(-1, *a.shape[1:])


def heads_of(output: Any) -> tuple[Array, tuple[Any, ...]]:
    """A critic's logits, and what else it returns after them."""
    return (output[0], tuple(output[1:])) if isinstance(output, tuple) else (output, ())


def spectral_norms(moved: Variables) -> dict[str, Array]:
    """The largest of a network's singular values by which spectral normalization divides, where it has any."""
    leaves = jax.tree_util.tree_leaves_with_path(moved.get("spectral", {}))
    sigmas = [leaf for path, leaf in leaves if path[-1].key == "sigma"]
    return {"spectral_norm": jnp.max(jnp.stack(sigmas))} if sigmas else {}
