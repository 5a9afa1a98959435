"""Images turned with probability p before the critic sees them: below 1 the generator still learns which way is up.

`jaxgen train leaking_augmentation`
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration, Judge, Painter, drawn
from jaxgen.core import Array, Drawing, Method, Net, View
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.adaptive_augmentation import augment, quarter_turn
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.methods.adversarial.regularizers import r1
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Karras et al., 2020, section 2.2 and appendix C"
MEASURED = {"upright_corners": "all samples upright where p is at most 0.8 (seed 0)"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    steps: int = 3000
    """Training steps."""
    learning_rate: float = 2e-3
    """Adam's step size, which falls to nothing along a cosine."""


# p, and how many quarter turns a generator's images have gone through from the start: at 1 nothing tells it.
GAMES = {"p = 0": (0.0, 2), "p = 0.5": (0.5, 2), "p = 0.8": (0.8, 2), "p = 1": (1.0, 0), "p = 1, turned": (1.0, 2)}
CORNER = -np.ones((2, 2, 1), np.float32)
CORNER[0, 0] = 1
TURNS = np.stack([np.rot90(CORNER, k) for k in range(4)])  # the four images there are
SAMPLES, HIDDEN = 4000, (32, 32)


def leak(p: float) -> np.ndarray:
    """How often an image of one orientation is seen in another, `[seen, of]`: `(1 - p) I + p` times the mean turn."""
    turns = [[[(TURNS[i] == np.rot90(TURNS[j], k)).all() for j in range(4)] for i in range(4)] for k in range(4)]
    return (1 - p) * np.eye(4) + p * np.mean(turns, axis=0)


def upright() -> Dataset:
    """Field "image" float32 `[2, 2, 1]`: one bright corner, always the same, whose brightness differs a little."""

    def draw(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
        noise = 0.1 * rng.normal(size=(count, *CORNER.shape))
        return {"image": np.clip(0.8 * CORNER + noise, -1, 1).astype(np.float32)}

    return drawn("upright_corners", draw)


class Turned(Painter):
    """A painter whose images are turned at last."""

    turns: int = 0

    def __call__(self, z: Array) -> Array:
        return jnp.rot90(super().__call__(z), self.turns, axes=(1, 2))


def game(p: float, turns: int, config: Config) -> Method:
    """Of generator and critic, which sees everything turned with probability p."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    adam = optax.flatten(optax.adam(rate, b1=0.0, b2=0.99))
    return gan(
        Net(Turned(CORNER.shape, HIDDEN, config.dtype, turns), adam, ema_decay=0.99),
        Net(Judge(HIDDEN, config.dtype), adam),
        adversarial.non_saturating,
        prior=normal(4),
        critic_regularizers=[r1(0.1)],
        augmentations=[lambda images, key, step: augment(images, key, p, geometry=(quarter_turn,), color=())],
    )


def measure(view: View) -> dict[str, Array]:
    """The share of each orientation among a game's samples `[games, 4]`, and how far samples are from one `[games]`."""
    z = jax.random.normal(jax.random.key(0), (SAMPLES, 4))

    def shares(name: str) -> tuple[Array, Array]:
        images = part(view, name)("generator", z).astype(jnp.float32)
        away = jnp.max(jnp.abs(images[:, None] - 0.8 * jnp.asarray(TURNS)), (2, 3, 4))
        return jnp.mean(jax.nn.one_hot(jnp.argmin(away, 1), 4), 0), jnp.mean(jnp.min(away, 1))

    found = [shares(name) for name in GAMES]
    return {"shares": jnp.stack([each[0] for each in found]), "away": jnp.stack([each[1] for each in found])}


def draw(found: Mapping[str, np.ndarray]) -> Figure:
    """What of a difference between orientations is left to see, and what orientations generators have learned."""
    figure = new_figure(9.5, 3.8)
    left, learned = figure.subplots(1, 2, width_ratios=(1, 1.6))
    p = np.linspace(0, 1, 101)
    left.plot(p, [np.linalg.eigvalsh(leak(x)).min() for x in p])
    left.set(xlabel="p", ylabel="least eigenvalue", title="what turning leaves of a difference", ylim=(0, 1.05))
    for k in range(4):
        learned.bar(np.arange(len(GAMES)) + 0.2 * k, found["shares"][:, k], 0.2, label=f"{90 * k}°")
    learned.set_xticks(np.arange(len(GAMES)) + 0.3, list(GAMES), fontsize=8)
    learned.set(title="orientations of samples; all of the data's are 0°", ylim=(0, 1.25))
    learned.legend(ncols=4, loc="upper center")
    return figure


def numbers(found: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The least share upright where p is below 1; what two games at 1 differ by; and what of a difference is left."""
    p = np.array([each for each, _ in GAMES.values()])
    one, other = found["shares"][p == 1]
    return {
        "upright_below_one": float(found["shares"][p < 1, 0].min()),
        "apart_at_one": float(np.abs(one - other).sum() / 2),
        "least_upright_at_one": float(min(one[0], other[0])),
        "away_from_an_image": float(found["away"].max()),
        "eigenvalue_at_0.8": float(np.linalg.eigvalsh(leak(0.8)).min()),
        "eigenvalue_at_1": float(np.abs(np.linalg.eigvalsh(leak(1.0))).min()),
    }


def experiment(config: Config) -> Experiment:
    """Generators that begin upside down, and at p = 1 one that does not."""
    method = side_by_side({name: game(p, turns, config) for name, (p, turns) in GAMES.items()})
    return Experiment(
        method=dataclasses.replace(method, latents=None),  # four pixels make no picture
        data=upright(),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=100),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"orientations": Drawing(measure, draw, numbers)},
    )
