"""TarFlow: autoregressive flows on an image's patches, each a causal transformer, in alternating directions."""

from jax.typing import DTypeLike

from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.causal_transformer import CausalTransformer
from jaxgen.bijectors.compose import Chain, Invert
from jaxgen.bijectors.flatten import Flatten
from jaxgen.bijectors.squeeze import Squeeze


def tarflow(
    event_shape: tuple[int, int, int],
    *,
    patch: int,
    flows: int,
    width: int,
    layers: int,
    heads: int = 1,
    classes: int = 0,
    guidance: float = 0.0,
    dtype: DTypeLike | None = None,
) -> Bijector:
    """The bijector between a standard normal z and images x, both `[batch, height, width, channels]`.

    From the data's side: patches in raster order, then `flows` causal transformers, every other one from the last patch
    to the first. Zhai et al., 2024, "Normalizing Flows are Capable Generative Models", section 3.2.

    Args:
      event_shape: (height, width, channels).
      patch: side of the square of pixels that makes a vector; it divides height and width.
      flows: autoregressive flows (the paper's T, 8).
      width: of each one's transformer.
      layers: of each one's transformer (the paper's K, 4 to 8).
      heads: of attention; they divide the width.
      classes: of the condition, int `[batch]`, where -1 tells nothing; 0 has none.
      guidance: towards the class, of samples of a flow that was trained without (their section on guidance).
      dtype: of the transformers' computation; the flow's own path and the log-dets run in float32.
    """
    height, columns, channels = event_shape
    rows, columns, size = height // patch, columns // patch, patch**2 * channels
    sequence = Chain((Flatten((rows, columns, size)), Invert(Flatten((rows * columns, size)))))
    parts = (
        CausalTransformer(width, layers, heads, classes=classes, guidance=guidance, reverse=index % 2 == 1, dtype=dtype)
        for index in range(flows)
    )
    return Chain((Squeeze(patch), sequence, *parts, Invert(sequence), Invert(Squeeze(patch))))
