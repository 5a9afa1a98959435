"""Mode collapse on a ring of 8 or a grid of 25 Gaussians, before and after each remedy.

`jaxgen train mode_collapse`
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import optax

from jaxgen.core import Method, Net
from jaxgen.data.synthetic import gaussian_grid, gaussian_ring
from jaxgen.experiment import Experiment
from jaxgen.layers.minibatch import MinibatchDiscrimination
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial import augmentation, regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.mlp import MLP
from modes import LATENT_SIZE, Modes, draw_points, mode_drawing, on_mixture, players


@dataclasses.dataclass(frozen=True)
class Config(Modes):
    """Settings."""

    data: Literal["ring", "grid"] = "ring"
    """Which Gaussians."""


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


def contenders(config: Config) -> Mapping[str, Method]:
    """The two plain games, and one remedy each."""
    plain, fast = players(config), dataclasses.replace(config, critic_learning_rate=config.learning_rate)
    minimax, base = adversarial.minimax, adversarial.non_saturating
    mates = Net(MinibatchCritic(config.width, config.dtype), plain[1].optimizer)
    noise = augmentation.instance_noise(optax.linear_schedule(1.0, 0.05, config.steps * 3 // 4))
    games: Mapping[str, tuple[tuple[Net, Net], adversarial.AdversarialLoss, Mapping[str, Any]]] = {
        "minimax": (plain, minimax, {}),
        "non-saturating": (plain, base, {}),
        "minibatch discrimination": ((plain[0], mates), base, {}),
        "mode seeking": (plain, base, {"generator_regularizers": [regularizers.mode_seeking(0.1)]}),
        "instance noise": (plain, base, {"augmentations": [noise]}),
        "faster critic": (players(fast), base, {}),
        "R1": (players(fast), base, {"critic_regularizers": [regularizers.r1(0.1)]}),
        "spectral norm": (players(fast, spectral=True, critic_steps=5), adversarial.hinge, {"critic_steps": 5}),
        "WGAN-GP": (
            players(fast, critic_steps=5),
            adversarial.wasserstein,
            {"critic_steps": 5, "critic_regularizers": [regularizers.gradient_penalty(0.1)]},
        ),
    }
    return {
        name: gan(*nets, loss, prior=normal(LATENT_SIZE), field="x", **settings)
        for name, (nets, loss, settings) in games.items()
    }


def experiment(config: Config) -> Experiment:
    """All games at once, on the same batches."""
    mixture = {"ring": gaussian_ring, "grid": gaussian_grid}[config.data]()
    methods = contenders(config)
    samplers = {name: lambda view, name=name: draw_points(methods[name], part(view, name)) for name in methods}
    drawing = mode_drawing(mixture, samplers)
    paper = "Metz et al., 2017; Srivastava et al., 2017"
    measured = "ring: 0 or 1 mode by the plain games, 8 by R1, WGAN-GP and spectral norm (83, 85 and 88 % in one)"
    return on_mixture(config, mixture, side_by_side(methods), drawing, paper=paper, measured=measured)
