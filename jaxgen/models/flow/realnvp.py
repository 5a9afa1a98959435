"""RealNVP: affine couplings, batch normalization between them."""

from jax.typing import DTypeLike

from jaxgen.bijectors.batch_norm import BatchNorm
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Invert, Repeat, Split
from jaxgen.bijectors.conditioner import ConvConditioner, DenseConditioner
from jaxgen.bijectors.coupling import Affine, Coupling, Transform
from jaxgen.bijectors.reverse import Reverse
from jaxgen.bijectors.squeeze import Checkerboard, Squeeze


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


def image_realnvp(
    couplings: int,
    levels: int,
    width: int,
    transform: Transform = Affine(),
    dtype: DTypeLike | None = None,
    dropout: float = 0.0,
) -> Bijector:
    """The bijector between a standard normal z and images x, both `[batch, height, width, channels]`.

    A level, from the data's side: `couplings` times (batch normalization, a coupling in which the white squares of a
    checkerboard move by the black ones, colours exchanged); squeeze; `couplings` times the same with the halves of the
    channels; where a level remains, half of the channels alone goes on; at the end everything is put back in place,
    but that an odd number of couplings leaves a map's neighbours exchanged. Dinh et al. 2017, sections 3.4 to 3.7.

    Args:
      couplings: couplings of each kind in a level (the paper's 3).
      levels: scales; height and width must be multiples of 2^levels.
      width: channels of the coupling networks' hidden layers.
      transform: what the couplings do to the half that moves.
      dtype: type of the networks' computation; the flow's own path and the log-dets run in float32.
      dropout: rate in the coupling networks, active when a `dropout` key is given.
    """

    def alternating() -> Bijector:
        coupling = Coupling(ConvConditioner(width, dtype, dropout), transform)
        return Repeat(Chain((BatchNorm(), coupling, Reverse())), couplings)

    level = (Squeeze(), Checkerboard(), alternating(), Invert(Checkerboard()), alternating())
    if levels > 1:
        level += (Split(image_realnvp(couplings, levels - 1, width, transform, dtype, dropout)),)
    return Chain((*level, Invert(Squeeze())))
