"""Which positions of a sequence attend to which, and attention that multiplies no more than those.

The sparse ones cut queries into blocks and give each the keys that it may see, in one or two groups under one softmax:
the products that a mask would throw away are not in the compiled program.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.layers.dot_product import attend, by_device


class Pattern(Protocol):
    """Attention along a sequence by a fixed rule."""

    def sees(self, query: ArrayLike, key: ArrayLike) -> jax.Array:
        """Whether the query at a position attends to the key at another; the positions' broadcast shape."""
        ...

    def __call__(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        """`[batch, length, heads, size]` each, to the same."""
        ...


def _keeping_its_input(attention: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Logits and weights are many times as large as what they are made of: the gradient computes them again."""

    @functools.wraps(attention)
    def call(self: Pattern, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        return jax.checkpoint(by_device(functools.partial(attention, self)))(query, key, value)

    return call


@dataclasses.dataclass(frozen=True)
class Everywhere:
    """Every position attends to all."""

    def sees(self, query: ArrayLike, key: ArrayLike) -> jax.Array:
        return jnp.ones(jnp.broadcast_shapes(jnp.shape(query), jnp.shape(key)), bool)

    def __call__(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        return attend(query, key, value)


@dataclasses.dataclass(frozen=True)
class Causal:
    """Every position attends to itself and all before it."""

    def sees(self, query: ArrayLike, key: ArrayLike) -> jax.Array:
        return jnp.asarray(key) <= jnp.asarray(query)

    def __call__(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        return attend(query, key, value, causal=True)


@dataclasses.dataclass(frozen=True)
class Strided:
    """The last `stride` positions, and every `stride`-th one before: i to j <= i with i - j < stride or stride | i - j.

    Both heads of Child et al., 2019, "Generating Long Sequences with Sparse Transformers", section 4.2, merged into
    one. Two such layers connect every position with all before it; a length n costs n·(2·stride + n / stride).

    Attributes:
      stride: divides the length; for images, the symbols of a row.
    """

    stride: int

    def sees(self, query: ArrayLike, key: ArrayLike) -> jax.Array:
        back = jnp.asarray(query) - jnp.asarray(key)
        return (back >= 0) & ((back < self.stride) | (back % self.stride == 0))

    @_keeping_its_input
    def __call__(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        q, k, v = (_blocks(x, self.stride) for x in (query, key, value))
        blocks = jnp.arange(q.shape[1])
        columns = _Group(
            jnp.einsum("bnqhd,bmqhd->bnhqm", q, k),
            blocks[:, None, None, None] - 1 > blocks,  # one stride back lies in the window
            lambda weights: jnp.einsum("bnhqm,bmqhd->bnqhd", weights, v),
        )
        return _softmax([_window(self, query, key, value, self.stride, self.stride), columns], query)


@dataclasses.dataclass(frozen=True)
class Fixed:
    """The own block of `stride` positions so far, and the last `summary` ones of every block before.

    Both heads of Child et al., 2019, section 4.2, merged into one. Two such layers connect every position with all
    before it; a length n costs n·(stride + summary·n / stride).

    Attributes:
      stride: divides the length.
      summary: positions of a block that later blocks see.
    """

    stride: int
    summary: int = 1

    def sees(self, query: ArrayLike, key: ArrayLike) -> jax.Array:
        query, key = jnp.asarray(query), jnp.asarray(key)
        own = query // self.stride == key // self.stride
        return (key <= query) & (own | (key % self.stride >= self.stride - self.summary))

    @_keeping_its_input
    def __call__(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        q, k, v = (_blocks(x, self.stride) for x in (query, key, value))
        k, v = (x[:, :, -self.summary :].reshape(len(x), -1, *x.shape[3:]) for x in (k, v))
        blocks = jnp.arange(q.shape[1])
        summaries = _Group(
            jnp.einsum("bnqhd,bmhd->bnhqm", q, k),
            blocks[:, None, None, None] > jnp.repeat(blocks, self.summary),
            lambda weights: jnp.einsum("bnhqm,bmhd->bnqhd", weights, v),
        )
        return _softmax([_window(self, query, key, value, self.stride, 0), summaries], query)


@dataclasses.dataclass(frozen=True)
class Local:
    """The own block of `block` positions so far, and the `memory` ones before the block.

    Parmar et al., 2018, "Image Transformer", section 4.2.1, one-dimensional; each layer reaches `memory` further back.
    A length n costs n·(block + memory).

    Attributes:
      block: divides the length.
      memory: positions before a block that it sees.
    """

    block: int
    memory: int

    def sees(self, query: ArrayLike, key: ArrayLike) -> jax.Array:
        query, key = jnp.asarray(query), jnp.asarray(key)
        return (key <= query) & (key >= query // self.block * self.block - self.memory)

    @_keeping_its_input
    def __call__(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        return _softmax([_window(self, query, key, value, self.block, self.memory)], query)


@dataclasses.dataclass(frozen=True)
class _Group:
    """Some keys of every query: logits and which count, `[batch, blocks, heads, block, keys]`; what weights make."""

    logits: jax.Array
    mask: jax.Array
    mix: Callable[[jax.Array], jax.Array]


def _blocks(x: jax.Array, block: int) -> jax.Array:
    """`[batch, length, heads, size]` to `[batch, blocks, block, heads, size]`."""
    if x.shape[1] % block:
        raise UserError(f"a sequence of {x.shape[1]} positions: make it a multiple of the attention's block {block}.")
    return x.reshape(x.shape[0], -1, block, *x.shape[2:])


def _window(pattern: Pattern, query: jax.Array, key: jax.Array, value: jax.Array, block: int, memory: int) -> _Group:
    """Of each block of queries, its own keys and the `memory` ones before it, as far as the pattern sees them."""
    q = _blocks(query, block)
    places = jnp.arange(query.shape[1]).reshape(-1, block)
    at = places[:, :1] + jnp.arange(-memory, block)  # [blocks, keys]
    k, v = (jnp.take(x, jnp.maximum(at, 0), axis=1) for x in (key, value))
    seen = pattern.sees(places[:, :, None], at[:, None]) & (at >= 0)[:, None]
    return _Group(
        jnp.einsum("bnqhd,bnkhd->bnhqk", q, k),
        seen[:, None],
        lambda weights: jnp.einsum("bnhqk,bnkhd->bnqhd", weights, v),
    )


def _softmax(groups: list[_Group], query: jax.Array) -> jax.Array:
    """Values mixed by one softmax over all groups' keys, in float32 or wider; of the query's shape and type."""
    dtype = jnp.promote_types(query.dtype, jnp.float32)
    logits = [jnp.where(group.mask, group.logits.astype(dtype) * query.shape[-1] ** -0.5, -jnp.inf) for group in groups]
    ends = np.cumsum([each.shape[-1] for each in logits])[:-1]
    weights = jnp.split(jax.nn.softmax(jnp.concatenate(logits, axis=-1)).astype(query.dtype), ends, axis=-1)
    mixed = [group.mix(each) for group, each in zip(groups, weights, strict=True)]
    return sum(mixed[1:], mixed[0]).reshape(query.shape)
