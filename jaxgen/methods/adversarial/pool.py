"""Images generated some time ago, for a critic that shall not forget them.

Shrivastava et al. 2017, "Learning from Simulated and Unsupervised Images", section 2.3; Zhu et al. 2017, section 4.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array


class Pool(NamedTuple):
    """Images `[size, ...]`, of which the first `count` (int32 `[]`) have been filled."""

    images: Array
    count: Array


def empty(size: int, image: jax.ShapeDtypeStruct | Array) -> Pool:
    """A pool for so many images of the shape and dtype of `image`, without a batch axis."""
    return Pool(jnp.zeros((size, *image.shape), image.dtype), jnp.zeros((), jnp.int32))


def exchange(pool: Pool, fresh: Array, key: Array) -> tuple[Array, Pool]:
    """What the critic sees in the place of fresh images `[batch, ...]`, and the pool after.

    One image after the other, in the order of the batch: until the pool is full, the image itself, which is kept;
    then, half of the time, a random one of the pool, whose place the fresh one takes, and else the image itself.
    """
    size = pool.images.shape[0]

    def one(pool: Pool, each: tuple[Array, Array]) -> tuple[Pool, Array]:
        image, key = each
        chance, place = jax.random.split(key)
        full = pool.count == size
        index = jnp.where(full, jax.random.randint(place, (), 0, size), pool.count)
        swap = full & jax.random.bernoulli(chance)
        old = pool.images[index]
        kept = pool.images.at[index].set(jnp.where(swap | ~full, image, old))
        return Pool(kept, jnp.minimum(pool.count + 1, size)), jnp.where(swap, old, image)

    fresh = jax.lax.stop_gradient(fresh)
    pool, shown = jax.lax.scan(one, pool, (fresh, jax.random.split(key, fresh.shape[0])))
    return shown, pool
