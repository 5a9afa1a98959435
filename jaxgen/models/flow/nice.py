"""NICE: additive couplings and one diagonal scale."""

from jax.typing import DTypeLike

from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Repeat
from jaxgen.bijectors.conditioner import DenseConditioner
from jaxgen.bijectors.coupling import Additive, Coupling
from jaxgen.bijectors.scaling import Scaling


def nice(steps: int, widths: tuple[int, ...], dtype: DTypeLike | None = None) -> Bijector:
    """The bijector between a standard normal z and vectors x, both `[batch, size]`.

    From the data's side, `steps` times: two additive couplings in which the halves change roles; then, at the base, the
    diagonal scale, without which the whole would keep volume. Dinh et al. 2014, sections 3.2 and 3.3.

    Args:
      steps: pairs of couplings (the paper's 2).
      widths: units of the coupling networks' hidden layers.
      dtype: type of the networks' computation; the flow's own path and the log-dets run in float32.
    """
    pair = (Coupling(DenseConditioner(widths, dtype), Additive(), swap) for swap in (False, True))
    return Chain((Repeat(Chain(tuple(pair)), steps), Scaling()))
