"""RealNVP on MNIST, 28x28 pixels of 256 levels.

`jaxgen train mnist_realnvp`
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.bijectors.compose import Chain
from jaxgen.bijectors.logit import Logit
from jaxgen.core import Net
from jaxgen.data import tfds
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.models.flow.realnvp import image_realnvp
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    steps: int = 1000
    """Training steps."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    couplings: int = 2
    """Couplings with a checkerboard mask in a level, and as many with a channel mask."""
    levels: int = 2
    """Scales."""
    width: int = 64
    """Channels of the coupling networks' hidden layers."""


def experiment(config: Config) -> Experiment:
    """As many couplings as `mnist_glow`, with the same networks, but on logits; noise and averages as there."""
    shape = (28, 28, 1)
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    size = config.couplings, config.levels, config.width
    flow = Chain((Logit(alpha=1e-6), image_realnvp(*size, dtype=config.dtype)))
    return Experiment(
        method=image_flow(Net(flow, optimizer, ema_decay=0.99), event_shape=shape, levels=256),
        data=tfds.images("mnist"),
        schedule=Schedule(config.steps),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Dinh et al., 2017",
        measured="test 1.384 ± 0.003 bits/dim (3 seeds, 144-180 s on 2 CPU cores)",
    )
