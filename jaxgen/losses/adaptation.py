"""Domain adaptation: the reversed gradient, its schedule, and what theory says of features that domains share.

Ganin et al. 2016, "Domain-Adversarial Training of Neural Networks"; Zhao et al. 2019, "On Learning Invariant
Representations for Domain Adaptation"; Ben-David et al. 2010.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.losses.adversarial import jensen_shannon
from jaxgen.losses.arrays import at_least_float32


@jax.custom_jvp
def gradient_reversal(x: jax.Array, strength: ArrayLike) -> jax.Array:
    """x itself, whose gradient comes back `-strength` times: Ganin et al. 2016, equations 11 and 12.

    Between features and a domain classifier it makes of one descent two: the classifier tells domains apart, the
    features make that hard. Only features feel `strength`; it may be traced, and has no gradient itself.
    """
    return x


@gradient_reversal.defjvp
def _reversed(primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    (x, strength), (tangent, _) = primals, tangents
    return x, (-strength * tangent).astype(x.dtype)


def reversal_schedule(progress: ArrayLike) -> jax.Array:
    """The strength `2 / (1 + exp(-10 p)) - 1`, from 0 to nearly 1, at progress p from 0 to 1: their equation 14."""
    (progress,) = at_least_float32(progress)
    return jnp.tanh(5.0 * progress)


def proxy_a_distance(error: ArrayLike) -> jax.Array:
    """`2 (1 - 2 error)` of a classifier's test error in telling the domains: Ben-David et al. 2010; their equation 5.

    From 0, where domains cannot be told apart (error 1/2), to 2.
    """
    (error,) = at_least_float32(error)
    return 2.0 * (1.0 - 2.0 * error)


def label_shift_bound(source: ArrayLike, target: ArrayLike, alignment: ArrayLike = 0.0) -> jax.Array:
    """What the errors in both domains are together at least: `(d(Y_S, Y_T) - d(Z_S, Z_T))^2 / 2`.

    Zhao et al. 2019, theorem 4.3, where d is the square root of the Jensen-Shannon divergence in bits. Where labels are
    not as frequent here as there, features that cannot be told apart force errors, whatever classifies them.

    Args:
      source: frequencies of the labels in the source domain, `[..., classes]`.
      target: the same in the target domain.
      alignment: d of the features' distributions, `[...]`; 0 where they are aligned perfectly.

    Returns:
      `[...]`; 0 where the features differ more than the labels.
    """
    labels = jnp.sqrt(jensen_shannon(source, target) / jnp.log(2.0))
    return 0.5 * jnp.square(jnp.maximum(labels - alignment, 0.0))
