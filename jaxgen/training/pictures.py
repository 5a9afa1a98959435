"""Pictures of a run's samples, as training goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgen.core import Array, Batch, Method, TrainState, View
from jaxgen.training.evaluate import compiled_on_view, sampler, standing
from jaxgen.training.run_folder import RunFolder

SAMPLES = 64  # in a picture

Draw = Callable[[Path, np.ndarray], None]


class Pictures:
    """Writes `samples/step_<n>.png` of a state, always of the same noise; nothing where the method draws no samples.

    Where samples are made of examples, of the same ones, each beside its own.

    Args:
      method: the algorithm.
      mesh: the devices.
      shardings: of the state's leaves.
      key: of the noise.
      folder: of the run.
      draw: `(path, samples [SAMPLES, ...])` writes a picture.
      say: takes a sentence when the disk is full; training then goes on.
      examples: opens batches, of whose first one samples are made where the method needs examples.
    """

    def __init__(
        self,
        method: Method,
        mesh: Mesh,
        shardings: TrainState,
        key: Array,
        folder: RunFolder,
        draw: Draw,
        say: Callable[[str], None],
        examples: Callable[[], Batch],
    ):
        self._draws = method.latents is not None
        if method.latents is not None and method.latents.conditional:
            draws = compiled_on_view(method, _pairs(method), mesh, shardings)
            self._sample: Callable[[TrainState, Array], Any] = lambda state, key: draws(state, key, examples())
        else:
            self._sample = sampler(method, mesh, shardings, SAMPLES)
        self._standing = standing(method, mesh, shardings)
        self._key, self._folder, self._draw, self._say = key, folder, draw, say

    def __call__(self, state: TrainState) -> Path | None:
        """Draws the samples on all processes, and writes them on the first; where to, if it did."""
        if not self._draws:
            return None
        step, samples = int(state.step), np.asarray(self._sample(self._standing(state), self._key))
        if jax.process_index() > 0:
            return None
        path = self._folder.samples / f"step_{step:07d}.png"
        try:
            self._draw(path, samples)
        except OSError as error:
            self._say(f"no picture of step {step} could be written ({error.strerror}); training goes on.")
            return None
        return path if path.exists() else None


def _pairs(method: Method) -> Callable[[View, Array, Batch], Array]:
    """Examples of a batch, where they can be shown, each beside what is made of it."""

    def draw(view: View, key: Array, batch: Batch) -> Array:
        made = method.sample(view, key, jax.tree.leaves(batch)[0].shape[0], batch).astype(jnp.float32)
        shown = method.latents and method.latents.shown
        if shown is None:
            return made
        pairs = jnp.stack([jnp.asarray(shown(batch), jnp.float32), made], axis=1)
        return pairs.reshape(-1, *made.shape[1:])[: 2 * SAMPLES]

    return draw
