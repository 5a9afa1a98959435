"""A belief network small enough to enumerate: what waking teaches, what dreams teach, and what either leaves undone.

`jaxgen train wake_and_sleep`
"""

import dataclasses
import itertools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from demonstrations import Demonstration, drawn
from jaxgen.core import Array, Drawing, Method, Net, View
from jaxgen.experiment import Experiment
from jaxgen.methods.latent.belief_network import log_joint, log_q
from jaxgen.methods.latent.wake_sleep import wake_sleep
from jaxgen.methods.recording import history, recorded
from jaxgen.methods.side_by_side import part, side_by_side
from jaxgen.models.latent.sbn import RecognitionNet, SigmoidBeliefNet
from jaxgen.report.figure import new_figure
from jaxgen.training.schedule import Schedule

PAPER = "Hinton et al., 1995"
MEASURED = {"bars": "-log p(x) 4.86 nats, awake alone 5.99, asleep alone 6.50"}


@dataclasses.dataclass(frozen=True)
class Config(Demonstration):
    """Settings."""

    learning_rate: float = 1e-2
    """Adam's step size at the start; it falls to nothing along a cosine."""


SIDE, BITS, SHARE, EVERY = 3, 6, 0.3, 100
WAYS = ("both", "wake alone", "sleep alone")


def bars(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Images of rows and columns, each there with probability SHARE, `[count, SIDE, SIDE, 1]`."""
    row, column = (rng.random((2, count, SIDE)) < SHARE)[:, :, :, None]
    return {"image": np.maximum(row, column.swapaxes(1, 2)).astype(np.float32)[..., None]}


def every(size: int) -> np.ndarray:
    """All strings of so many bits, `[2^size, size]`."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=size)), np.float32)


IMAGES = every(SIDE**2).reshape(-1, SIDE, SIDE, 1)
LATENTS = np.repeat(every(BITS)[:, None], len(IMAGES), 1)  # [states, images, BITS]


def frequencies() -> np.ndarray:
    """The data's probability of each of IMAGES: a sum over rows and columns."""
    found = np.zeros(len(IMAGES))
    for lines in every(2 * SIDE):
        image = np.maximum(lines[:SIDE, None], lines[None, SIDE:])
        where = int("".join(str(int(pixel)) for pixel in image.ravel()), 2)
        found[where] += np.prod(np.where(lines == 1, SHARE, 1 - SHARE))
    return found


def observe(view: View) -> Array:
    """Nats, exactly, `[ways, 3]`: -log p(x), KL(q || p(z|x)), both over the data, and KL(p(z|x) || q) over dreams."""
    data = jnp.asarray(frequencies(), jnp.float32)

    def of(own: View) -> Array:
        joint, q = (log(own, jnp.asarray(IMAGES), [jnp.asarray(LATENTS)]) for log in (log_joint, log_q))
        evidence = jax.nn.logsumexp(joint, 0)
        awake = jnp.sum(jnp.exp(q) * (q - joint + evidence), 0)
        asleep = jnp.sum(jnp.exp(joint) * (joint - evidence - q))
        return jnp.stack([-data @ evidence, data @ awake, asleep])

    return jnp.stack([of(part(view, way)) for way in WAYS])


def draw(course: np.ndarray) -> Figure:
    """Each number on its way, `[frames, ways, 3]`."""
    figure = new_figure(11, 3.8)
    frequency = frequencies()
    entropy = -np.sum(frequency * np.log(np.maximum(frequency, 1e-300)))
    titles = ("-log p(x), data", "KL(q || p(z|x)), data", "KL(p(z|x) || q), dreams")
    for axes, title, lines in zip(figure.subplots(1, 3), titles, course.T, strict=True):
        for index, (way, line) in enumerate(zip(WAYS, lines, strict=True)):
            axes.plot(np.arange(len(line)) * EVERY, line, color=f"C{index}", label=way)
        axes.set(xlabel="step", title=title)
    first, second, _ = figure.axes
    first.axhline(entropy, color="k", linestyle=":")
    first.text(0, entropy + 0.03, "entropy of the data", fontsize=8)
    first.set_ylabel("nats")
    second.legend(fontsize=8)
    return figure


def numbers(course: np.ndarray) -> Mapping[str, float]:
    """Where each way ends."""
    kinds = ("evidence_nats", "kl_awake", "kl_asleep")
    ends = zip(WAYS, course[-1], strict=True)
    return {f"{kind}_{way.split()[0]}": value for way, of in ends for kind, value in zip(kinds, of, strict=True)}


def ways(config: Config) -> Mapping[str, Method]:
    """Wake-sleep, and what is left of it without one of its phases."""
    rate = optax.cosine_decay_schedule(config.learning_rate, config.steps)
    model = SigmoidBeliefNet((BITS,), (SIDE, SIDE, 1), config.dtype)
    nets = (Net(net, optax.adam(rate)) for net in (model, RecognitionNet((BITS,), config.dtype)))
    both = wake_sleep(*nets, evaluation_draws=10)
    wake, sleep = ((phase,) for phase in both.phases)
    alone = [dataclasses.replace(both, phases=phases) for phases in (wake, sleep)]
    return dict(zip(WAYS, (both, *alone), strict=True))


def experiment(config: Config) -> Experiment:
    """Bars of three by three pixels, and four bits that are to know of them."""
    method = recorded(
        side_by_side(ways(config)), observe, frames=config.steps // EVERY, shape=(len(WAYS), 3), every=EVERY
    )
    return Experiment(
        method=method,
        data=drawn("bars", bars),
        schedule=Schedule(config.steps, log_every=100, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        drawings={"phases": Drawing(lambda view: jnp.concatenate([history(view), observe(view)[None]]), draw, numbers)},
    )
