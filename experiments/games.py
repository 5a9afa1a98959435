"""What games share: players that follow the data, a DCGAN's for images and two hidden layers for points."""

import dataclasses
from typing import Any, Literal

import optax
from flax import linen as nn

from head import Data, Head, cosine, signed, strided
from jaxgen.core import Method, Net
from jaxgen.data.source import Dataset
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.dcgan import Discriminator, Generator
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.training.schedule import Schedule
from modes import MIXTURES, draw_points, mode_drawing

# By data: of settings that many games have.
MNIST: dict[str, Any] = {"steps": 5000, "learning_rate": 1e-3, "latent_size": 64}
RING: dict[str, Any] = {
    "steps": 5000,
    "batch_size": 256,
    "learning_rate": 1e-3,
    "critic_learning_rate": 1e-4,  # a tenth, as Metz et al. (2017) had it, lets the plain games collapse
    "last_rate": 0.1,
    "ema_decay": 0.99,
    "latent_size": 16,
    "width": 128,
}
OTHER: dict[str, Any] = {"steps": 10_000, "learning_rate": 2e-4, "latent_size": 100}

Normalization = Literal["batch", "spectral"] | None


@dataclasses.dataclass(frozen=True)
class Game(Head):
    """Settings of a game."""

    steps: int = 6000
    """Training steps, each an update of the generator."""
    learning_rate: float = 5e-4
    """Of the networks."""
    latent_size: int = 32
    """Length of z."""
    width: int = 32
    """Channels of the largest hidden maps, each smaller map having twice as many; for points, units of a layer."""


@dataclasses.dataclass(frozen=True)
class Adam(Game):
    """Settings of a game whose players are moved by Adam."""

    learning_rate: float = 5e-4
    """Adam's step size for the generator and, unless it has its own, the critic."""
    critic_learning_rate: float | None = None
    """Adam's step size for the critic."""
    last_rate: float = 1.0
    """Share of the step sizes that is left at the end of a cosine; 1 keeps them."""
    ema_decay: float = 0.999
    """Of the generator's average."""


def load(config: Data) -> Dataset:
    """Images in [-1, 1] whose side is a power of two, or points.

    Raises:
      UserError: the data is neither.
    """
    data = config.load()
    if "image" in data.spec:
        return signed(strided(data))
    if "x" not in data.spec:
        raise UserError(f"data {data.name} has neither images nor points; name a set that has.")
    return data


def networks(config: Game, data: Dataset, normalization: Normalization = None) -> tuple[nn.Module, nn.Module]:
    """A generator of what the data is like, and its critic."""
    if "image" in data.spec:
        generator = Generator(data.spec["image"].shape, config.width, config.dtype)
        return generator, Discriminator(config.width, config.dtype, normalization)
    hidden, dimensions = (config.width, config.width), data.spec["x"].shape[-1]
    critic = MLPCritic(hidden=hidden, spectral=normalization == "spectral", dtype=config.dtype)
    return MLP(dimensions, hidden, dtype=config.dtype), critic


def players(
    config: Adam, data: Dataset, modules: tuple[nn.Module, nn.Module], critic_steps: int = 1
) -> tuple[Net, Net]:
    """Networks moved by Adam with a first-moment decay of 0.5 (Radford et al., 2016), or of 0 in long turns."""
    b1, b2 = (0.5, 0.999) if critic_steps == 1 else (0.0, 0.9)

    def adam(learning_rate: float) -> optax.GradientTransformation:
        optimizer = optax.adam(cosine(learning_rate, config.steps, config.last_rate), b1=b1, b2=b2)
        return optimizer if "image" in data.spec else optax.flatten(optimizer)  # of many small arrays

    generator, critic = modules
    return (
        Net(generator, adam(config.learning_rate), ema_decay=config.ema_decay),
        Net(critic, adam(config.critic_learning_rate or config.learning_rate)),
    )


def game(config: Adam, loss: AdversarialLoss, normalization: Normalization = None, **settings: Any) -> Experiment:
    """A game of `players`; `settings` are those of `gan`."""
    data = load(config)
    nets = players(config, data, networks(config, data, normalization), settings.get("critic_steps", 1))
    return played(config, data, gan(*nets, loss, prior=normal(config.latent_size), field=field(data), **settings))


def field(data: Dataset) -> str:
    """Of the examples."""
    return "image" if "image" in data.spec else "x"


def played(config: Head, data: Dataset, method: Method) -> Experiment:
    """A game on its data; of mixtures it draws at the end what was found of them."""
    points = "image" not in data.spec
    each = {"log_every": 200, "sample_every": 2000, "checkpoint_every": 2000, "steps_per_call": 100}
    drawings = {}
    if config.data in MIXTURES:
        drawings["modes"] = mode_drawing(MIXTURES[config.data](), {method.name: lambda view: draw_points(method, view)})
    return Experiment(
        method=method,
        data=data,
        schedule=Schedule(config.steps, **(each if points else {"sample_every": 1000, "checkpoint_every": 1000})),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings=drawings,
    )
