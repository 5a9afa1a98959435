"""What turns images into the features that metrics compare; every number says which it was."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgen.metrics import frechet, inception_score
from jaxgen.training.sharding import batch_sharding, batch_shards, replicated

Array = jax.Array
Apply = Callable[[Any, Array], tuple[Array, Array | None]]

BATCH = 256  # images in a compiled call, or a few more where devices do not divide them


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A feature space.

    Attributes:
      name: what tables call it: which network, trained on what.
      apply: `(params, images [batch, height, width, channels] in [-1, 1]) -> (features [batch, features],
        log-probabilities [batch, classes])`, the latter None where there are no classes.
      params: of the network, a pytree of arrays.
    """

    name: str
    apply: Apply
    params: Any = None


def pixels() -> Extractor:
    """The images themselves; no classes."""
    return Extractor("pixels", lambda params, images: (images.reshape(images.shape[0], -1), None))


class Seen(NamedTuple):
    """Images as an extractor sees them.

    Attributes:
      features: float32 `[images, features]`.
      moments: of the features.
      classes: the most probable class of each, int `[images]`; None where there are none, as is the next.
      score: of the classes' probabilities.
    """

    features: np.ndarray
    moments: frechet.Moments
    classes: np.ndarray | None
    score: inception_score.Score | None


def batch_size(mesh: Mesh) -> int:
    """Images a call takes: `BATCH`, rounded up to what the devices share evenly."""
    shards = batch_shards(mesh)
    return -(-BATCH // shards) * shards


def see(extractor: Extractor, batches: Iterable[Any], count: int, mesh: Mesh) -> Seen:
    """The first `count` images through an extractor.

    Args:
      extractor: the feature space.
      batches: images `[batch_size(mesh), height, width, channels]` in [-1, 1], `count` or more in all.
      count: how many to look at.
      mesh: the devices, among which a batch is split.
    """
    size, call = batch_size(mesh), _compiled(extractor.apply, mesh)
    sums, parts = None, []
    for start, images in zip(range(0, count, size), batches, strict=False):
        sums = sums or _nothing(jax.eval_shape(extractor.apply, extractor.params, images))
        weight = np.arange(start, start + size) < count
        found, sums = call(extractor.params, jax.device_put(images, batch_sharding(mesh)), weight, sums)
        parts.append(jax.device_get(found))
    moments, score = jax.device_get(sums)
    features, classes = zip(*parts, strict=True)
    return Seen(_join(features, count), moments, None if score is None else _join(classes, count), score)


@functools.cache  # one compilation for all the images that are looked at
def _compiled(apply: Apply, mesh: Mesh) -> Any:
    """`(params, images, weight [batch], (moments, score)) -> ((features, classes), (moments, score))`."""

    def call(params: Any, images: Array, weight: Array, sums: Any) -> tuple[Any, Any]:
        features, log_probs = jax.tree.map(lambda x: x.astype(jnp.float32), apply(params, images))
        moments, score = frechet.update(sums[0], features, weight), sums[1]
        if log_probs is None:
            return (features, None), (moments, None)
        return (features, jnp.argmax(log_probs, axis=1)), (moments, inception_score.update(score, log_probs, weight))

    whole, split = replicated(mesh), batch_sharding(mesh)
    return jax.jit(call, in_shardings=(whole, split, split, whole), out_shardings=whole)


def _nothing(outputs: Any) -> tuple[frechet.Moments, inception_score.Score | None]:
    features, log_probs = outputs
    score = None if log_probs is None else inception_score.init(log_probs.shape[1])
    return frechet.init(features.shape[1]), score


def _join(parts: Sequence[np.ndarray], count: int) -> np.ndarray:
    return np.concatenate(parts)[:count]
