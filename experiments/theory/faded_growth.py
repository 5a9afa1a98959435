"""Progressive growing, pixel by pixel: a generator of 8x8 and then of 16x16 pixels, and what fades in between.

`jaxgen train faded_growth`
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration
from head import signed, strided
from jaxgen.core import Array, Drawing, Net, View
from jaxgen.data.embedded import digits
from jaxgen.experiment import Experiment
from jaxgen.layers.fade import FADE
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.adversarial.progressive import growing
from jaxgen.methods.adversarial.regularizers import gradient_penalty
from jaxgen.models.adversarial.progan import Critic, Generator
from jaxgen.report.figure import new_figure
from jaxgen.report.grid import grid
from jaxgen.training.schedule import Schedule
from jaxgen.training.stages import Stage

PAPER = "Karras et al., 2018, figure 2"
MEASURED = {"digits": "not yet run"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 600
    """Training steps, a third of them at each size."""
    batch_size: int = 32
    """Images in a batch."""


SIDES, LATENT, SHOWN = (4, 8, 16), 16, 5
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)


def measure(view: View) -> dict[str, Array]:
    """Images of the last generator by alpha `[alphas, SHOWN, 16, 16, 1]`, and scores by alpha of images fine and not.

    Those are of the critic: "fine" of the images at alpha 1, "coarse" of what is left of them when four pixels are one.
    """
    z = jax.random.normal(jax.random.key(0), (SHOWN, LATENT))

    def at(alpha: float, name: str, x: Array) -> Array:
        return view.with_variables(name, {FADE: {"alpha": jnp.asarray(alpha)}})(name, x)

    images = jnp.stack([at(alpha, "generator", z).astype(jnp.float32) for alpha in ALPHAS])
    fine = images[-1]
    coarse = jnp.mean(fine.reshape(SHOWN, 8, 2, 8, 2, 1), (2, 4)).repeat(2, 1).repeat(2, 2)
    scores = {
        name: jnp.stack([at(alpha, "critic", x).astype(jnp.float32) for alpha in ALPHAS])
        for name, x in (("fine", fine), ("coarse", coarse))
    }
    return {"images": images, **scores}


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """A row a latent, alpha growing along it."""
    figure = new_figure(7, 7.3)
    axes = figure.add_subplot()
    images = np.swapaxes(found["images"], 0, 1).reshape(-1, *found["images"].shape[2:])
    axes.imshow(grid(images, columns=len(ALPHAS)))
    axes.set(xticks=[], yticks=[], title="alpha " + " · ".join(f"{alpha:g}" for alpha in ALPHAS))
    axes.set_frame_on(False)
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """What should be nothing at alpha 0 and between, and what should not at alpha 1."""
    images = found["images"].astype(np.float64)
    blocks = images.reshape(len(ALPHAS), SHOWN, 8, 2, 8, 2)
    within = np.ptp(blocks, axis=(3, 5)).max((1, 2, 3))
    between = [(1 - alpha) * images[0] + alpha * images[-1] for alpha in ALPHAS]
    heard = np.abs(found["fine"] - found["coarse"]).max(1)
    return {
        "within_four_pixels_before": within[0],
        "within_four_pixels_after": within[-1],
        "off_the_line": np.abs(images - between).max(),
        "critic_hears_detail_before": heard[0],
        "critic_hears_detail_after": heard[-1],
    }


def experiment(config: Config) -> Experiment:
    """Three stages, of tiny networks: enough for the way of growing, not for digits worth looking at."""
    adam = optax.adam(config.learning_rate, b1=0.0, b2=0.99)
    steps = config.steps // len(SIDES)

    def stage(side: int) -> Stage:
        features = (16,) * (side // 4).bit_length()
        game = gan(
            Net(Generator(features, dtype=config.dtype), adam, ema_decay=0.99),
            Net(Critic(features, dtype=config.dtype), adam),
            adversarial.wasserstein,
            prior=normal(LATENT),
            critic_regularizers=[gradient_penalty(10.0)],
        )
        method = growing(game, side, fade_steps=0 if side == SIDES[0] else steps // 2)
        return Stage(f"{side}x{side}", method, None if side == SIDES[-1] else steps)

    return Experiment(
        stages=tuple(map(stage, SIDES)),
        data=signed(strided(digits())),
        schedule=Schedule(config.steps, log_every=50, checkpoint_every=300),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"growth": Drawing(measure, draw, numbers)},
    )
