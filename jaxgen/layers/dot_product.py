"""Dot-product attention by the device's best kernel.

Where they take the arrays, kernels that write no logits to memory (Dao et al. 2022, "FlashAttention"): cuDNN's on
NVIDIA GPUs, that of JAX's Pallas on TPUs. Elsewhere XLA's products and softmax, which `jax.nn.dot_product_attention`
chooses everywhere.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.dtypes import float0
from jax.sharding import PartitionSpec

from jaxgen import target

_MOST = 128  # numbers in a head that cuDNN takes on every GPU it supports
_BLOCKS = (512, 256, 128)  # queries and keys at a time of a TPU's kernel; the lengths are multiples of one

Implementation = Literal["cudnn", "pallas", "xla"]
How = tuple[bool, float | None]  # whether it is causal, and the scale


def attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    causal: bool = False,
    scale: float | None = None,
    cudnn: bool = True,
) -> jax.Array:
    """softmax(scale·QKᵀ)·V, the softmax in float32, or of float64 in that.

    Args:
      query: `[batch, queries, heads, size]`.
      key: `[batch, keys, heads, size]`.
      value: of the key's shape.
      causal: whether a query sees only keys that are not behind it.
      scale: of the logits; None is 1/√size.
      cudnn: whether cuDNN may compute it.

    Returns:
      Of the query's shape. Reverse mode of any order works; forward mode does not where a kernel computes.
    """
    how, best = (causal, scale), _best(query, key)
    if query.dtype == jnp.float64:
        return _written_out(how, query, key, value)
    if best == "xla" or (best == "cudnn" and not cudnn):
        return _attention("xla", how, query, key, value)
    return _fused(best, how, query, key, value)


def attend_once(query: jax.Array, keys: jax.Array, values: jax.Array, seen: jax.Array) -> jax.Array:
    """As `attend`, of one query, to keys and values that are kept with heads before positions.

    Sums, and no matrix products: those of one row read the kept ones no faster, and on a CPU copy them first.

    Args:
      query: `[batch, 1, heads, size]`.
      keys, values: `[batch, heads, length, size]`.
      seen: which of them it sees, bool `[length]`, one at least.

    Returns:
      Of the query's shape.
    """
    wide = jnp.promote_types(query.dtype, jnp.float32)
    products = jnp.sum(query.swapaxes(1, 2) * keys, axis=-1, dtype=wide)
    weights = jax.nn.softmax(jnp.where(seen, products * query.shape[-1] ** -0.5, -jnp.inf), axis=-1)
    mixed = jnp.sum(weights.astype(values.dtype)[..., None] * values, axis=2, dtype=wide)
    return mixed.astype(query.dtype)[:, None]


def _best(query: jax.Array, key: jax.Array) -> Implementation:
    """cuDNN takes half precision, on GPUs of its generations; the TPU's kernel whole blocks, of a step's mesh."""
    size = query.shape[-1]
    if target.platform() == "tpu":
        whole = not any(length % _BLOCKS[-1] for length in (query.shape[1], key.shape[1]))
        return "pallas" if whole and _split(query) is not None else "xla"
    if target.platform() != "gpu" or query.dtype not in (jnp.bfloat16, jnp.float16) or size % 8 or size > _MOST:
        return "xla"
    generation = str(getattr(jax.devices()[0], "compute_capability", ""))  # "9.0"; of AMD's GPUs "gfx942"
    return "cudnn" if generation[:1].isdigit() and float(generation) >= 8.0 else "xla"


def _written_out(how: How, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """In the precision that it is given, where JAX's own has a softmax of float32."""
    causal, scale = how
    logits = jnp.einsum("bqhs,bkhs->bhqk", query, key) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        logits = jnp.where(np.tri(*logits.shape[-2:], dtype=bool), logits, -jnp.inf)
    return jnp.einsum("bhqk,bkhs->bqhs", jax.nn.softmax(logits), value)


def _attention(implementation: Implementation, how: How, *qkv: jax.Array) -> jax.Array:
    if implementation == "pallas":
        return _flash(how, *qkv)
    return jax.nn.dot_product_attention(*qkv, is_causal=how[0], scale=how[1], implementation=implementation)


def _split(query: jax.Array) -> PartitionSpec | None:
    """How the mesh splits examples and heads; None where there is no mesh, or it does not divide them."""
    mesh = target.mesh()
    if mesh is None:
        return None
    *examples, tensor = mesh.axis_names
    if query.shape[0] % (mesh.size // mesh.shape[tensor]) or query.shape[2] % mesh.shape[tensor]:
        return None
    return PartitionSpec(tuple(examples), None, tensor)


def by_device(attention: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """The same of `[batch, length, heads, size]`s, by each device of its own examples and heads where a mesh has them.

    The compiler cannot split a kernel; and blocks of a sequence, which it can, it moves from device to device.
    """

    def call(*qkv: jax.Array) -> jax.Array:
        mesh, own = target.mesh(), _split(qkv[0])
        if mesh is None or own is None:
            return attention(*qkv)
        return jax.shard_map(attention, mesh=mesh, in_specs=own, out_specs=own, check_vma=False)(*qkv)

    return call


def _flash(how: How, *qkv: jax.Array) -> jax.Array:
    from jax.experimental.pallas.ops.tpu import flash_attention as pallas  # a second to import, and for TPUs alone

    causal, scale = how
    queries, keys = (next(n for n in _BLOCKS if x.shape[1] % n == 0) for x in qkv[:2])
    blocks = pallas.BlockSizes(
        block_b=1, block_q=queries, block_k_major=keys, block_k=keys,
        block_q_major_dkv=queries, block_k_major_dkv=keys, block_k_dkv=keys, block_q_dkv=queries,
        # It writes the queries' sums as often as a block has keys.
        block_k_major_dq=_BLOCKS[-1], block_k_dq=_BLOCKS[-1], block_q_dq=queries,
    )  # fmt: skip
    scale = qkv[0].shape[-1] ** -0.5 if scale is None else scale

    def on_a_device(*qkv: jax.Array) -> jax.Array:
        heads_first = (x.swapaxes(1, 2) for x in qkv)
        return pallas.flash_attention(*heads_first, causal=causal, sm_scale=scale, block_sizes=blocks).swapaxes(1, 2)

    return by_device(on_a_device)(*qkv)


def _pull_plainly(how: How, *qkv_and_gradient: jax.Array) -> tuple[jax.Array, ...]:
    *qkv, gradient = qkv_and_gradient
    return jax.vjp(functools.partial(_attention, "xla", how), *qkv)[1](gradient)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _fused(kernel: Implementation, how: How, *qkv: jax.Array) -> jax.Array:
    return _attention(kernel, how, *qkv)


# A kernel's gradient has no gradient of its own: XLA's, of the same function, takes its place.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _pull(how: How, pull: Any, *qkv_and_gradient: jax.Array) -> tuple[jax.Array, ...]:
    return pull(qkv_and_gradient[-1])


def _forward(kernel: Implementation, how: How, *qkv: jax.Array) -> tuple[jax.Array, Any]:
    value, pull = jax.vjp(functools.partial(_attention, kernel, how), *qkv)
    return value, (pull, qkv)


def _pull_backward(how: How, kept: Any, gradients: tuple[jax.Array, ...]) -> tuple[Any, ...]:
    pull, *rest = kept
    nothing = jax.tree.map(
        lambda x: np.zeros(x.shape, x.dtype if jnp.issubdtype(x.dtype, jnp.inexact) else float0), pull
    )
    return nothing, *jax.vjp(functools.partial(_pull_plainly, how), *rest)[1](gradients)


_fused.defvjp(_forward, lambda kernel, how, kept, gradient: _pull(how, kept[0], *kept[1], gradient))
_pull.defvjp(lambda how, *arguments: (_pull(how, *arguments), arguments), _pull_backward)
