"""A sigmoid belief network by wake-sleep or by any gradient estimator, on binarized images (our own draw).

`jaxgen train sbn --data mnist`
"""

import dataclasses
import functools
from typing import Literal

import optax

from head import Head, binarized, cosine
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.losses import estimators
from jaxgen.methods.latent.discrete_vae import discrete_vae
from jaxgen.methods.latent.wake_sleep import reweighted_wake_sleep, wake_sleep
from jaxgen.models.latent.sbn import RecognitionNet, SigmoidBeliefNet
from jaxgen.models.mlp import MLP
from jaxgen.training.schedule import Schedule

NEEDS = "images"
PAPER = "Hinton et al., 1995"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 10_000
    """Training steps."""
    batch_size: int = 100
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    learn: Literal["wake_sleep", "reweighted", "nvil", "rloo", "disarm", "vimco", "straight_through", "reinmax"] = (
        "wake_sleep"
    )
    """By which algorithm."""
    draws: int = 5
    """K, of those that weigh or compare draws."""
    hidden: tuple[int, ...] = (200,)
    """Units of each layer of latents, from the data up."""


PRESETS = {"mnist": Config(), "digits": Config(steps=3000)}


def experiment(config: Config) -> Experiment:
    """One model and one recognition network, whatever trains them."""
    data = binarized(config.load())
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    model = SigmoidBeliefNet(config.hidden, data.spec["image"].shape, config.dtype)
    generative = Net(model, optimizer, ema_decay=0.999)
    recognition = Net(RecognitionNet(config.hidden, config.dtype), optimizer, ema_decay=0.999)
    by_estimator: dict[str, tuple[estimators.Estimator, Net | None]] = {
        "nvil": (estimators.score_function, Net(MLP(1, (100,), dtype=config.dtype), optimizer)),
        "rloo": (functools.partial(estimators.rloo, draws=config.draws), None),
        "disarm": (estimators.disarm, None),
        "vimco": (functools.partial(estimators.vimco, draws=config.draws), None),
        "straight_through": (estimators.straight_through, None),
        "reinmax": (estimators.reinmax, None),
    }
    if config.learn == "wake_sleep":
        method = wake_sleep(generative, recognition)
    elif config.learn == "reweighted":
        method = reweighted_wake_sleep(generative, recognition, draws=config.draws)
    else:
        estimator, baseline = by_estimator[config.learn]
        method = discrete_vae(generative, recognition, estimator, baseline=baseline)
    return Experiment(
        method=method,
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
