"""Inverse autoregressive flow, the posterior of a variational autoencoder."""

from jax.typing import DTypeLike

from jaxgen.bijectors.autoregressive import Autoregressive
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Invert
from jaxgen.bijectors.reverse import Reverse
from jaxgen.layers.made import MADE


def iaf(layers: int, widths: tuple[int, ...], dtype: DTypeLike | None = None) -> Bijector:
    """The bijector from z_0 `[batch, size]` to z, given a context h `[batch, ...]`: in one pass this way alone.

    A layer is z_i ← (z_i - t_i)·exp(-s_i), with s and t of element i computed by a `MADE` from the elements before it
    and h; then the order is reversed. Kingma et al. 2016, equations 10 and 11, with `Affine`'s bounded scale in the
    place of their gate. Starts as a permutation.

    Args:
      layers: autoregressive layers.
      widths: units of the hidden layers of each.
      dtype: type of the networks' computation; the flow's own path and the log-det run in float32.
    """
    layer = (Reverse(), Invert(Autoregressive(MADE(widths, dtype), conditional=True)))
    return Chain(layer * layers)
