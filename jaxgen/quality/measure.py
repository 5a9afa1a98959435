"""How good and how varied samples are: the metrics of `jaxgen.metrics` that a feature space allows."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgen.data.source import Dataset, Source
from jaxgen.data.transforms import on_image, signed_unit
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED, Field
from jaxgen.metrics import frechet, inception_score
from jaxgen.metrics.classes import conditional_accuracy, intra_class_diversity
from jaxgen.metrics.coverage import mode_coverage
from jaxgen.metrics.kernel import kernel_distance
from jaxgen.metrics.memorization import data_copying, nearest_neighbors
from jaxgen.metrics.precision_recall import precision_recall
from jaxgen.quality.extractor import Extractor, Seen, batch_size, see

Array = jax.Array
Figures = dict[str, dict[str, float]]  # figure -> {"mean"} and, where it is known, {"standard_error"}

LEAST = 100  # samples, and held-out examples: fewer tell nothing
_ORDER = (
    "frechet_distance",
    "kernel_distance",
    "precision",
    "recall",
    "density",
    "coverage",
    "inception_score",
    "classes",
    "class_kl",
    "intra_class_diversity",
    "nearest_training_distance",
    "data_copying",
)


def signed_images(data: Dataset) -> Dataset:
    """The data with images in [-1, 1], as samples are, by the range and the levels that it declares.

    Raises:
      UserError: the examples are no images, or of no declared range.
    """
    if "image" not in data.spec or len(data.spec["image"].shape) != 3:
        raise UserError(f"{data.name} has no images to compare samples with; leave the comparison out.")
    field = data.fields.get("image", Field())
    if (field.low, field.high) == (-1, 1):
        return data
    if field.low == 0 and field.levels is not None:
        return data.map(signed_unit(field.levels))
    if (field.low, field.high) == (0, 1):
        return data.map(on_image(lambda images: 2 * images - 1, lambda _: SIGNED))
    raise UserError(
        f"image of {data.name} has {field}, as far as it says, and samples are from -1 to 1; declare its range."
    )


def check_enough(data: Dataset, count: int) -> None:
    """Refuses to compare few images.

    Raises:
      UserError: `count` samples or the held-out examples are fewer than `LEAST`.
    """
    for name, images in (("samples", count), (f"{data.name}/test", len(data.test))):
        if images < LEAST:
            share = min(0.9, math.ceil(10 * LEAST / (len(data.train) + len(data.test))) / 10)
            more = "draw more" if name == "samples" else f"train with more held out (held_out={share}), or on more data"
            raise UserError(f"{name} is {images} images; comparing samples with data takes at least {LEAST}: {more}.")


class Reference:
    """What samples are compared with: as many held-out examples (or all there are), and all training examples.

    Args:
      extractor: the feature space.
      data: images in [-1, 1], float `[height, width, channels]`.
      mesh: the devices.
      count: how many samples will be measured.

    Raises:
      UserError: the samples or the held-out examples are too few.
    """

    def __init__(self, extractor: Extractor, data: Dataset, mesh: Mesh, count: int):
        check_enough(data, count)
        self.extractor, self.data, self.mesh, self.count = extractor, data, mesh, count
        self.held_out = self._see(data.test, _some(data.test, count))
        self._training = self._see(data.train, np.arange(len(data.train)))
        self._distances = _distances(self.held_out.features, self._training.features)

    @property
    def description(self) -> dict[str, Any]:
        """What the figures are computed from, to stand beside them."""
        held_out = {"split": f"{self.data.name}/test", "examples": len(self.held_out.features)}
        training = {"training_split": f"{self.data.name}/train", "training_examples": len(self._training.features)}
        return {"features": self.extractor.name, **held_out, **training, "samples": self.count}

    def measure(self, samples: Iterable[tuple[Any, Any]]) -> Figures:
        """The figures of samples.

        Args:
          samples: batches of images `[batch_size(mesh), height, width, channels]` in [-1, 1], and of the classes they
            were drawn for, int `[batch]` or None; `count` images or more in all.
        """
        labels: list[Any] = []

        def images() -> Iterator[Any]:
            for batch, label in samples:
                labels.append(label)
                yield batch

        seen = see(self.extractor, images(), self.count, self.mesh)
        figures = self._figures(seen)
        if labels[0] is not None and seen.classes is not None:
            asked = jnp.concatenate(labels)[: self.count]
            figures["conditional_accuracy"] = {"mean": float(conditional_accuracy(jnp.asarray(seen.classes), asked))}
        return figures

    def measure_training_images(self) -> Figures:
        """The figures of random training images: what samples as good as data would have, memorization aside."""
        return self._figures(self._see(self.data.train, _some(self.data.train, self.count)))

    def _see(self, source: Source, ids: np.ndarray) -> Seen:
        return see(self.extractor, _images(source, ids, batch_size(self.mesh)), len(ids), self.mesh)

    def _figures(self, seen: Seen) -> Figures:
        distances = _distances(seen.features, self._training.features)
        found = {
            "frechet_distance": frechet.frechet_distance(seen.moments, self.held_out.moments),
            **jax.device_get(_of_features(seen.features, self.held_out.features, distances, self._distances)),
        }
        if seen.classes is not None and self._training.classes is not None and seen.score is not None:
            classes = seen.score.probabilities.shape[0]
            data = np.bincount(self._training.classes, minlength=classes) / len(self._training.classes)
            found |= {"inception_score": inception_score.finish(seen.score)}
            found |= jax.device_get(_of_classes(seen.features, seen.classes, data))
        figures = {name: {"mean": float(found[name])} for name in _ORDER if name in found}
        figures["kernel_distance"]["standard_error"] = float(found["kernel_error"])
        return figures


@jax.jit
def _distances(x: Array, training: Array) -> Array:
    return nearest_neighbors(x, training)[0]


@jax.jit
def _of_features(x: Array, held_out: Array, distances: Array, held_out_distances: Array) -> dict[str, Array]:
    distance, error = kernel_distance(x, held_out)
    return {
        "kernel_distance": distance,
        "kernel_error": error,
        **precision_recall(x, held_out),
        "nearest_training_distance": jnp.mean(distances),
        "data_copying": data_copying(distances, held_out_distances),
    }


@jax.jit
def _of_classes(x: Array, classes: Array, data: Array) -> dict[str, Array]:
    coverage = mode_coverage(classes, data)
    diversity = jnp.nanmean(intra_class_diversity(x, classes, classes=data.shape[0]))
    return {"classes": coverage["modes"], "class_kl": coverage["kl"], "intra_class_diversity": diversity}


def _some(source: Source, count: int) -> np.ndarray:
    """Numbers of `count` examples, or all, in an order that is always the same and mixed: sets may be sorted."""
    return np.random.default_rng(0).permutation(len(source))[:count]


def _images(source: Source, ids: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(ids), size):
        yield source[np.resize(ids[start : start + size], size)]["image"]
