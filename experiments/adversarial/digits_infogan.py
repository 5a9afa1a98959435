"""InfoGAN on scikit-learn's digits: one of ten categories and two numbers that can be read from the image.

`jaxgen train digits_infogan`
"""

import dataclasses

import optax

from games import Digits
from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.transforms import enlarge, signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.infogan import category, infogan, interval
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.conditional import Joined
from jaxgen.models.adversarial.dcgan import Generator, Trunk
from jaxgen.models.adversarial.heads import Heads
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""

    learning_rate: float = 2e-4
    """Adam's step size, for all networks."""


def experiment(config: Config) -> Experiment:
    """The paper's rates: the generator's is five times the critic's."""
    codes = [category("digit", 10), interval("first"), interval("second")]
    outputs = {"digit": 10, "first": 2, "second": 2}
    slow, fast = (optax.adam(rate * config.learning_rate, b1=0.5) for rate in (1, 5))
    critic = Heads(Trunk(config.width, config.dtype), outputs, hidden=128, dtype=config.dtype)
    method = infogan(
        Net(Joined(Generator((16, 16, 1), config.width, config.dtype), 10), fast, ema_decay=0.999),
        Net(critic, slow),
        adversarial.non_saturating,
        noise=normal(config.latent_size),
        codes=codes,
    )
    return Experiment(
        method=method,
        data=digits().map_once(enlarge(16)).map(signed_unit(DIGITS_LEVELS)),
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Chen et al., 2016",
        measured="not yet run",
    )
