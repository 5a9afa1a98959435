"""Integer discrete flows, which move whole numbers to whole numbers and code images without loss.

`jaxgen train idf`, and then `jaxgen compress RUN --from test --out digits.jxg`
"""

import dataclasses

import optax

from head import Head, cosine, levels
from jaxgen.core import Net
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.integer_flow import integer_flow
from jaxgen.models.flow.idf import IDF
from jaxgen.training.schedule import Schedule

NEEDS = "images, whose sides halvings divide"
PAPER = "Hoogeboom et al., 2019"


@dataclasses.dataclass(frozen=True)
class Config(Head):
    """Settings."""

    steps: int = 2000
    """Training steps."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    couplings: int = 4
    """Of a scale."""
    scales: int = 2
    """Each half of the one before."""
    width: int = 64
    """Channels of the coupling networks' hidden layers."""


PRESETS = {  # rounding biases gradients, so that more couplings are worse where the prior can do without
    "digits": Config(learning_rate=5e-3, couplings=1, scales=3, width=16),
    "mnist": Config(steps=1500),
}


def experiment(config: Config) -> Experiment:
    """The pixels as they are: nothing is dequantized."""
    data = config.load()
    model = IDF(
        levels(data), data.spec["image"].shape, config.couplings, config.scales, config.width, dtype=config.dtype
    )
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(cosine(config.learning_rate, config.steps, 0.0)))
    return Experiment(
        method=integer_flow(Net(model, optimizer, ema_decay=0.99)),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
    )
