"""Pictures of a run's samples, as training goes on."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh

from jaxgen.core import Array, Method, TrainState
from jaxgen.training.evaluate import sampler, standing
from jaxgen.training.run_folder import RunFolder

SAMPLES = 64  # in a picture

Draw = Callable[[Path, np.ndarray], None]


class Pictures:
    """Writes `samples/step_<n>.png` of a state, always of the same noise; nothing where the method draws no samples.

    Args:
      method: the algorithm.
      mesh: the devices.
      shardings: of the state's leaves.
      key: of the noise.
      folder: of the run.
      draw: `(path, samples [SAMPLES, ...])` writes a picture.
      say: takes a sentence when the disk is full; training then goes on.
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
    ):
        self._draws = method.latents is not None
        self._sample = sampler(method, mesh, shardings, SAMPLES)
        self._standing = standing(method, mesh, shardings)
        self._key, self._folder, self._draw, self._say = key, folder, draw, say

    def __call__(self, state: TrainState) -> None:
        """Draws the samples on all processes, and writes them on the first."""
        if not self._draws:
            return
        step, samples = int(state.step), np.asarray(self._sample(self._standing(state), self._key))
        if jax.process_index() > 0:
            return
        try:
            self._draw(self._folder.samples / f"step_{step:07d}.png", samples)
        except OSError as error:
            self._say(f"no picture of step {step} could be written ({error.strerror}); training goes on.")
