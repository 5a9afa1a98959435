"""RealNVP: affine couplings, batch normalization between them."""

from jax.typing import DTypeLike

from jaxgen.bijectors.batch_norm import BatchNorm
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.conditioner import DenseConditioner
from jaxgen.bijectors.coupling import Affine, Coupling, Transform


def realnvp(
    steps: int, widths: tuple[int, ...], transform: Transform = Affine(), dtype: DTypeLike | None = None
) -> Bijector:
    """The bijector between a standard normal z and vectors x, both `[batch, size]`.

    From the data's side, `steps` times: batch normalization, then two couplings in which the halves change roles.
    Dinh et al. 2017, sections 3.4, 3.5 and 3.7.

    Args:
      steps: pairs of couplings.
      widths: units of the coupling networks' hidden layers.
      transform: what the couplings do to the half that moves.
      dtype: type of the networks' computation; the flow's own path and the log-dets run in float32.
    """
    couplings = (Coupling(DenseConditioner(widths, dtype), transform, swap) for swap in (False, True))
    return Repeat(Chain((BatchNorm(), *couplings)), steps)
