"""What flows on points share: maximum likelihood, and the density drawn where the true one is known."""

import dataclasses
from typing import Any, Literal

import optax

from head import Data, Training, cosine
from jaxgen.bijectors.bijector import Bijector
from jaxgen.core import Net
from jaxgen.data.source import Dataset
from jaxgen.data.synthetic import DENSITIES
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import flow
from jaxgen.report.density import density_drawing
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Points(Training, Data):
    """Settings of a flow on points."""

    data: str = "two_moons"
    """A density of the plane, whose own log-density is the best possible figure; a table; or the path of one."""
    steps: int = 2000
    """Training steps."""
    batch_size: int = 256
    """Points in a batch."""
    learning_rate: float = 3e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""


@dataclasses.dataclass(frozen=True)
class Conditioned(Points):
    """Settings of those flows whose layers are conditioned by networks."""

    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the networks' activations; parameters, the flow's own path and losses are float32."""
    width: int = 64
    """Units of each of the networks' two hidden layers."""

    @property
    def widths(self) -> tuple[int, int]:
        """Of the hidden layers."""
        return (self.width, self.width)


def fitted(config: Points, bijector: Bijector) -> Experiment:
    """A flow fitted to the points by Adam."""
    optimizer = optax.adam(cosine(config.learning_rate, config.steps, 0.0))
    return on_points(config, config.load(), Net(bijector, optimizer, ema_decay=0.99))


def on_points(config: Training, data: Dataset, net: Net, **settings: Any) -> Experiment:
    """A flow fitted to points by maximum likelihood; `settings` are those of `Experiment`.

    Raises:
      UserError: the data has no points.
    """
    if "x" not in data.spec:
        raise UserError(f"data {data.name} has no points, which this method takes; name a density or a table.")
    method = flow(net, event_shape=data.spec["x"].shape)
    drawings = {}
    if data.name in DENSITIES:
        drawings["density"] = density_drawing(method, DENSITIES[data.name]().log_prob)
    schedule = Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10)
    return Experiment(
        **{
            "method": method,
            "data": data,
            "schedule": schedule,
            "batch_size": config.batch_size,
            "seed": config.seed,
            "drawings": drawings,
            **settings,
        }
    )
