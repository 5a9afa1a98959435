"""Held-out figures of images by an evidence lower bound."""

import math

from jaxgen.core import Array
from jaxgen.losses import variational


def bound_figures(log_likelihood: Array, kl: Array, images: Array) -> dict[str, Array]:
    """The bound in nats and in bits a dimension, and the reconstruction's part of it.

    Args:
      log_likelihood: E[log p(x|z)], `[batch]`.
      kl: KL(q(z|x) || p(z)), `[batch]`.
      images: `[batch, ...]`.
    """
    nats = -variational.elbo(log_likelihood, kl)
    bits = nats / (math.prod(images.shape[1:]) * math.log(2))
    return {"negative_elbo_nats": nats, "bits_per_dim": bits, "reconstruction_nats": -log_likelihood}
