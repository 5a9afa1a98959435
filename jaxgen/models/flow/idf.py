"""Integer discrete flows: couplings that shift whole numbers by whole numbers, without noise and without volume.

Hoogeboom, Peters, van den Berg & Welling, 2019, "Integer Discrete Flows and Lossless Compression", sections 3 and 4.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.scipy.special import ndtr
from jax.typing import DTypeLike

from jaxgen.bijectors.conditioner import ConvConditioner
from jaxgen.errors import UserError
from jaxgen.losses.arrays import sum_event_axes
from jaxgen.losses.discretized import logistic_mixture_log_prob

Shift = Callable[[int, Any], Any]  # of a coupling: the half that stays `[batch, h, w, k]` to whole numbers, as it


def rounded(x: jax.Array) -> jax.Array:
    """The nearest whole numbers, exactly, with the gradient of x itself: equation 7."""
    return jax.lax.stop_gradient(jnp.round(x)) + (x - jax.lax.stop_gradient(x))


class IDF(nn.Module):
    """Images of whole numbers `[batch, *event]`, 0 to `levels - 1`, to as many whole numbers, one to one.

    A scale: squeeze; `couplings` times a fixed order of the channels, then the second half shifted by what a network
    makes of the first; where a scale remains, half of the channels is factored out. A shift is at most `levels // 2`,
    so that what comes out is bounded, as coding wants. Its prior is a mixture of logistics on bins, of numbers factored
    out one that a network makes of those that go on, and of their place. The flow reaches not all numbers that the
    prior does: probabilities of images sum to less than one by as much.

    Attributes:
      levels: values of a symbol.
      event: (height, width, channels); height and width are multiples of 2^scales.
      couplings: of a scale.
      scales: how many.
      width: hidden channels of the networks.
      components: of a number's mixture.
      dtype: of their computation.
    """

    levels: int
    event: tuple[int, int, int]
    couplings: int = 4
    scales: int = 2
    width: int = 64
    components: int = 5
    dtype: DTypeLike | None = None

    def setup(self):
        side = 2**self.scales
        if self.event[0] % side or self.event[1] % side:
            size = f"{self.event[0]}x{self.event[1]}"
            raise UserError(f"images are {size}: scales={self.scales} takes multiples of {side}.")
        self.shifts = [ConvConditioner(self.width, self.dtype) for _ in range(self.couplings * self.scales)]
        self.priors = [ConvConditioner(self.width, self.dtype) for _ in range(self.scales - 1)]
        self.places = [
            self.param(f"places_{scale}", nn.initializers.zeros, (*self.shape(scale), 3, self.components))
            for scale in range(self.scales)
        ]

    def shape(self, scale: int) -> tuple[int, int, int]:
        """Of what the prior has at a scale."""
        height, width, channels = self.event
        side, last = 2 ** (scale + 1), scale == self.scales - 1
        return height // side, width // side, channels * 2 ** (scale + 1 + last)

    @property
    def lowest(self) -> int:
        """The least number that can come out."""
        return -(self.levels // 2) * self.couplings * self.scales

    @property
    def values(self) -> int:
        """How many numbers can come out, from `lowest` on."""
        return self.levels - 2 * self.lowest

    def shift(self, index: int, stays: jax.Array) -> jax.Array:
        """What coupling `index` adds to the other half, of the same shape; whole numbers."""
        seen = 2 * jnp.asarray(stays, float) / (self.levels - 1) - 1
        raw = self.shifts[index](seen, stays.shape[-1]).astype(float)
        return rounded(self.levels // 2 * jnp.tanh(raw))

    def prior(self, scale: int, rest: jax.Array | None) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Logits, means and log scales of a mixture at a scale, `[batch or 1, *shape(scale), components]` each, in
        units of `losses.discretized`, given what goes on; None at the last. They begin side by side over the levels.
        """
        raw = self.places[scale][None]
        if rest is not None:
            seen = 2 * jnp.asarray(rest, float) / (self.levels - 1) - 1
            told = self.priors[scale](seen, 3 * self.components * rest.shape[-1]).astype(float)
            raw = raw + told.reshape(*rest.shape, 3, self.components)
        first = self.units((np.arange(self.components) + 0.5) * self.levels / self.components - 0.5)
        spread = math.log(self.levels / self.components / (self.values - 1))  # half of how far they are apart
        return raw[..., 0, :], first + raw[..., 1, :], spread + raw[..., 2, :]

    def units(self, z: Any) -> Any:
        """Numbers in units of `losses.discretized`."""
        return 2 * (z - self.lowest) / (self.values - 1) - 1

    def probabilities(self, scale: int, rest: jax.Array | None) -> jax.Array:
        """Of every number from `lowest` on, `[batch or 1, *shape(scale), values]`."""
        mixture = (p[..., None, :] for p in self.prior(scale, rest))
        return jnp.exp(logistic_mixture_log_prob(jnp.linspace(-1, 1, self.values), *mixture, levels=self.values))

    def log_prob(self, x: jax.Array) -> jax.Array:
        """log p(x) `[batch]`, nats."""
        parts = self.to_base(jnp.asarray(x, float), self.shift, jnp)
        total = jnp.zeros(x.shape[0])
        for scale, (z, rest) in enumerate(parts):
            mixture = self.prior(scale, rest)
            total += sum_event_axes(logistic_mixture_log_prob(self.units(z), *mixture, levels=self.values))
        return total

    def sample(self, noise: jax.Array) -> jax.Array:
        """Images of standard normal noise `[batch, *event]`; the rare ones out of range are clipped."""
        sizes = [math.prod(self.shape(scale)) for scale in range(self.scales)]
        pieces = jnp.split(noise.reshape(len(noise), -1), np.cumsum(sizes)[:-1], axis=1)

        def draw(scale: int, rest: jax.Array | None) -> jax.Array:
            below = jnp.cumsum(self.probabilities(scale, rest), -1)[..., :-1]
            quantile = ndtr(pieces[scale].reshape(-1, *self.shape(scale), 1))
            return jnp.sum(below < quantile, -1).astype(float) + self.lowest

        return jnp.clip(self.to_data(draw, self.shift, jnp), 0, self.levels - 1)

    def to_base(self, x: Any, shift: Shift, xp: Any) -> list[tuple[Any, Any]]:
        """What the prior has at each scale, and what goes on from there (None from the last), of images.

        Args:
          x: whole numbers `[batch, *event]`, of `xp`.
          shift: the model's `shift`.
          xp: `jax.numpy`, or `numpy`, whose sums of integers are the same on every machine.
        """
        parts = []
        for scale in range(self.scales):
            x = _squeezed(x)
            for coupling in range(self.couplings):
                index = scale * self.couplings + coupling
                stays, moves = _halves(x[..., _order(index, x.shape[-1])])
                x = xp.concatenate([stays, moves - shift(index, stays)], axis=-1)
            if scale < self.scales - 1:
                x, factored = _halves(x)
                parts.append((factored, x))
        return [*parts, (x, None)]

    def to_data(self, draw: Callable[[int, Any], Any], shift: Shift, xp: Any) -> Any:
        """Images `[batch, *event]` of what `draw(scale, what goes on there)` gives, the last scale first."""
        x = None
        for scale in reversed(range(self.scales)):
            factored = draw(scale, x)
            x = factored if x is None else xp.concatenate([x, factored], axis=-1)
            for coupling in reversed(range(self.couplings)):
                index = scale * self.couplings + coupling
                stays, moves = _halves(x)
                x = xp.concatenate([stays, moves + shift(index, stays)], axis=-1)
                x = x[..., np.argsort(_order(index, x.shape[-1]))]
            x = _unsqueezed(x)
        return x

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.log_prob(x)


def _order(index: int, channels: int) -> np.ndarray:
    """In which coupling `index` has the channels."""
    return np.random.default_rng(index).permutation(channels)


def _halves(x: Any) -> tuple[Any, Any]:
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]


def _squeezed(x: Any) -> Any:
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).swapaxes(2, 3)
    return x.reshape(batch, height // 2, width // 2, 4 * channels)


def _unsqueezed(x: Any) -> Any:
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height, width, 2, 2, channels // 4).swapaxes(2, 3)
    return x.reshape(batch, 2 * height, 2 * width, channels // 4)
