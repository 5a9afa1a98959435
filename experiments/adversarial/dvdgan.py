"""DVD-GAN: clips of a ball that bounces, or of digits that do, one critic for frames and one for motion.

`jaxgen train dvdgan`; `--critics spatial` or `temporal` leaves the other out. The clips are drawn inside the compiled
step, so there is no end of them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import numpy as np
import optax

from head import Networks
from jaxgen.core import Evaluation, Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.moving import appearance_error, centres, disc, moving, speed, velocity_error, walls
from jaxgen.experiment import Experiment
from jaxgen.losses.adversarial import hinge
from jaxgen.methods.adversarial.dvdgan import Critic, all_pooled, dvdgan, some_frames
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.dvdgan import FrameCritic, MotionCritic, VideoGenerator
from jaxgen.training.schedule import Schedule

PAPER = "Clark et al., 2019"
CLIPS = 256  # of the figures


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    data: Literal["ball", "moving_digits"] = "ball"
    """What moves: a disc, or scikit-learn's digits."""
    steps: int = 4000
    """Training steps."""
    batch_size: int = 16
    """Clips in a batch."""
    learning_rate: float = 2e-4
    """Adam's step size for the generator; the critics' is twice that."""
    critics: Literal["both", "spatial", "temporal"] = "both"
    """Which are there."""
    frames: int = 8
    """Of a clip."""
    judged: int = 4
    """Frames of a clip that the spatial critic sees (the paper's k, 8 of 48)."""
    size: int = 16
    """Pixels a side."""
    latent_size: int = 32
    """Length of z."""
    width: int = 16
    """Channels of the largest hidden maps."""


PRESETS = {"ball": Config(), "moving_digits": Config()}


def sprites(config: Config) -> np.ndarray:
    """`[count, side, side]` in [0, 1]."""
    if config.data == "ball":
        return disc()
    train = digits().train
    return (train[np.arange(len(train))]["image"][..., 0] / (DIGITS_LEVELS - 1)).astype(np.float32)


def motion(config: Config, shapes: np.ndarray) -> Evaluation:
    """How far clips are from the laws of motion and of looks; real ones, also with frames shuffled, stand beside."""
    bounds = walls(shapes, config.size)

    def figures(video: np.ndarray) -> Mapping[str, float]:
        place = centres(video)
        found = {"motion_velocity_error": velocity_error(place, bounds), "motion_speed": speed(place)}
        return found | ({"motion_appearance_error": appearance_error(video, shapes[0])} if len(shapes) == 1 else {})

    def generated(model: Any, data: Any) -> Mapping[str, float]:
        return figures(model.sample(jax.random.key(0), CLIPS))

    def real(model: Any, data: Any) -> Mapping[str, float]:
        return figures(data.test[np.arange(CLIPS)]["video"])

    def shuffled(model: Any, data: Any) -> Mapping[str, float]:
        clips = data.test[np.arange(CLIPS)]["video"]
        order = np.argsort(np.random.default_rng(0).uniform(size=clips.shape[:2]), axis=1)
        return figures(np.take_along_axis(clips, order[:, :, None, None, None], axis=1))

    return Evaluation("motion", generated, nulls={"untrained": generated, "real": real, "shuffled": shuffled})


def experiment(config: Config) -> Experiment:
    """Hinge losses, spectral normalization, a generator with an average: as in the paper, but for its size."""
    shapes = sprites(config)
    slow, quick = (optax.adam(rate, b1=0.0, b2=0.99) for rate in (config.learning_rate, 2 * config.learning_rate))
    critics = {
        "spatial": Critic(Net(FrameCritic(config.width, config.dtype), quick), some_frames(config.judged)),
        "temporal": Critic(Net(MotionCritic(config.width, dtype=config.dtype), quick), all_pooled),
    }
    method = dvdgan(
        Net(
            VideoGenerator((config.frames, config.size, config.size, 1), config.width, config.dtype),
            slow,
            ema_decay=0.999,
        ),
        critics if config.critics == "both" else {config.critics: critics[config.critics]},
        hinge,
        prior=normal(config.latent_size),
    )
    return Experiment(
        method=dataclasses.replace(method, evaluations=(motion(config, shapes),)),
        data=moving(shapes, name=config.data, frames=config.frames, size=config.size),
        schedule=Schedule(config.steps, sample_every=2000, checkpoint_every=2000),
        batch_size=config.batch_size,
        seed=config.seed,
    )
