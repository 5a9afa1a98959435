"""What a density costs that no network learned: the null controls of held-out nats and bits.

Of images and vectors independent pixels, and a Gaussian with all its covariances; of sequences the symbols' shares, and
5-grams interpolated by method C of Witten & Bell, 1991, "The Zero-Frequency Problem".
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxgen.fields import Field

_EXAMPLES, _SYMBOLS, _BATCH = 50_000, 2_000_000, 1_000  # looked at of a split, of sequences' symbols, and at once
_LARGEST = 4_096  # elements of an example, whose covariances are then few enough


def density_nulls(field: str, takes: Field) -> Callable[[Any], dict[str, dict[str, float]]]:
    """`Method.nulls` of a density of a batch field: `data -> {null control: {figure: mean}}`.

    They are fitted to training examples and judged by held-out ones, at most 50,000 of each and of sequences 2,000,000
    symbols. Figures go by the names that methods give theirs, in nats of an example and bits of one of its elements; of
    values that have levels they are those of probabilities, of others of densities. A Gaussian is left out where there
    are fewer than two training examples a dimension: in n of them it finds the squared Mahalanobis distance of a new
    one about n / (n - d - 2) times its d.

    Args:
      field: its name; examples with levels and one axis are sequences.
      takes: the values it has; pixels 0 and 1 where it is as for a Bernoulli likelihood.
    """
    levels = 2 if takes == Field(0, 1) else takes.levels

    def nulls(data: Any) -> dict[str, dict[str, float]]:
        shape = data.spec[field].shape
        size = math.prod(shape)
        most = min(_EXAMPLES, math.ceil(_SYMBOLS / size)) if len(shape) == 1 else _EXAMPLES
        train, test = (_examples(split, field, takes, levels, most) for split in (data.train, data.test))
        found = {}
        if levels is not None and len(shape) == 1:
            found = {name: ngrams(train, test, levels, order) for name, order in (("unigrams", 1), ("5-grams", 5))}
        elif levels is not None:
            found["independent pixels"] = independent(train, test, levels)
        enough = len(train) >= 2 * size  # of fewer, it takes a held-out example to be over twice as far off as it is
        if enough and size <= _LARGEST and levels != 2 and (levels is None or len(shape) > 1):
            found["Gaussian"] = gaussian(train, test, cells=levels is not None)
        return {name: _figures(nats, size) for name, nats in found.items() if math.isfinite(nats)}

    return nulls


def _examples(split: Any, field: str, takes: Field, levels: int | None, most: int) -> np.ndarray:
    """`[examples, elements]`, as whole numbers from 0 where they have levels; drawn evenly where there are too many."""
    count = len(split)
    ids = np.arange(count) if count <= most else np.random.default_rng(0).integers(count, size=most)
    parts = []
    for part in np.array_split(ids, math.ceil(len(ids) / _BATCH)):
        x = np.asarray(split[part][field]).reshape(len(part), -1)
        if levels is not None:
            low, high = takes.low or 0, levels - 1 if takes.high is None else takes.high
            x = np.rint((x - np.float64(low)) * ((levels - 1) / (high - low))).astype(np.min_scalar_type(levels))
        parts.append(x)
    return np.concatenate(parts)


def _figures(nats: float, size: int) -> dict[str, float]:
    bits = nats / (size * math.log(2))
    names = {"nats": nats, "negative_elbo_nats": nats, "iw_nats": nats, "log_likelihood_nats": -nats}
    return {**names, "bits_per_dim": bits, "iw_bits_per_dim": bits}


def gaussian(train: np.ndarray, test: np.ndarray, *, cells: bool) -> float:
    """Mean nats of `test` under the Gaussian of greatest likelihood of `train`, `[examples, elements]`.

    Args:
      train: what it is fitted to.
      test: what is judged.
      cells: whether values are whole numbers, dequantized by uniform noise in [0, 1): the nats are then what that noise
        expects, on either side, a bound on those of probabilities.

    Returns:
      The mean; infinity where `train` lies on a plane, on which there is no density.
    """
    size, within = train.shape[1], 1 / 12 if cells else 0.0
    mean = np.mean(train, 0, dtype=np.float64)
    moment = sum(_square(part - mean) for part in _batches(train)) / len(train)
    try:
        root = np.linalg.cholesky(moment + within * np.eye(size))
    except np.linalg.LinAlgError:
        return math.inf
    precision = np.linalg.inv(root)
    distance = sum(np.sum(np.square((part - mean) @ precision.T)) for part in _batches(test)) / len(test)
    distance += within * np.sum(np.square(precision))  # of the noise: the trace of the precision
    return float(distance / 2 + np.sum(np.log(np.diag(root))) + size * math.log(2 * math.pi) / 2)


def _batches(examples: np.ndarray) -> list[np.ndarray]:
    return np.array_split(examples, math.ceil(len(examples) / _BATCH))


def _square(rows: np.ndarray) -> np.ndarray:
    return rows.T @ rows


def independent(train: np.ndarray, test: np.ndarray, levels: int) -> float:
    """Mean nats of `test` where each element has its shares of levels in `train`, one more of each than was seen.

    Args:
      train: what they are counted in, `[examples, elements]`, whole numbers below `levels`.
      test: what is judged.
      levels: how many there are.
    """
    elements = np.arange(train.shape[1]) * levels
    counts = np.zeros(train.shape[1] * levels)
    for part in _batches(train):
        counts += np.bincount((elements + part).ravel(), minlength=len(counts))
    cost = -np.log((counts + 1) / (len(train) + levels))
    return float(sum(np.sum(cost[elements + part]) for part in _batches(test)) / len(test))


def ngrams(train: np.ndarray, test: np.ndarray, levels: int, order: int) -> float:
    """Mean nats of `test` where symbols depend on the `order - 1` before them, as far as they are in the example.

    `p(x | c) = (n(c, x) + t(c) p(x | c less its farthest symbol)) / (n(c) + t(c))`, where t(c) is how many symbols were
    seen after c; before all is the uniform distribution.

    Args:
      train: what is counted, `[examples, symbols]`, whole numbers below `levels`.
      test: what is judged.
      levels: how many symbols there are.
      order: n.
    """
    x = np.concatenate([train, test]).astype(np.int64)
    seen = np.arange(len(x)) < len(train)
    before = np.pad(x, ((0, 0), (order - 1, 0)), constant_values=levels)  # a symbol of its own where there is none
    context, p = np.zeros_like(x), np.full(test.shape, 1 / levels)
    for back in range(order):
        if back:
            far = before[:, order - 1 - back : order - 1 - back + x.shape[1]]
            context = _numbered(context * (levels + 1) + far)
        pair = _numbered(context * levels + x)
        count = np.bincount(context[seen].ravel(), minlength=context.max() + 1)
        of_pair = np.bincount(pair[seen].ravel(), minlength=pair.max() + 1)
        first = np.unique(pair[seen], return_index=True)[1]  # where a pair was seen first
        kinds = np.bincount(context[seen].ravel()[first], minlength=len(count))
        n, t = count[context[~seen]], kinds[context[~seen]]
        p = np.where(n > 0, (of_pair[pair[~seen]] + t * p) / np.maximum(n + t, 1), p)
    return float(-np.sum(np.log(p)) / len(test))


def _numbered(x: np.ndarray) -> np.ndarray:
    """Whole numbers from 0, alike where `x` is."""
    return np.unique(x, return_inverse=True)[1].reshape(x.shape)
