"""Dot-product attention by the device's best kernel.

On NVIDIA GPUs cuDNN's fused one, where it takes the arrays, which writes no logits to memory (Dao et al. 2022,
"FlashAttention"); elsewhere XLA's products and softmax, which `jax.nn.dot_product_attention` chooses everywhere.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.dtypes import float0

from jaxgen import target

_MOST = 128  # numbers in a head that cuDNN takes on every GPU it supports


def attend(
    query: jax.Array, key: jax.Array, value: jax.Array, *, causal: bool = False, scale: float | None = None
) -> jax.Array:
    """softmax(scale·QKᵀ)·V, the softmax in float32.

    Args:
      query: `[batch, queries, heads, size]`.
      key: `[batch, keys, heads, size]`.
      value: of the key's shape.
      causal: whether a query sees only keys that are not behind it.
      scale: of the logits; None is 1/√size.

    Returns:
      Of the query's shape. Reverse mode of any order works; forward mode does not where cuDNN computes.
    """
    how = (causal, scale)
    return _fused(how, query, key, value) if _fits(query) else _attention("xla", how, query, key, value)


def _fits(query: jax.Array) -> bool:
    """Whether cuDNN computes it: half precision, on a GPU of its generations."""
    size = query.shape[-1]
    if target.platform() != "gpu" or query.dtype not in (jnp.bfloat16, jnp.float16) or size % 8 or size > _MOST:
        return False
    generation = str(getattr(jax.devices()[0], "compute_capability", ""))  # "9.0"; of AMD's GPUs "gfx942"
    return generation[:1].isdigit() and float(generation) >= 8.0


def _attention(implementation: Any, how: tuple[bool, float | None], *qkv: jax.Array) -> jax.Array:
    return jax.nn.dot_product_attention(*qkv, is_causal=how[0], scale=how[1], implementation=implementation)


def _pull_plainly(how: tuple[bool, float | None], *qkv_and_gradient: jax.Array) -> tuple[jax.Array, ...]:
    *qkv, gradient = qkv_and_gradient
    return jax.vjp(functools.partial(_attention, "xla", how), *qkv)[1](gradient)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _fused(how: tuple[bool, float | None], *qkv: jax.Array) -> jax.Array:
    return _attention("cudnn", how, *qkv)


# cuDNN's gradient has no gradient of its own: XLA's, of the same function, takes its place.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _pull(how: tuple[bool, float | None], pull: Any, *qkv_and_gradient: jax.Array) -> tuple[jax.Array, ...]:
    return pull(qkv_and_gradient[-1])


def _forward(how: Any, *qkv: jax.Array) -> tuple[jax.Array, Any]:
    value, pull = jax.vjp(functools.partial(_attention, "cudnn", how), *qkv)
    return value, (pull, qkv)


def _pull_backward(how: Any, kept: Any, gradients: tuple[jax.Array, ...]) -> tuple[Any, ...]:
    pull, *rest = kept
    nothing = jax.tree.map(
        lambda x: np.zeros(x.shape, x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else float0), pull
    )
    return nothing, *jax.vjp(functools.partial(_pull_plainly, how), *rest)[1](gradients)


_fused.defvjp(_forward, lambda how, kept, gradient: _pull(how, kept[0], *kept[1], gradient))
_pull.defvjp(lambda how, *arguments: (_pull(how, *arguments), arguments), _pull_backward)
