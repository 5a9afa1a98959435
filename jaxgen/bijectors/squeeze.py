"""Trading resolution for channels."""

import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, Misfit, check_axes, widen


class Squeeze(Bijector):
    """z[h, w, (i, j, c)] = x[factor·h + i, factor·w + j, c], and x from z by the same equation.

    Both log-dets are 0. Data `[batch, height, width, c]` to base `[batch, height/factor, width/factor, factor²·c]`.
    Dinh et al. 2017, section 3.6.

    Attributes:
      factor: side of the square of pixels that becomes one.
    """

    factor: int = 2

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        check_axes(self, z, "batch, height, width, channels")
        f, (batch, height, width, channels) = self.factor, z.shape
        if channels % f**2:
            raise Misfit(f"Squeeze got base channels={channels}: give a multiple of factor²={f**2}.")
        x = z.reshape(batch, height, width, f, f, channels // f**2).transpose(0, 1, 3, 2, 4, 5)
        return x.reshape(batch, height * f, width * f, channels // f**2), _zeros(z)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        check_axes(self, x, "batch, height, width, channels")
        f, (batch, height, width, channels) = self.factor, x.shape
        if height % f or width % f:
            raise Misfit(
                f"Squeeze got height x width={height}x{width}: pad to multiples of factor={f} or use fewer levels."
            )
        z = x.reshape(batch, height // f, f, width // f, f, channels).transpose(0, 1, 3, 2, 4, 5)
        return z.reshape(batch, height // f, width // f, f**2 * channels), _zeros(x)


class Checkerboard(Bijector):
    """z = (x_00, x_11, x_01, x_10) where x = (x_00, x_01, x_10, x_11) are the squares that `Squeeze` made channels.

    Both log-dets are 0; `[..., 4·c]`. Half of z's channels are the black squares of a checkerboard and half the white
    ones, so that a `Coupling` between this and its inverse is one with a checkerboard mask, its conditioner working at
    half the resolution. Dinh et al. 2017, figure 3.
    """

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        first, last, second, third = _quarters(z)
        return jnp.concatenate([first, second, third, last], axis=-1), _zeros(z)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        first, second, third, last = _quarters(x)
        return jnp.concatenate([first, last, second, third], axis=-1), _zeros(x)


def _quarters(x: jax.Array) -> list[jax.Array]:
    if x.shape[-1] % 4:
        raise Misfit(f"Checkerboard got channels={x.shape[-1]}: give it a multiple of 4, by squeezing first.")
    return jnp.split(x, 4, axis=-1)


def _zeros(x: jax.Array) -> jax.Array:
    return jnp.zeros(x.shape[:1], widen(x).dtype)
