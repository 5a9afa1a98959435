"""Gradients of bounds over Bernoulli latents, which no gradient passes: one interface, so that a model trains by any.

A model is written once, as `log_joint(sample) -> log p(x, z)`, `[draws, batch]`, in which each layer of latents is
drawn by `z = sample(logits)`: q's logits `[batch, n]` or, where they depend on another layer, `[draws, batch, n]`;
z is `[draws, batch, n]`. The estimator decides what `sample` does, and keeps the account of log q(z|x):

    def log_joint(sample):
        z = sample(encoder(x))
        return prior(z) + likelihood(x, decoder(z))

    bound = estimators.vimco(key, log_joint, draws=5)   # [batch], to be raised

A bound's value is that of the draw; its gradient, by the logits and by whatever `log_joint` closes over, is the
estimator's. All but the last three are unbiased: of the evidence lower bound, and `vimco` of the importance-weighted.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from jaxgen.errors import UserError
from jaxgen.losses.ancestral import Draw, Rule, Sample, bits
from jaxgen.losses.variational import iwae

LogJoint = Callable[[Sample], jax.Array]
Estimator = Callable[..., jax.Array]  # (key, log_joint) -> [batch]; settings are bound by `functools.partial`


def _run(key: jax.Array, log_joint: LogJoint, draws: int, rule: Rule = bits) -> tuple[jax.Array, jax.Array]:
    """log p(x, z) and log q(z|x), `[draws, batch]` each."""
    sample = Draw(key, draws, rule)
    log_p = log_joint(sample)
    return log_p, sample.log_prob


def _with_gradient(value: jax.Array, surrogate: jax.Array) -> jax.Array:
    return stop_gradient(value - surrogate) + surrogate


def exact(key: jax.Array, log_joint: LogJoint, *, size: int) -> jax.Array:
    """The bound itself: the sum over all 2^size states, `size` being the latents of all layers together.

    Raises:
      UserError: the model draws another number.
    """
    states = jnp.arange(2**size)[:, None] >> jnp.arange(size) & 1
    taken = 0

    def check(fits: bool) -> None:
        if not fits:
            raise UserError(f"size is {size}, but the model draws {taken}: give the latents of all its layers together")

    def enumerate_states(key: jax.Array, logits: jax.Array) -> jax.Array:
        nonlocal taken
        taken += logits.shape[-1]
        check(taken <= size)
        layer = states[:, None, taken - logits.shape[-1] : taken]
        return jnp.broadcast_to(layer, logits.shape).astype(logits.dtype)

    log_p, log_q = _run(key, log_joint, 2**size, enumerate_states)
    check(taken == size)
    return jnp.sum(jnp.exp(log_q) * (log_p - log_q), 0)


def score_function(
    key: jax.Array, log_joint: LogJoint, *, draws: int = 1, baseline: jax.Array | float | None = None
) -> jax.Array:
    """REINFORCE; with a learned baseline, NVIL: Mnih and Gregor 2014, eq. 7.

    Args:
      key: PRNG key.
      log_joint: the model.
      draws: averaged.
      baseline: what a network expects of the bound, `[batch]`, from x alone: its bias is the paper's running mean. It
        learns by its squared error, which the bound's gradient includes and its value does not.
    """
    log_p, log_q = _run(key, log_joint, draws)
    signal = stop_gradient(log_p - log_q)
    if baseline is None:
        return _with_gradient(jnp.mean(signal, 0), jnp.mean(signal * log_q + log_p, 0))
    error = signal - baseline
    surrogate = stop_gradient(error) * log_q + log_p - jnp.square(error)
    return _with_gradient(jnp.mean(signal, 0), jnp.mean(surrogate, 0))


def rloo(key: jax.Array, log_joint: LogJoint, *, draws: int) -> jax.Array:
    """REINFORCE, each draw's baseline being the others' mean: Kool et al. 2019."""
    _check_draws("rloo", draws)
    log_p, log_q = _run(key, log_joint, draws)
    signal = stop_gradient(log_p - log_q)
    mean = jnp.mean(signal, 0)
    # signal - mean of the others
    return _with_gradient(mean, jnp.mean((signal - mean) * draws / (draws - 1) * log_q + log_p, 0))


def disarm(key: jax.Array, log_joint: LogJoint) -> jax.Array:
    """Two antithetic draws of one layer, their noise integrated out: Dong et al. 2020, eq. 7.

    Raises:
      UserError: the model draws more than one layer.
    """

    def antithetic(key: jax.Array, logits: jax.Array) -> jax.Array:
        uniform = jax.random.uniform(key, logits.shape[1:], logits.dtype)
        return (jnp.stack([1 - uniform, uniform]) < jax.nn.sigmoid(logits)).astype(logits.dtype)

    sample = Draw(key, 2, antithetic)
    log_p = log_joint(sample)
    if len(sample.layers) != 1:
        raise UserError(f"disarm draws one layer of latents, but the model has {len(sample.layers)}; use rloo or vimco")
    logits, (z, other) = sample.logits[0][0], sample.layers[0]
    signal = stop_gradient(log_p - sample.log_prob)
    slope = (z - other) * jax.nn.sigmoid(jnp.abs(logits)) * (signal[0] - signal[1])[:, None] / 2
    return _with_gradient(jnp.mean(signal, 0), jnp.sum(stop_gradient(slope) * logits, -1) + jnp.mean(log_p, 0))


def vimco(key: jax.Array, log_joint: LogJoint, *, draws: int) -> jax.Array:
    """The importance-weighted bound, each draw's baseline being what the others foretell: Mnih and Rezende 2016, eq. 9.

    The draw left out counts as the geometric mean of the others' weights.
    """
    _check_draws("vimco", draws)
    log_p, log_q = _run(key, log_joint, draws)
    log_weights = log_p - log_q
    fixed = stop_gradient(log_weights)
    others = (jnp.sum(fixed, 0) - fixed) / (draws - 1)
    left_out = jnp.where(jnp.eye(draws, dtype=bool)[:, :, None], others, fixed)  # [draw left out, draw, batch]
    bound = iwae(log_weights)
    signal = stop_gradient(bound) - iwae(left_out, axis=1)
    # log q stands in the weights, too: without its gradient there, the -w~ of eq. 9, the estimate would be biased.
    return _with_gradient(bound, jnp.sum(signal * log_q, 0) + bound)


def straight_through(key: jax.Array, log_joint: LogJoint) -> jax.Array:
    """As if the draw were its probability, biased: Bengio et al. 2013."""

    def draw(key: jax.Array, logits: jax.Array) -> jax.Array:
        return _with_gradient(bits(key, logits), jax.nn.sigmoid(logits))

    log_p, log_q = _run(key, log_joint, 1, draw)
    return (log_p - log_q)[0]


def reinmax(key: jax.Array, log_joint: LogJoint) -> jax.Array:
    """Straight-through of second order, biased: Liu et al. 2023, algorithm 2, for two classes."""

    def draw(key: jax.Array, logits: jax.Array) -> jax.Array:
        z = bits(key, logits)
        probability = jax.nn.sigmoid(logits)
        middle = stop_gradient((probability + z) / 2)
        tilted = jax.nn.sigmoid(stop_gradient(jax.scipy.special.logit(middle) - logits) + logits)
        return _with_gradient(z, 2 * tilted - probability / 2)

    log_p, log_q = _run(key, log_joint, 1, draw)
    return (log_p - log_q)[0]


def gumbel_softmax(key: jax.Array, log_joint: LogJoint, *, temperature: float, hard: bool = False) -> jax.Array:
    """Relaxed draws in (0, 1), biased: Jang et al. 2017; Maddison et al. 2017, the binary concrete.

    Args:
      key: PRNG key.
      log_joint: the model. It is given relaxed latents, so that the value is no bound, unless `hard`.
      temperature: positive; towards 0 less bias and more variance.
      hard: rounds the draws and keeps the relaxed ones' gradient.
    """
    if not temperature > 0:
        raise UserError(f"temperature is {temperature}: a relaxation needs a positive one, e.g. 0.5")

    def draw(key: jax.Array, logits: jax.Array) -> jax.Array:
        relaxed = jax.nn.sigmoid((logits + jax.random.logistic(key, logits.shape, logits.dtype)) / temperature)
        return _with_gradient(jnp.round(relaxed), relaxed) if hard else relaxed

    log_p, log_q = _run(key, log_joint, 1, draw)
    return (log_p - log_q)[0]


def _check_draws(name: str, draws: int) -> None:
    if draws < 2:
        raise UserError(f"draws is {draws}: {name} compares each draw with the others, so it needs at least 2")
