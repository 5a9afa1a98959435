"""The feature space of a small classifier that jaxgen trains on the data's own training split; it needs no network.

Trained once and kept in the user's cache folder. Its numbers compare models of one data set, judged by one such
classifier; they are not comparable with those of Inception's features.
"""

import dataclasses
import hashlib
import io
import json
import math
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import platformdirs
from flax.traverse_util import flatten_dict, unflatten_dict
from rich.console import Console

import jaxgen
from jaxgen.core import Net
from jaxgen.data.source import Dataset, Source
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.files import write_atomically
from jaxgen.methods.classification import classification
from jaxgen.models.image_cnn import ImageCNN, PerChannel
from jaxgen.quality.extractor import Extractor
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh

Array = jax.Array

_SOME = 256  # training images, evenly spaced, that tell one data set from another and give the features their scale


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of the network and its training: 98.7 % of MNIST's test images right, after 82 s of one core's time."""

    width: int = 32
    features: int = 64
    steps: int = 1000
    images_per_step: int = 128
    learning_rate: float = 1e-3


def classifier(data: Dataset, console: Console, settings: Settings = Settings()) -> Extractor:
    """The feature space of a data set's classifier, from the cache or trained now.

    Features are the hidden layer, divided by its root mean square on training images. Where each channel has a label,
    they are the hidden layers of all channels, judged one by one, and the classes are the combinations of labels (of
    three digits, 1,000).

    Args:
      data: field "image" float `[height, width, channels]` in [-1, 1]; "label" int `[]`, or `[channels]`.
      console: where training shows how far it is.
      settings: of network and training.

    Raises:
      UserError: the data has no labels.
    """
    if "label" not in data.spec:
        raise UserError(f"features is 'classifier' but {data.name} has no labels; take pixels.")
    labels = all_labels(data.train)
    classes = int(labels.max()) + 1
    network = ImageCNN(classes, settings.width, settings.features)
    module: Any = PerChannel(network) if labels.ndim == 2 else network
    some = data.train[np.linspace(0, len(data.train) - 1, _SOME).astype(int)]["image"]
    file = _cache_file(data.train.name, some, labels, settings)
    kept = _read(file)
    if kept is None:
        kept = _train(data, module, settings, console)
        _write(file, kept)
    accuracy = float(kept["accuracy"])
    variables = unflatten_dict({name: x for name, x in kept.items() if name != "accuracy"}, sep="/")
    scale = np.sqrt(np.mean(np.square(module.apply(variables, some, method="hidden"))))

    def apply(variables: Any, images: Array) -> tuple[Array, Array]:
        logits = module.apply(variables, images, train=False)
        return module.apply(variables, images, method="hidden") / scale, combined(jax.nn.log_softmax(logits))

    name = f"classifier (CNN trained by jaxgen on {data.name}/train, {accuracy:.1%} right on {data.name}/test)"
    return Extractor(name, apply, variables)


def combined(log_probs: Array) -> Array:
    """Log-probabilities of combinations of independent labels: `[batch, labels, classes]` to `[batch, classes^labels]`.

    The last label counts fastest, as digits of a number do. Of one label, `[batch, classes]`, they are what they were.
    """
    if log_probs.ndim == 2:
        return log_probs
    first, *others = jnp.unstack(log_probs, axis=1)
    for other in others:
        first = (first[:, :, None] + other[:, None, :]).reshape(first.shape[0], -1)
    return first


def all_labels(source: Source) -> np.ndarray:
    """The labels of a split, `[examples]` or `[examples, labels]`."""
    return np.concatenate([source[ids]["label"] for ids in _runs(len(source))])


def _runs(count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, 1024):
        yield np.arange(start, min(start + 1024, count))


def _cache_file(name: str, images: np.ndarray, labels: np.ndarray, settings: Settings) -> Path:
    """Named after all that decides what the classifier becomes, as far as it does not depend on the machine."""
    key = hashlib.sha256(np.ascontiguousarray(images).tobytes() + np.ascontiguousarray(labels).tobytes())
    key.update(json.dumps([jaxgen.__version__, name, images.shape, dataclasses.asdict(settings)]).encode())
    return Path(platformdirs.user_cache_dir("jaxgen")) / "classifiers" / f"{name}-{key.hexdigest()[:16]}.npz"


def _train(data: Dataset, module: Any, settings: Settings, console: Console) -> dict[str, np.ndarray]:
    channels = math.prod(data.spec["label"].shape)
    experiment = Experiment(
        method=classification(
            Net(module, optax.adam(optax.cosine_decay_schedule(settings.learning_rate, settings.steps))),
            inputs="image",
        ),
        data=data,
        schedule=Schedule(settings.steps, checkpoint_every=settings.steps),
        batch_size=min(settings.images_per_step // channels, len(data.train)),
        seed=0,
    )
    mesh = make_mesh(devices=jax.devices()[:1])
    console.print(f"Training a classifier on {data.name}/train, whose features judge; it is kept for the next time.")
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.create({})
        state = train(experiment.trainers(mesh), run, lambda path, samples: None, console)
    accuracy = experiment.evaluate(state, mesh)["figures"]["accuracy"]["mean"]
    params: dict[str, Any] = flatten_dict({"params": jax.device_get(state.nets["classifier"].params)}, sep="/")
    return {**params, "accuracy": np.array(accuracy)}


def _write(file: Path, arrays: dict[str, np.ndarray]) -> None:
    content = io.BytesIO()
    np.savez(content, **arrays)  # pyright: ignore[reportArgumentType]
    write_atomically(file, content.getvalue())


def _read(file: Path) -> dict[str, np.ndarray] | None:
    """What `_write` wrote; None where there is nothing or it is damaged, which the file's check sums tell."""
    try:
        with np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
