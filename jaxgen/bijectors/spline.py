"""Monotone rational-quadratic splines, for couplings more flexible than affine ones."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError


class _Bin(NamedTuple):
    """The bin each element falls in: its lower corner, width and height, and the slopes at its two knots, `[...]`."""

    left: jax.Array
    bottom: jax.Array
    width: jax.Array
    height: jax.Array
    start: jax.Array
    end: jax.Array

    def log_slope(self, share: jax.Array) -> jax.Array:
        """log f' where `share` of the bin's width lies below. Equation 5."""
        slope, product = self.height / self.width, share * (1 - share)
        rise = self.end * share**2 + 2 * slope * product + self.start * (1 - share) ** 2
        return 2 * jnp.log(slope) + jnp.log(rise) - 2 * jnp.log(self.denominator(share))

    def denominator(self, share: jax.Array) -> jax.Array:
        """s + (δ₁ + δ₀ - 2s)·ξ(1 - ξ), as a sum of positive terms."""
        slope = self.height / self.width
        return slope * (share**2 + (1 - share) ** 2) + (self.start + self.end) * share * (1 - share)


@dataclasses.dataclass(frozen=True)
class RationalQuadratic:
    """x = f(z) and z = f⁻¹(x), f a rational-quadratic spline of [-bound, bound] onto itself and the identity outside.

    Elementwise log|dx/dz| = log f'(z), log|dz/dx| = -log f'(z). In each bin f is a quotient of quadratics that passes
    through the bin's corners with given slopes at both; the slope is continuous everywhere, being 1 at ±bound. The raw
    numbers of an element are `bins` widths and `bins` heights, shared out by a softmax, and `bins - 1` slopes of the
    inner knots by a softplus; at raw = 0 all bins are equal and all slopes 1. Durkan et al. 2019, section 3.1, with
    every sum and root arranged so that nothing cancels.

    Attributes:
      bins: pieces of the spline.
      bound: half of the interval's width.
      smallest: the least width and height of a bin, in parts of the interval, and the least slope at a knot.
    """

    bins: int = 8
    bound: float = 3.0
    smallest: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.bins * self.smallest < 1:
            raise UserError(
                f"RationalQuadratic got bins={self.bins}, smallest={self.smallest}: bins need room, so keep their "
                "product between 0 and 1."
            )

    @property
    def parameters(self) -> int:
        return 3 * self.bins - 1

    def forward(self, z: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]:
        inside, z_inside = self._clip(z)
        bin = self._bins(z_inside, raw, inverse=False)
        share = (z_inside - bin.left) / bin.width
        rise = (bin.height / bin.width * share + bin.start * (1 - share)) * share
        x = bin.bottom + bin.height * rise / bin.denominator(share)
        return jnp.where(inside, x, z), jnp.where(inside, bin.log_slope(share), 0.0)

    def inverse(self, x: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]:
        inside, x_inside = self._clip(x)
        bin = self._bins(x_inside, raw, inverse=True)
        slope, done = bin.height / bin.width, (x_inside - bin.bottom) / bin.height
        # a·ξ² + b·ξ + c = 0 with a + b = s, whose discriminant b² - 4ac is a sum of squares; the root in [0, 1] in the
        # form that does not cancel.
        b = bin.start * (1 - done) + (2 * slope - bin.end) * done
        root = jnp.sqrt((b - 2 * slope * done) ** 2 + 4 * slope**2 * done * (1 - done))
        share = jnp.where(b > 0, 2 * slope * done, root - b) / jnp.where(b > 0, b + root, 2 * (slope - b))
        z = bin.left + bin.width * share
        return jnp.where(inside, z, x), jnp.where(inside, -bin.log_slope(share), 0.0)

    def _clip(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Whether each element lies inside, and a value that does: what is not used must be finite for the gradient."""
        inside = jnp.abs(x) <= self.bound
        return inside, jnp.where(inside, x, 0.0)

    def _bins(self, x: jax.Array, raw: jax.Array, inverse: bool) -> _Bin:
        """The bins that hold z, or x for the inverse."""
        raw = raw.reshape(*raw.shape[:-1], self.parameters, x.shape[-1])
        widths, heights, slopes = jnp.split(raw, [self.bins, 2 * self.bins], axis=-2)
        z_knots, x_knots = self._knots(widths), self._knots(heights)
        inner = self.smallest + jax.nn.softplus(slopes + math.log(math.expm1(1 - self.smallest)))
        ones = jnp.ones_like(x)[..., None, :]
        slopes = jnp.concatenate([ones, inner, ones], axis=-2)

        passed = (x[..., None, :] >= (x_knots if inverse else z_knots)[..., 1:-1, :]).sum(-2, keepdims=True)
        mine = passed == jnp.arange(self.bins)[:, None]

        def ends(values: jax.Array) -> tuple[jax.Array, jax.Array]:
            low, high = (jnp.where(mine, part, 0.0).sum(-2) for part in (values[..., :-1, :], values[..., 1:, :]))
            return low, high

        (left, right), (bottom, top), (start, end) = ends(z_knots), ends(x_knots), ends(slopes)
        return _Bin(left, bottom, right - left, top - bottom, start, end)

    def _knots(self, raw: jax.Array) -> jax.Array:
        """Knots `[..., bins + 1, channels]` from -bound to bound exactly."""
        shares = self.smallest + (1 - self.smallest * self.bins) * jax.nn.softmax(raw, axis=-2)
        inner = self.bound * (2 * jnp.cumsum(shares[..., :-1, :], axis=-2) - 1)
        end = jnp.full_like(shares[..., :1, :], self.bound)
        return jnp.concatenate([-end, inner, end], axis=-2)
