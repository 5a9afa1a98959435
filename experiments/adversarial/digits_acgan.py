"""AC-GAN on scikit-learn's digits: a critic that names classes, and with `twin` one that takes the pay for it back.

`jaxgen train digits_acgan`
"""

import dataclasses

import optax

from games import Digits
from jaxgen.core import Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.transforms import enlarge, signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.methods.adversarial.acgan import acgan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.conditional import WithLabel
from jaxgen.models.adversarial.dcgan import Generator, Trunk
from jaxgen.models.adversarial.heads import Heads
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Config(Digits):
    """Settings."""

    twin: bool = False
    """Whether a second classifier keeps classes that overlap as wide as they are."""


def experiment(config: Config) -> Experiment:
    """The networks of `digits_dcgan`; the classes' heads share the critic's trunk."""
    adam = optax.adam(config.learning_rate, b1=0.5)
    generator = WithLabel(Generator((16, 16, 1), config.width, config.dtype), 10)
    critic = Heads(Trunk(config.width, config.dtype), {"label": 10, "twin": 10}, dtype=config.dtype)
    method = acgan(
        Net(generator, adam, ema_decay=0.999),
        Net(critic, adam),
        adversarial.non_saturating,
        prior=normal(config.latent_size),
        classes=10,
        twin=config.twin,
    )
    return Experiment(
        method=method,
        data=digits().map_once(enlarge(16)).map(signed_unit(DIGITS_LEVELS)),
        schedule=Schedule(config.steps, sample_every=1000, checkpoint_every=1000),
        batch_size=config.batch_size,
        seed=config.seed,
        paper="Odena et al., 2017; Gong et al., 2019",
        measured="not yet run",
    )
