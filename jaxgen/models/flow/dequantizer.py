"""The density of a pixel's noise given the image, for variational dequantization."""

import flax.linen as nn
import jax
from jax.typing import DTypeLike

from jaxgen.bijectors.bijector import Bijector
from jaxgen.bijectors.compose import Chain, Invert
from jaxgen.bijectors.conditioner import ConvConditioner
from jaxgen.bijectors.coupling import Affine, Coupling, Transform
from jaxgen.bijectors.logit import Logit
from jaxgen.bijectors.squeeze import Squeeze


class Dequantizer(Bijector):
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

    conditional = True

    @nn.compact
    def _flow(self, x: jax.Array) -> tuple[Chain, jax.Array]:
        """f on the cells, and what its couplings see of images."""
        context, _ = Squeeze().inverse_and_log_det(2 * x - 1)
        couplings = (
            Coupling(ConvConditioner(self.width, self.dtype), self.transform, swap, conditional=True)
            for _ in range(self.steps)
            for swap in (False, True)
        )
        onto_cells = Logit(alpha=0.0)
        return Chain((onto_cells, Squeeze(), *couplings, Invert(Squeeze()), Invert(onto_cells))), context

    def forward_and_log_det(self, z: jax.Array, condition: jax.Array) -> tuple[jax.Array, jax.Array]:
        """u and log|det du/dv| = -log q(u|x), `[batch]` in nats, of noise v and images x.

        Args:
          z: v, `[batch, height, width, channels]`, uniform on (0, 1), neither end included, height and width even.
          condition: x, of the same shape, in [0, 1].
        """
        flow, context = self._flow(condition)
        return flow.forward_and_log_det(z, context)

    def inverse_and_log_det(self, x: jax.Array, condition: jax.Array) -> tuple[jax.Array, jax.Array]:
        flow, context = self._flow(condition)
        return flow.inverse_and_log_det(x, context)
