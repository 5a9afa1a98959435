"""Games on so few images that a discriminator learns them by heart, and what relaxing it does: late, early, or at once.

`jaxgen train late_collapse`
"""

import dataclasses
import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration, Judge, Painter
from head import signed
from jaxgen.core import Array, Drawing, Method, Net, View
from jaxgen.data.embedded import digits
from jaxgen.data.parts import few
from jaxgen.data.source import Source
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.metrics import frechet
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Brock et al., 2019, section 4.2"
MEASURED = {"digits": "Fréchet distance at the end: strong 34.3, relaxed early 14.4, weak 7.1 (seed 0)"}
IMAGES, SAMPLES, LATENT, FRAMES = 100, 360, 16, 40
HIDDEN = (128, 128)
_STEPS_PER_CALL = 25
# Discriminator updates for one of the generator, what share of its step size is left when it is relaxed, and by which
# share of training it is.
GAMES = {
    "strong": (4, 1.0, 1.0),
    "relaxed late": (4, 0.05, 1.0),
    "relaxed early": (4, 0.25, 0.1),
    "weak": (1, 1.0, 1.0),
}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 3000
    """Training steps, each an update of the generators."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 5e-4
    """Adam's step size."""


def game(critic_steps: int, last: float, by: float, config: Config) -> Method:
    """The hinge game of BigGAN, between networks without convolutions."""
    own = config.learning_rate
    rate = optax.linear_schedule(own, last * own, round(by * config.steps))
    return gan(
        Net(Painter((8, 8, 1), HIDDEN, config.dtype), optax.flatten(optax.adam(own, b1=0.0, b2=0.99)), ema_decay=0.99),
        Net(Judge(HIDDEN, config.dtype), optax.flatten(optax.adam(rate, b1=0.0, b2=0.99))),
        adversarial.hinge,
        prior=normal(LATENT),
        critic_steps=critic_steps,
    )


def experiment(config: Config) -> Experiment:
    """Four games from the same networks, on the same 100 digits."""
    data = signed(few(digits(), IMAGES))
    train, test = (jnp.asarray(source[np.arange(len(source))]["image"]) for source in (data.train, data.test))

    def observe(view: View) -> Array:
        """By game: samples `[SAMPLES, 64]`, and below them mean scores of training, held-out and generated images."""
        found = []
        for name in GAMES:
            own = part(view, name)
            images = own("generator", jax.random.normal(jax.random.key(0), (SAMPLES, LATENT))).astype(jnp.float32)
            scores = [jnp.mean(own("critic", x).astype(jnp.float32)) for x in (train, test, images)]
            row = jnp.zeros((1, 64)).at[0, :3].set(jnp.stack(scores))
            found.append(jnp.concatenate([images.reshape(SAMPLES, 64), row]))
        return jnp.stack(found)

    every = max(config.steps // FRAMES // _STEPS_PER_CALL, 1) * _STEPS_PER_CALL
    games = side_by_side({name: game(*settings, config) for name, settings in GAMES.items()})
    watched = recorded(games, observe, frames=FRAMES, shape=(len(GAMES), SAMPLES + 1, 64), every=every)

    def frames(view: View) -> Array:
        return jnp.concatenate([history(view), observe(view)[None]])

    return Experiment(
        method=dataclasses.replace(watched, latents=None),
        data=data,
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=5000, steps_per_call=_STEPS_PER_CALL),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"course": Drawing(frames, draw, numbers)},
    )


@functools.cache
def _held_out() -> frechet.Moments:
    return frechet.update(frechet.init(64), jnp.asarray(_pixels(signed(digits()).test)))


def _pixels(source: Source) -> np.ndarray:
    return source[np.arange(len(source))]["image"].reshape(-1, 64)


def distance(images: np.ndarray) -> float:
    """Fréchet distance of pixels `[images, 64]` to those of held-out digits."""
    return float(frechet.frechet_distance(frechet.update(frechet.init(64), jnp.asarray(images)), _held_out()))


def nulls() -> dict[str, float]:
    """What who learns nothing gets: by giving the training images back, and by their mean alone."""
    images = _pixels(signed(few(digits(), IMAGES)).train)
    return {"copies": distance(images), "mean": distance(images.mean(0)[None].repeat(IMAGES, 0))}


def courses(frames: np.ndarray) -> dict[str, np.ndarray]:
    """By game, `[frames, 2]`: the Fréchet distance of samples' pixels to held-out ones, and how much higher training
    images score than held-out ones."""
    return {
        name: np.array([(distance(frame[:-1]), frame[-1, 0] - frame[-1, 1]) for frame in frames[:, index]])
        for index, name in enumerate(GAMES)
    }


def draw(frames: np.ndarray) -> Figure:
    """Both curves over training."""
    figure = new_figure(10, 3.8)
    far, heart = figure.subplots(1, 2)
    for name, course in courses(frames).items():
        share = np.linspace(0, 1, len(course))
        far.semilogy(share, course[:, 0], label=name)
        heart.plot(share, course[:, 1], label=name)
    for (name, height), dashes in zip(nulls().items(), ("--", ":"), strict=True):
        far.axhline(height, color="#888", linestyle=dashes, label=f"{name} of the training digits")
    far.set(title="Fréchet distance of pixels to held-out digits", xlabel="share of training", ylim=(1.5, 120))
    far.set_yticks((2, 5, 10, 20, 50), labels=("2", "5", "10", "20", "50"))
    far.minorticks_off()
    heart.set(title="score of training less held-out digits", xlabel="share of training")
    far.legend(fontsize=8, ncols=2, loc="upper center")
    return figure


def numbers(frames: np.ndarray) -> Mapping[str, float]:
    """By game the least distance and the last, means of four frames, and how much higher training images score then."""
    figures = {f"distance_of_{name}": height for name, height in nulls().items()}
    for name, course in courses(frames).items():
        smooth = np.convolve(course[1:, 0], np.ones(4) / 4, "valid")
        name = name.replace(" ", "_")
        figures |= {f"least_{name}": smooth.min(), f"last_{name}": smooth[-1], f"gap_{name}": course[-1, 1]}
    return figures
