"""Bijectors made of bijectors: chain, repeat, invert, and the multi-scale split."""

from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen import loops
from jaxgen.bijectors import reversible
from jaxgen.bijectors.bijector import Bijector, Misfit, run, widen
from jaxgen.errors import UserError

Memory = Literal["plain", "remat", "reversible"]


class Chain(Bijector):
    """x = f₁(f₂(…fₙ(z))) and z = fₙ⁻¹(…f₂⁻¹(f₁⁻¹(x))): listed from the data's side to the base's.

    Both log-dets are the sums of the parts'.

    Attributes:
      bijectors: f₁ … fₙ.

    Raises:
      UserError: when it is initialized, a part does not take what the one before it gives.
    """

    bijectors: tuple[Bijector, ...]

    @property
    def parts(self) -> tuple[Bijector, ...]:
        return tuple(part for bijector in self.bijectors for part in bijector.parts)

    @property
    def conditional(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return any(bijector.conditional for bijector in self.bijectors)

    def forward_and_log_det(self, z: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        return self._pass("forward_and_log_det", self.bijectors[::-1], z, condition)

    def inverse_and_log_det(self, x: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        return self._pass("inverse_and_log_det", self.bijectors, x, condition)

    def _pass(
        self, direction: str, bijectors: tuple[Bijector, ...], x: jax.Array, condition: Any
    ) -> tuple[jax.Array, jax.Array]:
        log_det, before = jnp.zeros(x.shape[:1], widen(x).dtype), None
        for bijector in bijectors:
            try:
                x, part = run(bijector, direction, x, condition)
            except Misfit as error:
                if before is None:
                    raise
                gives = f"{type(before).__name__} gives {type(bijector).__name__} examples of shape {x.shape[1:]}"
                raise UserError(f"{gives}: {error}") from error
            log_det, before = log_det + part, bijector
        return x, log_det


class Repeat(Bijector):
    """x = f₁(f₂(…fₙ(z))) and z = fₙ⁻¹(…f₁⁻¹(x)), the fᵢ alike but each with its own parameters.

    Both log-dets are the sums of the parts'. Parameters are stacked along a leading axis of size `length` and the
    layers run as one compiled loop where that pays (`jaxgen.loops`), so that compile time need not grow with depth.
    Data-dependent initialization proceeds layer by layer.

    Attributes:
      bijector: f, which must keep the shape.
      length: n.
      memory: what the gradient keeps. "plain": all that it needs. "remat": what passes between layers; their inside is
        computed anew. "reversible": what comes out of the last one; the rest is rebuilt by the layers' inverses, which
        must be there, so memory does not grow with `length` (`jaxgen.bijectors.reversible`). The gradient is then that
        of parameters and input alone.

    Raises:
      UserError: `length` is below 1; `memory` is none of these, or reversible where layers move collections of theirs
        in training or are conditional; or, when it is initialized, f changes the shape.
    """

    bijector: Bijector
    length: int
    memory: Memory = "plain"

    def __post_init__(self) -> None:
        if self.length < 1:
            raise UserError(f"length is {self.length}: repeat {type(self.bijector).__name__} at least once.")
        super().__post_init__()

    @property
    def conditional(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.bijector.conditional

    def _run(self, direction: str, x: jax.Array, condition: Any, reverse: bool) -> tuple[jax.Array, jax.Array]:
        if self.memory not in get_args(Memory):
            raise UserError(f"memory is {self.memory!r}; make it one of {', '.join(get_args(Memory))}.")
        x = widen(x)
        if self.memory == "reversible" and self.bijector.variables and not self.is_initializing():
            if moving := [name for name in self.bijector.variables if self.is_mutable_collection(name)]:
                raise UserError(f"memory is 'reversible', but a layer moves its {moving[0]}; make it remat.")
            if self.conditional:
                raise UserError("memory is 'reversible', but a layer is conditional; make it remat.")
            assert self.scope is not None  # a module that runs is bound
            keys = {name: jax.random.split(self.make_rng(name), self.length) for name in self.scope.rngs}
            return reversible.run(self.bijector.clone(parent=None), direction, self.bijector.variables, keys, x)

        def body(bijector: Bijector, carry: tuple[jax.Array, jax.Array], condition: Any):
            x, log_det = carry
            passed, part = run(bijector, direction, x, condition)
            _check_kept(self, x, passed)
            return (passed, log_det + part), None

        layers = nn.scan(
            nn.remat(body, prevent_cse=False) if self.memory == "remat" else body,
            variable_axes={True: 0},
            split_rngs={True: True},
            in_axes=nn.broadcast,  # pyright: ignore[reportArgumentType]
            length=self.length,
            reverse=reverse,
            unroll=self._unroll(direction, x, condition),
        )
        carry, _ = layers(self.bijector, (x, jnp.zeros(x.shape[:1], x.dtype)), condition)
        return carry

    def _unroll(self, direction: str, x: jax.Array, condition: Any) -> int:
        """Layers per iteration of the compiled loop; 0 leaves no loop, not even one of a single iteration."""
        if self.is_initializing():
            return 1
        layer = self.bijector.clone(parent=None)
        first = jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape[1:], v.dtype), self.bijector.variables)
        assert self.scope is not None  # a module that runs is bound
        keys = {name: jax.random.key(0) for name in self.scope.rngs}

        def once(variables: Any, x: jax.Array, condition: Any) -> Any:
            return layer.apply(variables, x, condition, direction, method=_in, rngs=keys)

        return 0 if loops.unrolls(once, first, x, condition) else 1

    def forward_and_log_det(self, z: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        return self._run("forward_and_log_det", z, condition, reverse=True)

    def inverse_and_log_det(self, x: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        return self._run("inverse_and_log_det", x, condition, reverse=False)


class Invert(Bijector):
    """x = f⁻¹(z) and z = f(x), with the log-dets of f exchanged.

    Attributes:
      bijector: f.
    """

    bijector: Bijector

    @property
    def conditional(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.bijector.conditional

    def forward_and_log_det(self, z: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        return run(self.bijector, "inverse_and_log_det", z, condition)

    def inverse_and_log_det(self, x: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        return run(self.bijector, "forward_and_log_det", x, condition)


class Split(Bijector):
    """x = (f(z_a), z_b) and z = (f⁻¹(x_a), x_b), a and b the first and second half of the channels.

    Both log-dets are those of f. The multi-scale architecture factors b out here and lets only a go deeper; an affine
    `Coupling` on the data's side of the split is b's learned prior given a. Dinh et al. 2017, section 3.6.

    Attributes:
      bijector: f, which must keep the shape.
    """

    bijector: Bijector

    @property
    def conditional(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.bijector.conditional

    def forward_and_log_det(self, z: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        z_a, z_b = self._halves(z)
        x_a, log_det = run(self.bijector, "forward_and_log_det", z_a, condition)
        _check_kept(self, z_a, x_a)
        return jnp.concatenate([x_a, z_b], axis=-1), log_det

    def inverse_and_log_det(self, x: jax.Array, condition: Any = None) -> tuple[jax.Array, jax.Array]:
        x_a, x_b = self._halves(x)
        z_a, log_det = run(self.bijector, "inverse_and_log_det", x_a, condition)
        _check_kept(self, x_a, z_a)
        return jnp.concatenate([z_a, x_b], axis=-1), log_det

    def _halves(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        if x.shape[-1] < 2:
            raise Misfit(f"Split got channels={x.shape[-1]}: give it at least 2, for example by squeezing first.")
        a, b = jnp.split(x, [x.shape[-1] // 2], axis=-1)
        return a, b


def _check_kept(whole: Repeat | Split, given: jax.Array, found: jax.Array) -> None:
    if given.shape != found.shape:
        raise UserError(
            f"{type(whole).__name__} needs a bijector that keeps the shape, but {type(whole.bijector).__name__} makes "
            f"examples of shape {found.shape[1:]} of {given.shape[1:]}; put it outside, in a Chain."
        )


def _in(bijector: Bijector, x: jax.Array, condition: Any, direction: str) -> tuple[jax.Array, jax.Array]:
    return run(bijector, direction, x, condition)
