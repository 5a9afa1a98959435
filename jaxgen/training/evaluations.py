"""Figures of a run while it trains and when it ends, each beside its null controls."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from jaxgen.core import Evaluation, TrainState
from jaxgen.errors import UserError
from jaxgen.files import read_regular
from jaxgen.training.evaluate import Masked, evaluator, standing
from jaxgen.training.model import Model
from jaxgen.training.run_folder import RunFolder, write_json
from jaxgen.training.trainer import Trainer

# Of figures that are means over examples: before the first step, and what the method has without any network.
_UNTRAINED, _WITHOUT = "untrained", "without a network"


class Evaluations:
    """The evaluations of one stage.

    Args:
      trainer: the stage.
      folder: of the run, which keeps the null controls.
    """

    def __init__(self, trainer: Trainer, folder: RunFolder):
        self._trainer, self._folder = trainer, folder
        self._settled = standing(trainer.method, trainer.mesh, trainer.shardings)
        self._figures = evaluator(trainer.method, trainer.mesh, trainer.shardings)
        self._model: Model | None = None

    def on_validation(self, state: TrainState) -> Mapping[str, float]:
        """Every figure of the validation examples: means over them, and those of whole sets."""
        state, watched = self._settled(state), self._trainer.early_stopping
        for evaluation in self._trainer.method.evaluations:
            if watched and evaluation.name == watched.metric:
                return self._compute(evaluation, state)
        figures = self._figures(state, self._trainer.validation())
        return {name: figure["mean"] for name, figure in figures.items()}

    def due(self, state: TrainState, step: int) -> dict[str, Any]:
        """Metrics `evaluation/<figure>`, `[1]`, of those whose cadence this step is, and the seconds they took."""
        metrics = {}
        for evaluation in self._trainer.method.evaluations:
            if evaluation.every is not None and step % evaluation.every == 0:
                begin = time.perf_counter()
                for name, value in self._compute(evaluation, self._settled(state)).items():
                    metrics[f"evaluation/{name}"] = np.reshape(value, 1)
                metrics[f"evaluation/{evaluation.name}_seconds"] = np.reshape(time.perf_counter() - begin, 1)
        return metrics

    def at_the_end(self, state: TrainState) -> dict[str, Any]:
        """What `eval.json` holds of whole sets: each figure's value, its null controls' and the seconds it took."""
        found = {}
        for evaluation in self._trainer.method.evaluations:
            begin = time.perf_counter()
            figures = self._compute(evaluation, state)
            seconds = round(time.perf_counter() - begin, 3)
            nulls = self._nulls(evaluation)
            for name, value in figures.items():
                beside = {null: values[name] for null, values in nulls.items() if name in values}
                found[name] = {"value": value, "nulls": beside, "seconds": seconds}
        return found

    def of_examples(self, batches: Iterable[Masked]) -> dict[str, dict[str, float]]:
        """Null control -> means over the batches: before the first step, and of what the method names beside it."""
        kept, without = self._kept(), self._trainer.method.nulls
        if _UNTRAINED not in kept:
            figures = self._figures(self._untrained().state, batches)
            kept[_UNTRAINED] = {name: figure["mean"] for name, figure in figures.items()}
            self._keep(kept)
        if without is not None and _WITHOUT not in kept:
            kept[_WITHOUT] = {null: _numbers(figures) for null, figures in without(self._trainer.data).items()}
            self._keep(kept)
        return {_UNTRAINED: kept[_UNTRAINED], **kept.get(_WITHOUT, {})}

    def _untrained(self) -> Model:
        return self._of(self._settled(self._trainer.init(starts=False)))

    def _kept(self) -> dict[str, dict[str, Any]]:
        """What the run folder knows of the stage's null controls."""
        try:
            kept = json.loads(read_regular(self._folder.nulls_file))[self._trainer.stage]
            return {
                name: _numbers(found)
                if name == _UNTRAINED
                else {null: _numbers(figures) for null, figures in found.items()}
                for name, found in kept.items()
            }
        # There are none yet, or they cannot be read.
        except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
            return {}

    def _keep(self, nulls: dict[str, dict[str, Any]]) -> None:
        if jax.process_index() == 0:
            write_json(self._folder.nulls_file, {self._trainer.stage: nulls})

    def _nulls(self, evaluation: Evaluation) -> dict[str, dict[str, float]]:
        """Null control -> figures; computed once in a run's life."""
        kept = self._kept()
        if evaluation.nulls and kept.get(evaluation.name, {}).keys() != evaluation.nulls.keys():
            untrained = self._untrained()
            kept[evaluation.name] = {
                name: _checked(evaluation, compute(untrained, self._trainer.data))
                for name, compute in evaluation.nulls.items()
            }
            self._keep(kept)
        return kept.get(evaluation.name, {})

    def _compute(self, evaluation: Evaluation, state: TrainState) -> dict[str, float]:
        return _checked(evaluation, evaluation.compute(self._of(state), self._trainer.data))

    def _of(self, state: TrainState) -> Model:
        if self._model is None:
            self._model = Model(self._trainer.method, state, self._trainer.mesh)
        return self._model.with_state(state)


def _checked(evaluation: Evaluation, figures: Mapping[str, Any]) -> dict[str, float]:
    for name in figures:
        if not name.startswith(evaluation.name):
            raise UserError(
                f"evaluation {evaluation.name!r} returns {name!r}; let its figures' names begin with its own."
            )
    return _numbers(figures)


def _numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items()}
