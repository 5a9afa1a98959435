"""What the experiments share that play a DCGAN's networks by various rules, on digits, MNIST and Stacked-MNIST."""

import dataclasses
from typing import Literal

import optax

from jaxgen.core import Method, Net
from jaxgen.data import tfds
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.stacked import stacked
from jaxgen.data.transforms import enlarge, pad, signed_unit
from jaxgen.experiment import Experiment
from jaxgen.losses import adversarial
from jaxgen.losses.adversarial import AdversarialLoss
from jaxgen.methods.adversarial import regularizers
from jaxgen.methods.adversarial.gan import gan
from jaxgen.methods.adversarial.priors import normal
from jaxgen.models.adversarial.conditional import WithLabel
from jaxgen.models.adversarial.dcgan import Discriminator, Generator
from jaxgen.optimizers import clip_weights
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Digits:
    """Settings on scikit-learn's digits, 8x8 pixels enlarged to 16x16 by repeating them."""

    steps: int = 6000
    """Training steps, each an update of the generator."""
    batch_size: int = 64
    """Images in a batch."""
    learning_rate: float = 5e-4
    """Of both networks."""
    seed: int = 0
    """Of initialization, data order and noise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters and losses are float32."""
    latent_size: int = 32
    """Length of z."""
    width: int = 32
    """Channels of the largest hidden maps; each smaller map has twice as many."""

    def generator(self) -> Generator:
        """A DCGAN's."""
        return Generator((16, 16, 1), self.width, self.dtype)

    def critic(self, normalization: Literal["batch", "spectral"] | None = None) -> Discriminator:
        """A DCGAN's discriminator."""
        return Discriminator(self.width, self.dtype, normalization)

    def experiment(self, method: Method, *, paper: str, measured: str) -> Experiment:
        """A method on the digits."""
        return Experiment(
            method=method,
            data=digits().map_once(enlarge(16)).map(signed_unit(DIGITS_LEVELS)),
            schedule=Schedule(self.steps, sample_every=500, checkpoint_every=500),
            batch_size=self.batch_size,
            seed=self.seed,
            paper=paper,
            measured=measured,
        )


@dataclasses.dataclass(frozen=True)
class Mnist(Digits):
    """Settings on MNIST, padded to 32x32 pixels."""

    steps: int = 5000
    """Training steps, each an update of the generator."""
    learning_rate: float = 1e-3
    """Of both networks; five times DCGAN's, ten times WGAN-GP's and twenty times WGAN's own, for runs of minutes."""
    latent_size: int = 64
    """Length of z."""

    def generator(self) -> Generator:
        """A DCGAN's."""
        return Generator((32, 32, 1), self.width, self.dtype)

    def experiment(self, method: Method, *, paper: str, measured: str) -> Experiment:
        """A method on MNIST."""
        on_digits = super().experiment(method, paper=paper, measured=measured)
        return dataclasses.replace(on_digits, data=tfds.images("mnist").map_once(pad(32)).map(signed_unit()))


@dataclasses.dataclass(frozen=True)
class StackedMnist(Mnist):
    """Settings on Stacked-MNIST, three of MNIST's digits as red, green and blue."""

    def generator(self) -> Generator:
        """A DCGAN's."""
        return Generator((32, 32, 3), self.width, self.dtype)

    def experiment(self, method: Method, *, paper: str, measured: str) -> Experiment:
        """A method on Stacked-MNIST."""
        on_digits = super().experiment(method, paper=paper, measured=measured)
        return dataclasses.replace(on_digits, data=stacked(tfds.images("mnist").map_once(pad(32))).map(signed_unit()))


def original(config: Digits, objective: AdversarialLoss = adversarial.non_saturating) -> Method:
    """Radford et al., 2016: batch normalization in both networks, and Adam with a first-moment decay of 0.5."""
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    return gan(
        Net(config.generator(), optimizer, ema_decay=0.999),
        Net(config.critic("batch"), optimizer),
        objective,
        prior=normal(config.latent_size),
    )


def spectrally_normalized(config: Digits) -> Method:
    """Miyato et al., 2018: the hinge loss, and spectral in place of batch normalization in the discriminator."""
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    return gan(
        Net(config.generator(), optimizer, ema_decay=0.999),
        Net(config.critic("spectral"), optimizer),
        adversarial.hinge,
        prior=normal(config.latent_size),
    )


def clipped(config: Digits, limit: float) -> Method:
    """Arjovsky et al., 2017: five critic updates for one of the generator, by RMSProp, weights within `limit`."""
    optimizer = optax.rmsprop(config.learning_rate)
    return gan(
        Net(config.generator(), optimizer, ema_decay=0.99),
        Net(config.critic(), optax.chain(optimizer, clip_weights(limit))),
        adversarial.wasserstein,
        prior=normal(config.latent_size),
        critic_steps=5,
    )


def penalized(config: Digits, weight: float) -> Method:
    """Gulrajani et al., 2017: five critic updates for one of the generator, by Adam without momentum."""
    optimizer = optax.adam(config.learning_rate, b1=0.0, b2=0.9)
    return gan(
        Net(config.generator(), optimizer, ema_decay=0.99),
        Net(config.critic(), optimizer),
        adversarial.wasserstein,
        prior=normal(config.latent_size),
        critic_steps=5,
        critic_regularizers=[regularizers.gradient_penalty(weight)],
    )


def conditional(config: Digits) -> Method:
    """Mirza & Osindero, 2014: a DCGAN whose networks both see the label, appended to z and to every pixel."""
    optimizer = optax.adam(config.learning_rate, b1=0.5)
    return gan(
        Net(WithLabel(config.generator(), 10), optimizer, ema_decay=0.999),
        Net(WithLabel(config.critic("batch"), 10), optimizer),
        adversarial.non_saturating,
        prior=normal(config.latent_size),
        classes=10,
    )
