"""Adversarial losses on logits, and the theory they approximate.

A discriminator's logit is `log D/(1 - D)`, so `D = sigmoid(logit)`; a critic's score (Wasserstein, hinge, least
squares) is any real number. A game is an `AdversarialLoss`; six are constants below, five of them `Separable`, and
one's own is a seventh of either kind.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn import relu, softplus
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32


@dataclasses.dataclass(frozen=True)
class AdversarialLoss:
    """A two-player game as two functions of logits `[...]` of real examples and of as many generated ones.

    Either returns `[...]`, to be minimised, nothing reduced.

    Attributes:
      critic: the critic's loss, `(real, fake) -> [...]`.
      generator: the generator's loss, `(real, fake) -> [...]`.
      paired: whether the generator's loss looks at real logits. Where it does not, nobody computes them for it: it is
        given None in their place.
    """

    critic: Callable[[ArrayLike, ArrayLike], jax.Array]
    generator: Callable[[Any, ArrayLike], jax.Array]
    paired: bool = True


class Separable(AdversarialLoss):
    """A game that judges every example for itself: three functions `[...] -> [...]` of logits.

    Attributes:
      real: the critic's loss on the logits of real examples.
      fake: the critic's loss on the logits of generated examples; `critic` is the sum of both.
    """

    real: Callable[[ArrayLike], jax.Array]
    fake: Callable[[ArrayLike], jax.Array]

    def __init__(
        self,
        real: Callable[[ArrayLike], jax.Array],
        fake: Callable[[ArrayLike], jax.Array],
        generator: Callable[[ArrayLike], jax.Array],
    ) -> None:
        """From the two terms of the critic and the generator's loss on the logits of generated examples."""
        super().__init__(lambda r, f: real(r) + fake(f), lambda _, f: generator(f), paired=False)
        object.__setattr__(self, "real", real)
        object.__setattr__(self, "fake", fake)


def _lift(logits: ArrayLike) -> jax.Array:
    (logits,) = at_least_float32(logits)
    return logits


def _half_square(difference: jax.Array) -> jax.Array:
    return 0.5 * jnp.square(difference)


minimax = Separable(
    real=lambda logits: softplus(-_lift(logits)),
    fake=lambda logits: softplus(_lift(logits)),
    generator=lambda logits: -softplus(_lift(logits)),
)
"""`-log D`, `-log(1 - D)`, and `log(1 - D)` for the generator, in nats: Goodfellow et al. 2014, eq. 1.

The generator's gradient with respect to the logit is `-sigmoid(logit)`: it vanishes while the discriminator wins.
"""

non_saturating = Separable(
    real=minimax.real,
    fake=minimax.fake,
    generator=lambda logits: softplus(-_lift(logits)),
)
"""The same discriminator; the generator minimises `-log D`, in nats: Goodfellow et al. 2014, section 3.

Its gradient with respect to the logit, `-(1 - sigmoid(logit))`, is strong while the discriminator wins; the fixed point
is the same.
"""

wasserstein = Separable(
    real=lambda logits: -_lift(logits),
    fake=lambda logits: _lift(logits),
    generator=lambda logits: -_lift(logits),
)
"""Differences of mean scores: Arjovsky et al. 2017, eq. 2. Means a distance only for a Lipschitz-bounded critic."""

hinge = Separable(
    real=lambda logits: relu(1.0 - _lift(logits)),
    fake=lambda logits: relu(1.0 + _lift(logits)),
    generator=lambda logits: -_lift(logits),
)
"""Margins of one on either side: Lim and Ye 2017; Miyato et al. 2018, eqs. 16 and 17."""

least_squares = Separable(
    real=lambda logits: _half_square(_lift(logits) - 1.0),
    fake=lambda logits: _half_square(_lift(logits)),
    generator=lambda logits: _half_square(_lift(logits) - 1.0),
)
"""Half squared distances to the labels a = 0 (fake), b = 1 (real), c = 1 (wanted): Mao et al. 2017, eq. 2."""


relativistic_pairing = AdversarialLoss(
    critic=lambda real, fake: softplus(_lift(fake) - _lift(real)),
    generator=lambda real, fake: softplus(_lift(real) - _lift(fake)),
)
"""Which of a pair is real, in nats: Jolicoeur-Martineau 2019; Huang et al. 2024, section 2.1.

The best critic's logit is `log p - log q` up to a constant, and its loss `log 2` minus the Jensen-Shannon divergence of
the pairs (real, fake) and (fake, real). Its landscape has no local minima that drop modes, but alone it need not
converge: with R1 and R2 it does, locally (their section 2.3).
"""


def one_sided_label_smoothing(loss: Separable, epsilon: float) -> Separable:
    """The same game where data are real with probability `1 - epsilon` only: Salimans et al. 2016, section 3.4.

    The best discriminator of minimax and non_saturating becomes `(1 - epsilon) p / (p + q)`. Generated examples keep
    their label: smoothing it, too, would reward the generator for staying where it is.

    Args:
      loss: any separable game.
      epsilon: from 0 to 1, e.g. 0.1.

    Raises:
      UserError: epsilon is outside.
    """
    if not 0 <= epsilon <= 1:
        raise UserError(f"epsilon is {epsilon}; it must be between 0 and 1, e.g. 0.1.")
    return Separable(
        real=lambda logits: (1 - epsilon) * loss.real(logits) + epsilon * loss.fake(logits),
        fake=loss.fake,
        generator=lambda logits: loss.generator(None, logits),
    )


def optimal_discriminator(p: ArrayLike, q: ArrayLike) -> jax.Array:
    """The discriminator no other can beat, `p / (p + q)`: Goodfellow et al. 2014, proposition 1.

    Args:
      p: density (or probability) of the data at some points, `[...]`, not negative.
      q: density of the generator at the same points, `[...]`.

    Returns:
      The probability that each point is real, `[...]` (its logit is `log p - log q`); one half where both
      densities vanish.
    """
    p, q, _ = _rescale(p, q)
    total = p + q
    return jnp.where(total > 0, p / jnp.where(total > 0, total, 1.0), 0.5)


def jensen_shannon(
    p: ArrayLike, q: ArrayLike, *, axis: int | tuple[int, ...] | None = -1, weights: ArrayLike = 1.0
) -> jax.Array:
    """Jensen-Shannon divergence in nats, from 0 to log 2: `KL(p || m) / 2 + KL(q || m) / 2` with `m = (p + q) / 2`.

    The optimal discriminator's minimax loss is `log 4 - 2 * jensen_shannon(p, q)`: Goodfellow et al. 2014, theorem 1.

    Args:
      p: probabilities over an enumerated support, or a density on a grid, `[..., points]`; not normalised here.
      q: the other's, of the same shape.
      axis: the axis or axes that hold the points; None for all.
      weights: the measure of each point, broadcast against `p`: 1 for probabilities, the cell's volume for a density.

    Returns:
      The divergence, `[...]`. Empty points count as `0 log 0 = 0`. The derivative with respect to a density that is
      zero where the other is not, minus infinity in truth, is a large negative number.
    """
    p, q, scale = _rescale(p, q)
    terms = 0.5 * scale * (p * _log_ratio_to_mean(p, q) + q * _log_ratio_to_mean(q, p))
    return jnp.sum(jnp.asarray(weights, terms.dtype) * terms, axis=axis)


def _rescale(p: ArrayLike, q: ArrayLike) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`p / scale`, `q / scale` and the scale, the larger of the two.

    The scale is a constant to differentiation: what is computed from the results is homogeneous, so it drops out, and
    squares of densities far in the tails no longer underflow in the gradient.
    """
    p, q = at_least_float32(p, q)
    scale = jax.lax.stop_gradient(jnp.maximum(jnp.maximum(p, q), jnp.finfo(p.dtype).tiny))
    return p / scale, q / scale, scale


def _log_ratio_to_mean(p: jax.Array, q: jax.Array) -> jax.Array:
    """`log(p / m)` with `m = (p + q) / 2`, precise both where p is close to q and where it is far smaller."""
    total = jnp.where(p + q > 0, p + q, 1.0)
    ratio = 2.0 * p / total
    close = jnp.log1p(jnp.maximum((p - q) / total, -0.5))
    far = jnp.log(jnp.maximum(ratio, jnp.finfo(p.dtype).tiny))
    return jnp.where(ratio > 0.5, close, far)
