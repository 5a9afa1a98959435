"""What autoregressive models of images share: pixels as they are, or drawn as 0 and 1, and AdamW along a cosine."""

import dataclasses
from typing import Any

import optax

from head import Head, binarized, cosine, levels
from jaxgen.core import Net
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.models.autoregressive.contract import AutoregressiveModel
from jaxgen.optimizers import matrices
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Pixels(Head):
    """Settings of an autoregressive model of images."""

    steps: int = 1200
    """Training steps."""
    learning_rate: float = 2e-3
    """AdamW's step size at first, falling to 0 along a cosine."""
    dropout: float = 0.2
    """Rate in the network."""
    binary: bool = False
    """Draw every pixel as 0 or 1 by its level, the same way in every run: static binarization."""

    def load(self) -> Dataset:
        """The data set, binarized where that is asked for."""
        data = super().load()
        return binarized(data) if self.binary else data


def fitted(config: Pixels, data: Dataset, model: AutoregressiveModel) -> Experiment:
    """A model fitted to the pixels by maximum likelihood: nothing is dequantized, its figure is exact."""
    decay: Any = optax.adamw(cosine(config.learning_rate, config.steps, 0.0), weight_decay=1e-2, mask=matrices)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), decay)
    net = Net(model, optimizer, ema_decay=0.995, streams=("dropout",))
    return Experiment(
        method=maximum_likelihood(net, event=data.spec["image"].shape, levels=levels(data)),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=600, checkpoint_every=600, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
