"""What flows of vision transformers share: patches of dequantized images, and Adam along a cosine."""

import dataclasses

import optax

from head import Head, cosine, levels
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain
from jaxgen.bijectors.logit import Logit
from jaxgen.core import Method, Net
from jaxgen.data.source import Dataset
from jaxgen.experiment import Experiment
from jaxgen.methods.flow.flow import image_flow
from jaxgen.training.schedule import Schedule


@dataclasses.dataclass(frozen=True)
class Patches(Head):
    """Settings of a flow on patches."""

    steps: int = 2000
    """Training steps."""
    learning_rate: float = 1e-3
    """Adam's step size at the start; it decays to nothing along a cosine."""
    patch: int = 2
    """Side of the square of pixels that is one token; it divides height and width."""
    width: int = 64
    """Of the transformers."""
    layers: int = 2
    """Blocks of each transformer."""
    heads: int = 4
    """Of each block's attention."""


def moved(config: Patches) -> optax.GradientTransformation:
    """The optimizer."""
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(cosine(config.learning_rate, config.steps, 0.0)))


def fitted(config: Patches, data: Dataset, flow: Bijector) -> Experiment:
    """A flow on the pixels' logits, fitted by maximum likelihood; every step sees new dequantization noise."""
    net = Net(Chain((Logit(alpha=1e-6), flow)), moved(config), ema_decay=0.99)
    return trained(config, data, image_flow(net, event_shape=data.spec["image"].shape, levels=levels(data)))


def trained(config: Patches, data: Dataset, method: Method) -> Experiment:
    """A method on its data, for as long as the settings say."""
    return Experiment(
        method=method,
        data=data,
        schedule=Schedule(config.steps, log_every=100, sample_every=1000, checkpoint_every=1000, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
