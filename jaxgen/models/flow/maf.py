"""Masked autoregressive flow."""

from jax.typing import DTypeLike

from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.batch_norm import BatchNorm
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Invert, Repeat
from jaxgen.bijectors.coupling import Affine, Transform
from jaxgen.bijectors.flatten import Flatten
from jaxgen.bijectors.logit import Logit
from jaxgen.bijectors.reverse import Reverse
from jaxgen.layers.made import MADE


def maf(
    layers: int,
    widths: tuple[int, ...],
    transform: Transform = Affine(),
    dtype: DTypeLike | None = None,
) -> Bijector:
    """The bijector between a standard normal z and vectors x, both `[batch, size]`.

    From the data's side, `layers` times: batch normalization, an autoregressive layer, the order of elements reversed.
    One layer is MADE with Gaussian conditionals. Papamakarios et al. 2017, sections 3.1 and 4.1; its `Invert` is the
    inverse autoregressive flow of Kingma et al. 2016, which samples in one pass and scores data in `size`.

    Args:
      layers: autoregressive layers (the paper's 5 or 10).
      widths: units of the hidden layers of each.
      transform: what moves an element.
      dtype: type of the networks' computation; the flow's own path and the log-dets run in float32.
    """
    return Repeat(Chain((BatchNorm(), Autoregressive(MADE(widths, dtype), transform), Reverse())), layers)


def image_maf(
    event_shape: tuple[int, ...], layers: int, widths: tuple[int, ...], alpha: float, dtype: DTypeLike | None = None
) -> Bijector:
    """The bijector between a standard normal z and images x in [0, 1], both `[batch, *event_shape]`.

    `maf` on the logits of the pixels in raster order. Papamakarios et al. 2017, section 4.3.

    Args:
      event_shape: (height, width, channels).
      layers: autoregressive layers.
      widths: units of the hidden layers of each.
      alpha: distance kept from 0 and 1 before the logit (the paper's λ, 1e-6 for MNIST).
      dtype: type of the networks' computation; the flow's own path and the log-dets run in float32.
    """
    flatten = Flatten(event_shape)
    return Chain((Logit(alpha), flatten, maf(layers, widths, dtype=dtype), Invert(flatten)))
