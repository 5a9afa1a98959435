"""Training in a line: the engine without a run folder, for a notebook, a test or one's own program."""

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Array, Method, TrainState
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.errors import NonFiniteError, UserError
from jaxgen.experiment import Experiment
from jaxgen.training.logging import check_finite
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh

_AHEAD = 4  # calls that the devices have before them


@dataclasses.dataclass(frozen=True)
class _EveryStep(Schedule):
    """A schedule whose gradients' norms are all looked at."""

    def reports(self, step: Any) -> bool:
        return True


def fit(
    method: Method,
    data: Dataset | Mapping[str, Any],
    *,
    steps: int,
    key: Array,
    batch_size: int = 64,
    steps_per_call: int = 1,
) -> tuple[TrainState, dict[str, np.ndarray]]:
    """Trains a method on all devices, and writes and prints nothing; it warns of metrics that became NaN or infinite.

    The state is bit for bit that of `jaxgen train` with the same settings, its seed n being `jax.random.key(n)`.

    An average of parameters begins as the first ones, of which after n steps a share of `ema_decay ** n` is left: 82 %
    after 200 steps at 0.999. Take a lower decay for runs that are short.

    Args:
      method: the algorithm.
      data: a data set, or arrays `{field: [examples, ...]}`.
      steps: how many.
      key: PRNG key of initialization, data order and noise.
      batch_size: examples in a batch, over all devices.
      steps_per_call: steps compiled into one dispatch; more than 1 pays for small models without convolutions.

    Returns:
      The state after the last step, and `{metric: [steps]}` with the numbers of the steps as `step`; NaN where a phase
      was not due.

    Raises:
      UserError: method, data and sizes do not fit together, data are no numbers, or `key` is no key.
    """
    experiment = Experiment(
        method=method,
        data=data if isinstance(data, Dataset) else _in_memory(data),
        schedule=_EveryStep(steps, *[steps_per_call] * 4),
        batch_size=batch_size,
        seed=_seed_of(key),
    )
    trainer = experiment.trainer(make_mesh())
    if trainer.written_out():
        warnings.warn(
            f"steps_per_call is {steps_per_call}, and on a CPU steps with convolutions are compiled one by one, which "
            "may take minutes and gains nothing; leave it at 1.",
            RuntimeWarning,
            stacklevel=2,
        )
    state, columns = trainer.init(), {}
    calls = []
    batches = trainer.batches(0)
    try:
        for step in range(0, steps, steps_per_call):
            state, metrics = trainer.program(step)(state, next(batches), trainer.run_key)
            due = {phase: step + 1 + np.asarray(steps, int) for phase, steps in trainer.due_steps(step).items()}
            calls.append((step + steps_per_call, metrics, due))
            if len(calls) > _AHEAD:  # more in flight gains nothing, and several CPU devices may wait for ever
                jax.block_until_ready(calls[-_AHEAD][1])
    finally:
        batches.close()
    calls = jax.device_get(calls)
    for _, metrics, due in calls:
        for name, values in metrics.items():
            column = columns.setdefault(name, np.full(steps, np.nan, np.float32))
            column[due[name.rpartition("/")[0]] - 1] = values
    try:
        check_finite(calls)
    except NonFiniteError as error:
        warnings.warn(f"{error.finding}; {error.advice}.", RuntimeWarning, stacklevel=2)
    return state, {"step": np.arange(1, steps + 1), **columns}


def _in_memory(arrays: Mapping[str, Any]) -> Dataset:
    held = {field: np.asarray(array) for field, array in arrays.items()}
    for field, x in held.items():
        if not (jnp.issubdtype(x.dtype, np.number) or x.dtype == bool) or not x.ndim:
            raise UserError(f"data has {field!r} of {x.dtype} {list(x.shape)}; make it numbers [examples, ...].")
    if len({len(x) for x in held.values()}) != 1:
        each = " and ".join(f"{len(x)} of {field}" for field, x in held.items()) or "no arrays"
        raise UserError(f"data has {each}; give as many examples of each field.")
    held = {field: x.astype(jax.dtypes.canonicalize_dtype(x.dtype), copy=False) for field, x in held.items()}
    source = Source("arrays", "train", lambda: {field: x[:1] for field, x in held.items()}, lambda: Memory(held))
    return Dataset(source, source)


def _seed_of(key: Array) -> int:
    """The number that a key is made of: n of `jax.random.key(n)`, and of a key split from another all 64 bits."""
    if not isinstance(key, jax.Array):
        raise UserError(f"key is {key!r}; make it a PRNG key, as jax.random.key(0) is.")
    words = np.asarray(jax.random.key_data(key), np.uint64).ravel()[:2]
    return int(words[0]) << 32 | int(words[1])
