"""Adaptive discriminator augmentation for any game: as much distortion as keeps its critic from being too sure.

Karras et al., 2020, "Training Generative Adversarial Networks with Limited Data", section 3.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Method, Module, Phase, View
from jaxgen.methods.adversarial import adaptive_augmentation
from jaxgen.methods.adversarial.players import heads_of

MEMORY = "augmentation"  # where p is kept


def adaptive(
    game: Method,
    *,
    target: float = adaptive_augmentation.TARGET,
    every: int = 4,
    start: float = 0.0,
    speed: float = 500e3,
    inputs: Callable[[Batch], tuple[Array, ...]] = lambda batch: (batch["image"],),
) -> Method:
    """A game whose critic sees images distorted with probability p, wherever it looks, its penalties included.

    Args:
      game: with a network "critic" of images.
      target: what E[sign D(real)] shall be: p rises above it, and falls below.
      every: steps from one look at the critic's signs to the next.
      start: p at first.
      speed: images in which p can go from 0 to 1; infinite where it is to stay as it is.
      inputs: of a batch, what the critic sees of real examples: images, and labels where it is told them.
    """

    def distorted(view: View, key: Array) -> View:
        critic = view.nets["critic"]
        module = _Distorted(critic.module, jax.random.fold_in(key, 1), view.memory[MEMORY])
        return dataclasses.replace(view, nets={**view.nets, "critic": dataclasses.replace(critic, module=module)})

    def distorting(phase: Phase) -> Phase:
        return dataclasses.replace(phase, loss=lambda view, batch, key: phase.loss(distorted(view, key), batch, key))

    def look(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        images, *others = inputs(batch)
        logits, _ = heads_of(distorted(view, key)("critic", images, *others))
        signs, shown = jnp.mean(jnp.sign(logits)), every * images.shape[0]
        p = adaptive_augmentation.adjusted(view.memory[MEMORY], signs, shown, target=target, speed=speed)
        return jnp.zeros(()), Aux({"p": p, "signs": signs}, memory={MEMORY: p})

    def memory(key: Array, batch: Batch) -> Mapping[str, Any]:
        return {**(game.memory(key, batch) if game.memory else {}), MEMORY: jnp.asarray(start, jnp.float32)}

    phases = (*map(distorting, game.phases), Phase("adapt", (), look, every=every))
    return dataclasses.replace(game, phases=phases, memory=memory)


class _Distorted:
    """A critic that distorts the images it is given, each time in another way."""

    def __init__(self, module: Module, key: Array, p: Array):
        self._module, self._key, self._p, self._uses = module, key, p, 0

    def __call__(self, *inputs: Array, train: bool) -> Array:
        """What the engine learns of the module: that it may be told whether it trains."""
        raise NotImplementedError

    def init(self, rngs: Any, *args: Any, **kwargs: Any) -> Any:
        return self._module.init(rngs, *args, **kwargs)

    def apply(self, variables: Any, images: Array, *others: Any, train: bool, **kwargs: Any) -> Any:
        self._uses += 1
        images = adaptive_augmentation.augment(images, jax.random.fold_in(self._key, self._uses), self._p)
        told = "train" in inspect.signature(type(self._module).__call__).parameters
        return self._module.apply(variables, images, *others, **({"train": train} if told else {}), **kwargs)
