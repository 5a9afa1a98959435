"""Masked autoregressive flow on tables of real numbers.

`jaxgen train tabular_maf`; `--data power --data-dir FOLDER` and so on for the published tables.
"""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Net
from jaxgen.data.tabular import breast_cancer, published
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import flow
from jaxgen.models.flow.maf import maf
from jaxgen.training.early_stopping import EarlyStopping
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    data: Literal["breast_cancer", "power", "gas", "hepmass", "miniboone", "bsds300"] = "breast_cancer"
    """The table: scikit-learn's, or one of those of Papamakarios et al. (2017)."""
    steps: int = 5000
    """Training steps at most; the published tables are larger and take tens of thousands."""
    validate_every: int = 20
    """Steps between evaluations on the validation rows."""
    patience: int = 15
    """Evaluations in a row without a better one after which training ends and goes back to the best."""
    batch_size: int = 64
    """Rows in a batch."""
    learning_rate: float = 1e-2
    """Adam's step size."""
    weight_decay: float = 1.0
    """By which each step draws the weights to zero, in units of the step size: 364 rows are few."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the networks' activations; parameters, the flow's own path and losses are float32."""
    layers: int = 5
    """Autoregressive layers."""
    width: int = 64
    """Units of each of the networks' two hidden layers."""


def experiment(config: Config) -> Experiment:
    """The averaged weights are evaluated, in nats: the density is that of the standardized columns."""
    data = breast_cancer() if config.data == "breast_cancer" else published(config.data)
    optimizer = optax.adamw(config.learning_rate, weight_decay=config.weight_decay)
    network = maf(config.layers, (config.width, config.width), dtype=config.dtype)
    return Experiment(
        method=flow(Net(network, optimizer, ema_decay=0.99), event_shape=data.spec["x"].shape),
        data=data,
        schedule=Schedule(config.steps, log_every=config.validate_every, sample_every=config.steps, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Papamakarios et al., 2017",
        measured="test 1.5 ± 1.1 nats (3 seeds, 2 CPU cores)",
        early_stopping=EarlyStopping("log_likelihood_nats", config.validate_every, config.patience, mode="max"),
    )
