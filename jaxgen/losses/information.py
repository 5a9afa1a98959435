"""How much of a code can be read from what was generated with it: Chen et al. 2016, "InfoGAN", equation 5."""

import jax
from jax.typing import ArrayLike

from jaxgen.losses.arrays import at_least_float32


def information_bound(log_q: ArrayLike, log_p: ArrayLike) -> jax.Array:
    """`log q(c | x) - log p(c)`, whose mean bounds the mutual information I(c; x) from below, in nats.

    It is the information itself where q is the posterior, and at most the code's entropy. `-log p(c)` is that entropy's
    part: without it a number of nats says nothing.

    Args:
      log_q: what a recognition network says of the code c that x was generated with, `[batch]`, summed over parts.
      log_p: the prior's log-probability of the same, e.g. `-log 10` of a uniform category among ten.

    Returns:
      `[batch]`, to be maximised.
    """
    log_q, log_p = at_least_float32(log_q, log_p)
    return log_q - log_p
