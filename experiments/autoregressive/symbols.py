"""What autoregressive models of text and sound share: windows of a file or folder, warm-up, and a cosine to a tenth."""

import dataclasses
from collections.abc import Callable
from typing import Any

import optax

from head import Networks
from jaxgen.core import Method, Net
from jaxgen.data.byte_text import byte_windows, standard_library, text
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.models.autoregressive.contract import AutoregressiveModel
from jaxgen.optimizers import matrices
from jaxgen.training.schedule import Schedule

LEVELS = 256


@dataclasses.dataclass(frozen=True)
class Symbols(Networks):
    """Settings of an autoregressive model of sequences."""

    steps: int = 2000
    """Training steps."""
    batch_size: int = 16
    """Windows in a batch."""
    learning_rate: float = 1e-3
    """AdamW's highest step size, after a hundred steps of warm-up and before a cosine to a tenth."""
    length: int = 256
    """Symbols of a window."""


@dataclasses.dataclass(frozen=True)
class Text(Symbols):
    """Settings of one of text."""

    data: str = "stdlib"
    """The standard library's source; or the path of a text file, of which the last tenth is held out, or of a folder
    of them."""

    def load(self) -> Dataset:
        """Windows of bytes."""
        if self.data == "stdlib":
            return byte_windows("stdlib", standard_library, self.length)
        return text(self.data, length=self.length)


def fitted(
    config: Symbols,
    data: Dataset,
    model: AutoregressiveModel,
    *,
    field: str,
    likelihood: Callable[..., Method] = maximum_likelihood,
) -> Experiment:
    """A model fitted by maximum likelihood; bits per symbol are the method's bits per dimension.

    The first symbols of a held-out window have little context.
    """
    rate = optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, 100, max(config.steps, 101), config.learning_rate / 10
    )
    decay: Any = optax.adamw(rate, b2=0.99, weight_decay=0.1, mask=matrices)
    net = Net(model, optax.chain(optax.clip_by_global_norm(1.0), decay), streams=("dropout",))
    return Experiment(
        method=likelihood(net, event=(config.length,), levels=LEVELS, field=field, draw="cached"),
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=500, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
