"""The density of a pixel's noise given the image, for variational dequantization."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxgen.bijectors.compose import Chain, Invert
from jaxgen.bijectors.conditioner import ConvConditioner
from jaxgen.bijectors.coupling import Affine, Coupling, Transform
from jaxgen.bijectors.logit import Logit
from jaxgen.bijectors.squeeze import Squeeze


class _Seeing(nn.Module):
    """A conditioner of something more than the half of its coupling: `context` `[batch, ..., channels]`."""

    conditioner: nn.Module
    context: jax.Array

    def __call__(self, x: jax.Array, features: int) -> jax.Array:
        return self.conditioner(jnp.concatenate([x, self.context], axis=-1), features)


class Dequantizer(nn.Module):
    """u = σ(f(logit v; x)), f couplings that see the image x too: a density q(u|x) on the cells, uniform at first.

    Ho et al. 2019, section 3.1, who start from a Gaussian instead of the logistic that a uniform v is under the logit.

    Attributes:
      steps: pairs of couplings.
      width: channels of the coupling networks' hidden layers.
      transform: what the couplings do to the half that moves.
      dtype: type of the coupling networks' computation.
    """

    steps: int
    width: int
    transform: Transform = Affine()
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """u and log|det du/dv| = -log q(u|x), `[batch]` in nats, of images x and noise v.

        Args:
          x: `[batch, height, width, channels]` in [0, 1], height and width even.
          v: of the same shape, uniform on (0, 1), neither end included.
        """
        context, _ = Squeeze()(2 * x - 1)
        couplings = (
            Coupling(_Seeing(ConvConditioner(self.width, self.dtype), context), self.transform, swap)
            for _ in range(self.steps)
            for swap in (False, True)
        )
        onto_cells = Logit(alpha=0.0)
        flow = Chain((onto_cells, Squeeze(), *couplings, Invert(Squeeze()), Invert(onto_cells)))
        return flow.forward_and_log_det(v)
