"""The gradient of repeated layers from their output alone: what went into each is computed anew, by its inverse.

Gomez et al., 2017, "The Reversible Residual Network: Backpropagation Without Storing Activations", section 3.2.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import loops
from jaxgen.bijectors.bijector import Bijector

_OPPOSITE = {"forward_and_log_det": "inverse_and_log_det", "inverse_and_log_det": "forward_and_log_det"}


def run(layer: Bijector, direction: str, variables: Any, keys: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Applies alike layers one after the other; their gradient keeps the last one's output and no activation.

    The backward pass goes through the parts of each layer: invert, then differentiate. So a coupling and its inverse
    read the very same half, and the compiler evaluates their network once, up to its first dropout (random draws it
    makes twice): about as much work as with rematerialization.
    What is rebuilt is off by the rounding of `x`'s type, by more where layers are ill-conditioned, and so is the
    gradient: watch the inversion error.

    Args:
      layer: one of them, unbound.
      direction: "forward_and_log_det", from the last layer to the first, or "inverse_and_log_det", from the first on.
      variables: collections of arrays `[layers, ...]`. The gradient is taken by `params` alone, and by `x`.
      keys: name -> PRNG keys `[layers]`; every evaluation of a layer draws the same from its own.
      x: `[batch, ...]`, float32 or wider.

    Returns:
      `(y, log_det [batch])`.

    Raises:
      UserError: on differentiation, a part of the layer lacks its opposite direction.
    """
    to_data = direction == "forward_and_log_det"
    parts = list(range(len(layer.parts)))[:: -1 if to_data else 1]

    def apply(part: int, direction: str) -> Callable[[Any, Any, jax.Array], tuple[jax.Array, jax.Array]]:
        def method(layer: Bijector, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            return getattr(layer.parts[part], direction)(x)

        def run(params: Any, rest: Any, x: jax.Array) -> Any:
            return layer.apply({"params": params, **rest[0]}, x, rngs=rest[1], method=method)

        return run

    @jax.custom_vjp
    def layers(params: Any, rest: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        def body(carry: tuple[jax.Array, jax.Array], leaves: tuple[Any, Any]) -> Any:
            x, log_det = carry
            for part in parts:
                x, part_log_det = apply(part, direction)(*leaves, x)
                log_det += part_log_det
            return (x, log_det), None

        return loops.scan(body, (x, jnp.zeros(x.shape[:1], x.dtype)), (params, rest), reverse=to_data)[0]

    def forward(params: Any, rest: Any, x: jax.Array) -> tuple[Any, Any]:
        y, log_det = layers(params, rest, x)
        return (y, log_det), (params, rest, y)

    def backward(kept: tuple[Any, Any, jax.Array], gradients: tuple[jax.Array, jax.Array]) -> tuple[Any, None, Any]:
        params, rest, y = kept
        y_gradient, log_det_gradient = gradients

        def body(carry: tuple[jax.Array, jax.Array], leaves: tuple[Any, Any]) -> Any:
            # Both or neither: unrolled, the compiler would else be free to rebuild the inputs of all layers first.
            y, y_gradient = jax.lax.optimization_barrier(carry)
            params, rest = leaves
            total = jax.tree.map(jnp.zeros_like, params)
            for part in reversed(parts):
                y, _ = apply(part, _OPPOSITE[direction])(params, rest, y)
                _, pull = jax.vjp(lambda params, x, part=part: apply(part, direction)(params, rest, x), params, y)
                part_gradient, y_gradient = pull((y_gradient, log_det_gradient))
                total = jax.tree.map(jnp.add, total, part_gradient)
            return (y, y_gradient), total

        (_, x_gradient), params_gradient = loops.scan(body, (y, y_gradient), (params, rest), reverse=not to_data)
        return params_gradient, None, x_gradient

    layers.defvjp(forward, backward)
    params = variables.get("params", {})
    constants = {name: collection for name, collection in variables.items() if name != "params"}
    return layers(params, (constants, keys), x)
