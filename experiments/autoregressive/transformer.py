"""A transformer over bytes: of Python's own standard library, or of any file.

`jaxgen train transformer`, or with `--data FILE`
"""

import dataclasses

import optax

from head import Networks
from jaxgen.core import Net
from jaxgen.data.byte_text import byte_windows, file_bytes, standard_library
from jaxgen.experiment import Experiment
from jaxgen.methods.autoregressive.maximum_likelihood import maximum_likelihood
from jaxgen.models.autoregressive.transformer import Transformer
from jaxgen.optimizers import matrices
from jaxgen.training.schedule import Schedule

NEEDS = "text"
PAPER = "Radford et al., 2019; Su et al., 2021"


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    data: str = "stdlib"
    """The standard library's source, or the path of a file."""
    steps: int = 2000
    """Training steps."""
    batch_size: int = 16
    """Windows in a batch."""
    learning_rate: float = 1e-3
    """AdamW's highest step size, after a hundred steps of warm-up and before a cosine to a tenth."""
    length: int = 256
    """Bytes of a window."""
    width: int = 128
    """Of the residual stream."""
    layers: int = 4
    """Blocks."""
    heads: int = 4
    """Of each block's attention."""
    dropout: float = 0.0
    """Share of embeddings and branches that is dropped."""
    remat: bool = False
    """Keep only what passes between blocks for the gradient."""


PRESETS = {"stdlib": Config()}


def experiment(config: Config) -> Experiment:
    """Bits per byte are the method's bits per dimension; the first bytes of a held-out window have little context."""
    rate = optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, 100, max(config.steps, 101), config.learning_rate / 10
    )
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.99, weight_decay=0.1, mask=matrices))
    model = Transformer(
        256,
        config.width,
        config.layers,
        config.heads,
        dropout=config.dropout,
        remat=config.remat,
        dtype=config.dtype,
    )
    of_a_file = config.data != "stdlib"
    read = file_bytes(config.data) if of_a_file else standard_library
    return Experiment(
        method=maximum_likelihood(
            Net(model, optimizer, streams=("dropout",)), event=(config.length,), levels=256, field="text", draw="cached"
        ),
        data=byte_windows("text" if of_a_file else "stdlib", read, config.length),
        schedule=Schedule(
            steps=config.steps, log_every=100, sample_every=1000, checkpoint_every=500, steps_per_call=10
        ),
        batch_size=config.batch_size,
        seed=config.seed,
    )
