"""Coupling layers: half of the channels moves by a map whose parameters are computed from the other half."""

import dataclasses
from typing import Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, Misfit, sum_per_example, widen
from jaxgen.errors import UserError


class Transform(Protocol):
    """An elementwise bijection that takes `parameters` raw numbers per element, `[..., parameters * channels]`.

    Both directions return the image and the elementwise log-derivative, shaped as the input. At raw = 0: the identity.
    """

    @property
    def parameters(self) -> int: ...

    def forward(self, z: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]: ...

    def inverse(self, x: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]: ...


@dataclasses.dataclass(frozen=True)
class Affine:
    """x = exp(s)·z + t and z = (x - t)·exp(-s), with s = bound·tanh(raw/bound) so that no scale leaves exp(±bound).

    Elementwise log|dx/dz| = s, log|dz/dx| = -s. Dinh et al. 2017, equation 8.
    """

    bound: float = 3.0

    @property
    def parameters(self) -> int:
        return 2

    def _scale_and_shift(self, raw: jax.Array) -> tuple[jax.Array, jax.Array]:
        raw_scale, shift = jnp.split(raw, 2, axis=-1)
        return self.bound * jnp.tanh(raw_scale / self.bound), shift

    def forward(self, z: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]:
        log_scale, shift = self._scale_and_shift(raw)
        return z * jnp.exp(log_scale) + shift, log_scale

    def inverse(self, x: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]:
        log_scale, shift = self._scale_and_shift(raw)
        return (x - shift) * jnp.exp(-log_scale), -log_scale


@dataclasses.dataclass(frozen=True)
class Additive:
    """x = z + t and z = x - t, both with log-derivative 0. Dinh et al. 2014, section 3.2."""

    @property
    def parameters(self) -> int:
        return 1

    def forward(self, z: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]:
        return z + raw, jnp.zeros_like(z)

    def inverse(self, x: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]:
        return x - raw, jnp.zeros_like(x)


def checked(conditioner: nn.Module, transform: Transform, raw: jax.Array, channels: int) -> jax.Array:
    """The raw parameters `[..., parameters * channels]` that a conditioner gives a transform, widened.

    Raises:
      UserError: it gives more or fewer.
    """
    if raw.shape[-1] != transform.parameters * channels:
        raise UserError(
            f"{type(conditioner).__name__} gives {raw.shape[-1]} numbers, but {type(transform).__name__} takes "
            f"{transform.parameters * channels} for {channels} channels; let it return as many as it is asked for."
        )
    return widen(raw)


class Coupling(Bijector):
    """x_a = z_a, x_b = f(z_b; c(z_a)) and z_a = x_a, z_b = f⁻¹(x_b; c(x_a)), a and b the halves of the channels.

    log|det dx/dz| = Σ log f'(z_b), log|det dz/dx| = -Σ log f'(z_b) over all elements of b.

    With an affine transform it is also a conditional Gaussian prior: log N(x_b; μ(x_a), σ(x_a)) is the standard
    normal's log-density of z_b plus the log-det. Dinh et al. 2017, equations 7 and 8.

    Attributes:
      conditioner: a module `(x_a, features) -> [..., features]` computing c; zero output makes the layer the identity.
      transform: the elementwise f.
      swap: let b be the first half of the channels in place of the second.
      conditional: whether the conditioner sees a condition `[batch, ..., features]` beside the half that stays.
    """

    conditioner: nn.Module
    transform: Transform = Affine()
    swap: bool = False
    conditional: bool = False

    def _halves(self, x: jax.Array, condition: jax.Array | None) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The half that stays, the half that moves, and the raw parameters of its map."""
        if x.shape[-1] < 2:
            raise Misfit(f"Coupling got channels={x.shape[-1]}: give it at least 2, for example by squeezing first.")
        first, second = jnp.split(widen(x), [x.shape[-1] // 2], axis=-1)
        stays, moves = (second, first) if self.swap else (first, second)
        if condition is not None and condition.shape[:-1] != stays.shape[:-1]:
            raise UserError(
                f"{type(self.conditioner).__name__} sees a condition of shape {condition.shape} beside {stays.shape}; "
                "they must agree in all but the last axis."
            )
        seen = stays if condition is None else jnp.concatenate([stays, condition], axis=-1)
        raw = self.conditioner(seen, self.transform.parameters * moves.shape[-1])
        return stays, moves, checked(self.conditioner, self.transform, raw, moves.shape[-1])

    def _join(self, stays: jax.Array, moves: jax.Array) -> jax.Array:
        return jnp.concatenate((moves, stays) if self.swap else (stays, moves), axis=-1)

    def forward_and_log_det(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        stays, moves, raw = self._halves(z, condition)
        moves, log_det = self.transform.forward(moves, raw)
        return self._join(stays, moves), sum_per_example(log_det)

    def inverse_and_log_det(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        stays, moves, raw = self._halves(x, condition)
        moves, log_det = self.transform.inverse(moves, raw)
        return self._join(stays, moves), sum_per_example(log_det)
