"""A VAE on scikit-learn's digits that is told what its samples should be like: even, symmetric, or of a given weight.

`jaxgen train pr_vae --constraint even --m-step steer`
"""

import dataclasses
import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from head import Networks
from jaxgen.core import Array, Net
from jaxgen.data.embedded import DIGITS_LEVELS, digits
from jaxgen.data.transforms import signed_unit
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import discretized_logistic
from jaxgen.methods.knowledge.posterior_regularization import Constraint, steer, teach
from jaxgen.methods.latent.vae import ancestral_sampler, vae
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule

NEEDS = "nothing: digits come with scikit-learn"
PAPER = "Hu et al., 2018"
MEASURED = {"digits": "samples judged even: 0.874 at 1.998 test bits/dim, without 0.511 at 1.975 (1 seed, 2 CPU cores)"}


@dataclasses.dataclass(frozen=True)
class Config(Networks):
    """Settings."""

    data: Literal["digits"] = "digits"
    """Those that come with scikit-learn."""
    constraint: Literal["even", "symmetric", "ink"] = "even"
    """What samples should be."""
    alpha: float = 3.0
    """Nats a unit of the constraint is worth; its size decides."""
    m_step: Literal["teach", "steer"] = "steer"
    """Learn from samples of q*, or follow the constraint's gradient through the decoder."""
    steps: int = 1500
    """Training steps."""
    learning_rate: float = 1e-3
    """Adam's step size."""
    latent_size: int = 16
    """Length of z."""
    hidden: int = 256
    """Units of the hidden layers."""
    ink: float = 0.4
    """The mean of a pixel that "ink" asks for, from 0 to 1; the digits have 0.31 ± 0.04."""


@functools.cache
def _parity_classifier() -> tuple[Array, ...]:
    """Weights of a small classifier of even (1) and odd (0) digits, fitted to the training images."""
    data = digits().map(signed_unit(DIGITS_LEVELS)).train
    examples = data[np.arange(len(data))]
    optimizer = optax.adamw(3e-3, weight_decay=0.03)

    def loss(weights: tuple[Array, ...]) -> Array:
        logits = _logit(weights, jnp.asarray(examples["image"]))
        return optax.sigmoid_binary_cross_entropy(logits, examples["label"] % 2 == 0).mean()

    def step(_: int, carry: tuple) -> tuple:
        weights, state = carry
        updates, state = optimizer.update(jax.grad(loss)(weights), state, weights)
        return optax.apply_updates(weights, updates), state

    with jax.ensure_compile_time_eval():  # also where a training step is being traced
        keys = jax.random.split(jax.random.key(0))
        first = jax.random.normal(keys[0], (64, 64)) / 8, jnp.zeros(64)
        weights = *first, jax.random.normal(keys[1], (64,)) / 8
        return jax.jit(lambda start: jax.lax.fori_loop(0, 300, step, start))((weights, optimizer.init(weights)))[0]


def _logit(weights: tuple[Array, ...], x: Array) -> Array:
    inner, bias, outer = weights
    return jax.nn.relu(x.reshape(x.shape[0], -1) @ inner + bias) @ outer


def even(x: Array) -> Array:
    """log P(even | x) by the classifier, `[n]`, nats."""
    return jax.nn.log_sigmoid(_logit(_parity_classifier(), x))


def symmetric(x: Array) -> Array:
    """Minus the squared difference of an image and its mirror image in [0, 1], summed over pixels, `[n]`."""
    return -jnp.sum(jnp.square((x - x[:, :, ::-1]) / 2), (1, 2, 3))


def ink(x: Array, *, target: float) -> Array:
    """Minus the squared distance of the mean pixel in [0, 1] from the target, in hundredths, `[n]`."""
    return -jnp.square(100 * (jnp.mean((x + 1) / 2, (1, 2, 3)) - target))


def experiment(config: Config) -> Experiment:
    """The VAE of `vae`, and what is known of its samples."""
    shape = (8, 8, 1)
    layers = (config.hidden, config.hidden)
    optimizer = optax.adam(config.learning_rate)
    likelihood = discretized_logistic(DIGITS_LEVELS)
    base = vae(
        encoder=Net(MLPEncoder(config.latent_size, layers, config.dtype), optimizer, ema_decay=0.99),
        decoder=Net(MLPDecoder(shape, layers, outputs=2, dtype=config.dtype), optimizer, ema_decay=0.99),
        likelihood=likelihood,
        latent_size=config.latent_size,
    )
    known = {"even": even, "symmetric": symmetric, "ink": functools.partial(ink, target=config.ink)}
    constraint = Constraint(config.alpha, known[config.constraint])
    draw = ancestral_sampler(likelihood, latent_size=config.latent_size)
    m_step = {
        "teach": functools.partial(teach, draw=draw),
        "steer": functools.partial(steer, through="decoder", proposals=config.batch_size),
    }
    return Experiment(
        method=m_step[config.m_step](base, constraint),
        data=digits().map(signed_unit(DIGITS_LEVELS)),
        schedule=Schedule(config.steps, log_every=100, sample_every=500, checkpoint_every=500, steps_per_call=10),
        batch_size=config.batch_size,
        seed=config.seed,
    )
