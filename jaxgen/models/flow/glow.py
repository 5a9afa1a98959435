"""Glow: a multi-scale normalizing flow for images."""

from collections.abc import Callable

from jax.typing import DTypeLike

from jaxgen.bijectors.actnorm import ActNorm
from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Invert, Memory, Repeat, Split
from jaxgen.bijectors.conditioner import ConvConditioner, ZeroConv
from jaxgen.bijectors.coupling import Affine, Coupling, Transform
from jaxgen.bijectors.invertible_conv import InvertibleConv
from jaxgen.bijectors.squeeze import Squeeze


def glow(
    steps: int,
    levels: int,
    width: int,
    transform: Transform = Affine(),
    dtype: DTypeLike | None = None,
    dropout: float = 0.0,
    memory: Memory = "plain",
    mix: Callable[[], Bijector] = InvertibleConv,
) -> Bijector:
    """The bijector between a standard normal z and dequantized images x, both `[batch, height, width, channels]`.

    A level, from the data's side: squeeze, then `steps` times (actnorm, mixing of the channels, coupling); where a
    level remains, a learned Gaussian prior of the second half of the channels given the first, which alone goes on; at
    the end everything is put back in place. Images may have any range: the first actnorm standardizes it.
    Kingma & Dhariwal 2018, figure 2.

    Args:
      steps: steps of flow in a level (the paper's K).
      levels: scales (the paper's L); height and width must be multiples of 2^levels.
      width: channels of the coupling networks' hidden layers.
      transform: what the couplings do to the half that moves: `Affine()` or `Additive()`.
      dtype: type of the coupling networks' computation; the flow's own path and the log-dets run in float32.
        In bfloat16 a map and its inverse agree only to the rounding of what the networks read.
      dropout: rate in the coupling networks, active when a `dropout` key is given.
      memory: what the gradient keeps of a level's steps: "plain" all that it needs, "remat" what passes between them,
        "reversible" what comes out of the last; the others for a third more work (`Repeat`).
      mix: makes what mixes the channels before a coupling moves half of them: the paper's invertible 1x1 convolution,
        or what its figure 3 holds against that, `Reverse` and `Permutation`; `Rotation` is one that keeps volume.

    Returns:
      A Linen module; call it, or its `inverse_and_log_det`, on data and its `forward_and_log_det` on base noise. Noise
      scaled by a temperature below 1 gives samples nearer the mode.
    """
    step = Chain((ActNorm(), mix(), Coupling(ConvConditioner(width, dtype, dropout), transform)))
    level: tuple[Bijector, ...] = (Squeeze(), Repeat(step, steps, memory))
    if levels > 1:
        deeper = glow(steps, levels - 1, width, transform, dtype, dropout, memory, mix)
        level += (Coupling(ZeroConv(dtype)), Split(deeper))
    return Chain((*level, Invert(Squeeze())))
