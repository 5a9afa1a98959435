"""What samples of a run are like: figures by features that the user names."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from rich.console import Console

from jaxgen.commands.options import FeatureOptions
from jaxgen.commands.runs import Run
from jaxgen.core import TrainState, View
from jaxgen.data.source import Dataset
from jaxgen.errors import UserError
from jaxgen.quality.classifier import classifier
from jaxgen.quality.extractor import Extractor, batch_size, pixels
from jaxgen.quality.inception import inception
from jaxgen.quality.measure import Figures, Reference, check_enough, signed_images
from jaxgen.training.evaluate import compiled_on_view, standing
from jaxgen.training.sharding import shardings_of

_SEED = 0  # of the samples: an evaluation draws the same every time


def compare(options: FeatureOptions, run: Run, console: Console) -> dict[str, Any]:
    """What `eval.json` holds as "samples"; nothing where no features are named.

    Raises:
      UserError: the features are unknown or do not fit the data, or the method draws no samples.
    """
    if options.features is None:
        return {}
    data, mesh, state = signed_images(run.stage.data), run.mesh, run.state
    check_enough(data, options.samples)
    draw = _draw(run, batch_size(mesh))
    key = jax.random.key(_SEED)
    drawn, real = jax.eval_shape(draw, state, key)[0].shape[1:], data.spec["image"].shape
    if drawn != real:
        raise UserError(f"samples have shape {drawn} and images of {data.name} {real}; leave --features out.")
    reference = Reference(_extractor(options.features, data, console), data, mesh, options.samples)

    def measured(state: TrainState) -> Figures:
        return reference.measure(draw(state, jax.random.fold_in(key, i)) for i in itertools.count())

    untrained = run.experiment.trainer(mesh, run.stage.name).init(starts=False)
    found = {
        "figures": measured(state),
        "untrained": measured(standing(run.method, mesh, shardings_of(state))(untrained)),
        "training_images": reference.measure_training_images(),
    }
    return {"samples": {**reference.description, **found}}


def _extractor(features: str, data: Dataset, console: Console) -> Extractor:
    match features.partition(":"):
        case "pixels", "", "":
            return pixels()
        case "classifier", "", "":
            return classifier(data, console)
        case "inception", ":", file if file:
            return inception(Path(file))
    raise UserError(f"features is {features!r}; choose pixels, classifier or inception:FILE.npz.")


def _draw(run: Run, count: int) -> Any:
    """The compiled `(state, key) -> (images [count, ...], the classes they are drawn for, int [count] or None)`."""
    latents = run.method.latents
    if latents is None:
        raise UserError("features is given, but this method draws no samples; leave it out.")
    if latents.conditional:
        raise UserError("features is given, but this method makes its samples of examples; leave it out.")

    def draw(view: View, key: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        z = latents.prior(key, count, None)
        label = z.get("label") if isinstance(z, Mapping) else None
        return latents.decode(view, z, key).astype(jnp.float32), label

    return compiled_on_view(run.method, draw, run.mesh, shardings_of(run.state))
