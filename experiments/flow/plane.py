"""What the flows on the plane share: known densities on the plane, fitted by flows that differ in one network."""

import dataclasses
from typing import Literal

import optax

from jaxgen.bijectors.bijector import Bijector
from jaxgen.core import Net
from jaxgen.data.synthetic import DENSITIES
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import flow
from jaxgen.report.density import density_drawing
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Toy2D:
    """Settings of every flow on the plane."""

    density: Literal["two_moons", "gaussian_ring", "rings", "two_spirals", "checkerboard"] = "two_moons"
    """What is to be learned; its own log-density is the best possible figure."""
    steps: int = 2000
    """Training steps."""
    batch_size: int = 256
    """Points in a batch."""
    learning_rate: float = 3e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    seed: int = 0
    """Of initialization, data order and noise."""


@dataclasses.dataclass(frozen=True)
class Conditioned(Toy2D):
    """Settings of those flows whose layers are conditioned by networks."""

    width: int = 64
    """Units of each of the networks' two hidden layers."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the networks' activations; parameters, the flow's own path and losses are float32."""

    @property
    def widths(self) -> tuple[int, int]:
        """Of the hidden layers."""
        return (self.width, self.width)


def toy2d(config: Toy2D, bijector: Bijector, *, paper: str, measured: str) -> Experiment:
    """A flow fitted to 50,000 points by maximum likelihood; its density is drawn beside that of the data.

    Args:
      config: the experiment's settings.
      bijector: the flow, on `[batch, 2]`.
      paper: where it comes from.
      measured: the figure it reached.
    """
    density = DENSITIES[config.density]()
    optimizer = optax.adam(optax.cosine_decay_schedule(config.learning_rate, config.steps))
    method = flow(Net(bijector, optimizer, ema_decay=0.99), event_shape=(2,))
    return Experiment(
        method=method,
        data=density.dataset(),
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
        paper=paper,
        measured=measured,
        drawings={"density": density_drawing(method, density.log_prob)},
    )
