"""Mode collapse on a ring of 8 or a grid of 25 Gaussians, before and after each remedy.

`jaxgen train mode_collapse`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import optax

from games import RING, Adam, load, networks, players
from jaxgen.core import Method, Net
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.layers.minibatch import MinibatchDiscrimination
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import augmentation, regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLP
from jaxgen.training.schedule import Schedule
from modes import MIXTURES, draw_points, mode_drawing

PAPER = "Metz et al., 2017; Srivastava et al., 2017"
MEASURED = {
    "gaussian_ring": "0 or 1 mode by the plain games, 8 by R1, WGAN-GP and spectral norm (83, 85 and 88 % in one)",
}


@dataclasses.dataclass(frozen=True)
class Config(Adam):
    """Settings."""

    data: Literal["gaussian_ring", "gaussian_grid"] = "gaussian_ring"  # pyright: ignore[reportIncompatibleVariableOverride]
    """Which Gaussians."""


PRESETS = {"gaussian_ring": Config(**RING), "gaussian_grid": Config(**RING)}


class MinibatchCritic(nn.Module):
    """Scores `[batch]` of points `[batch, 2]`, which may depend on how near the batch's other points are.

    Attributes:
      width: units of each of the two hidden layers.
      dtype: of the computation; parameters stay float32.
    """

    width: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        x = nn.relu(MLP(self.width, (self.width,), dtype=self.dtype)(x))
        x = MinibatchDiscrimination(4, 4, dtype=self.dtype)(x)
        return nn.Dense(1, dtype=self.dtype)(x)[:, 0]


def contenders(config: Config, data: Dataset) -> Mapping[str, Method]:
    """The two plain games, and one remedy each."""
    fast = dataclasses.replace(config, critic_learning_rate=config.learning_rate)
    free, bounded = networks(config, data), networks(config, data, "spectral")
    plain, quick, long = players(config, data, free), players(fast, data, free), players(fast, data, free, 5)
    minimax, base = adversarial.minimax, adversarial.non_saturating
    mates = Net(MinibatchCritic(config.width, config.dtype), plain[1].optimizer)
    noise = augmentation.instance_noise(optax.linear_schedule(1.0, 0.05, config.steps * 3 // 4))
    penalty = regularizers.gradient_penalty(0.1)
    games: Mapping[str, tuple[tuple[Net, Net], adversarial.AdversarialLoss, Mapping[str, Any]]] = {
        "minimax": (plain, minimax, {}),
        "non-saturating": (plain, base, {}),
        "minibatch discrimination": ((plain[0], mates), base, {}),
        "mode seeking": (plain, base, {"generator_regularizers": [regularizers.mode_seeking(0.1)]}),
        "instance noise": (plain, base, {"augmentations": [noise]}),
        "faster critic": (quick, base, {}),
        "R1": (quick, base, {"critic_regularizers": [regularizers.r1(0.1)]}),
        "spectral norm": (players(fast, data, bounded, 5), adversarial.hinge, {"critic_steps": 5}),
        "WGAN-GP": (long, adversarial.wasserstein, {"critic_steps": 5, "critic_regularizers": [penalty]}),
    }
    return {
        name: gan(*nets, loss, prior=normal(config.latent_size), field="x", **settings)
        for name, (nets, loss, settings) in games.items()
    }


def experiment(config: Config) -> Experiment:
    """All games at once, on the same batches."""
    data = load(config)
    methods = contenders(config, data)
    samplers = {name: lambda view, name=name: draw_points(methods[name], part(view, name)) for name in methods}
    return Experiment(
        method=side_by_side(methods),
        data=data,
        schedule=Schedule(config.steps, log_every=200, sample_every=2000, checkpoint_every=2000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"modes": mode_drawing(MIXTURES[config.data](), samplers)},
    )
