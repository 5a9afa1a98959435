"""Progressive growing: a game at each resolution, a stage of the run each, whose new layers are faded in.

Karras et al., 2018, "Progressive Growing of GANs", section 2 and figure 2. Networks name their layers by resolution, so
that the next stage finds them (`Stage.carry`).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Aux, Batch, Method, Module, Phase, View
from jaxgen.layers.fade import FADE, blended


def growing(game: Method, resolution: int, *, fade_steps: int) -> Method:
    """A game on images that are shrunk to a resolution, its newest layers faded in.

    Args:
      game: on the batch field `image`; its networks read alpha, `[]`, by `layers.fade.alpha_of`.
      resolution: of this stage, a divisor of the images'.
      fade_steps: steps from the stage's start in which alpha, and the share of the images' finest detail, go from 0 to
        1; 0 in the first stage, which has nothing to fade in.
    """

    def at_step(view: View) -> tuple[View, Array]:
        alpha = jnp.minimum(view.step / fade_steps, 1.0).astype(jnp.float32) if fade_steps else jnp.ones(())
        for name, collections in view.variables.items():
            if FADE in collections:
                faded = jax.tree.map(lambda x: alpha.astype(x.dtype), collections[FADE])
                view = view.with_variables(name, {FADE: faded})
        return view, alpha

    def seen(batch: Batch, alpha: Array) -> Batch:
        images = shrunk(batch["image"], resolution)
        return {**batch, "image": blended(images, alpha) if fade_steps else images}

    def fading(phase: Phase) -> Phase:
        def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
            view, alpha = at_step(view)
            value, aux = phase.loss(view, seen(batch, alpha), key)
            kept = {name: {FADE: c[FADE]} for name, c in view.variables.items() if FADE in c}
            moved = {name: {**aux.variables.get(name, {}), **own} for name, own in kept.items()}
            return value, aux._replace(metrics={**aux.metrics, "alpha": alpha}, variables={**aux.variables, **moved})

        return dataclasses.replace(phase, loss=loss)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        return game.init(modules, key, seen(batch, jnp.ones(())))

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return game.evaluate(view, seen(batch, jnp.ones(())), key)

    return dataclasses.replace(game, phases=tuple(map(fading, game.phases)), init=init, evaluate=evaluate)


def shrunk(images: Array, resolution: int) -> Array:
    """Square images `[batch, size, size, channels]` to `[batch, resolution, resolution, channels]`, by means."""
    batch, size, _, channels = images.shape
    k = size // resolution
    return jnp.mean(images.reshape(batch, resolution, k, resolution, k, channels), axis=(2, 4))
