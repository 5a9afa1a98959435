"""Masked autoregressive flow: every element moves by a map whose parameters are computed from those before it."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, check_axes, sum_per_example, widen
from jaxgen.bijectors.coupling import Affine, Transform, checked


class Autoregressive(Bijector):
    """x_i = f(z_i; c_i(x_1 … x_(i-1))) and z_i = f⁻¹(x_i; c_i(x_1 … x_(i-1))) on vectors `[batch, size]`.

    log|det dx/dz| = Σ log f'(z_i), log|det dz/dx| = -Σ log f'(z_i): both Jacobians are lower triangular. Data to base
    is one pass of the conditioner; base to data is `size` of them, in one compiled loop. This is MAF (Papamakarios et
    al. 2017, equations 3 to 5); `Invert` of it is IAF (Kingma et al. 2016), fast the other way. Another order of the
    elements is this between a permutation and its inverse.

    Attributes:
      conditioner: a module `(x, features) -> [batch, features]` computing c, such as `jaxgen.layers.made.MADE`; zero
        output makes the layer the identity.
      transform: the elementwise f.
      conditional: whether the conditioner sees a condition `[batch, ...]`, as its third argument.
    """

    conditioner: nn.Module
    transform: Transform = Affine()
    conditional: bool = False

    def forward_and_log_det(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        check_axes(self, z, "batch, size")
        z = widen(z)
        size, seen = z.shape[-1], () if condition is None else (condition,)

        def set_element(conditioner: nn.Module, carry: tuple[jax.Array, jax.Array], i: jax.Array):
            x, log_det = carry
            raw = checked(conditioner, self.transform, conditioner(x, self.transform.parameters * size, *seen), size)
            moved, log_derivative = self.transform.forward(z, raw)
            return (x.at[:, i].set(moved[:, i]), log_det + log_derivative[:, i]), None

        # Elements not yet set are zero, which those before them do not see.
        start = jnp.zeros_like(z), jnp.zeros(z.shape[:1], z.dtype)
        loop = nn.scan(set_element, variable_broadcast=True, split_rngs={True: False})
        (x, log_det), _ = loop(self.conditioner, start, jnp.arange(size))
        return x, log_det

    def inverse_and_log_det(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        check_axes(self, x, "batch, size")
        x, size, seen = widen(x), x.shape[-1], () if condition is None else (condition,)
        raw = self.conditioner(x, self.transform.parameters * size, *seen)
        z, log_derivative = self.transform.inverse(x, checked(self.conditioner, self.transform, raw, size))
        return z, sum_per_example(log_derivative)
