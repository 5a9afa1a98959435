"""Three toy-width steps of every experiment of a former version: `python tests/before/record.py CHECKOUT`.

`experiments.json` beside this file names each experiment that there was before phases had names (commit 44ba45a), its
settings then and now, and what fields its batches have; the command writes the losses and the parameters' norms of
CHECKOUT to it. `tests/test_before.py` holds today's against them, but for exceptions, which say why.
"""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import jax
import numpy as np
from flax import linen as nn

from jaxgen.experiment import ExperimentFile
from jaxgen.training.step import build_step, init_state

FILE = Path(__file__).with_name("experiments.json")
STEPS = 3


def three_steps(
    method: Any, batch_size: int, fields: Mapping[str, Any], renamed: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """What a method gives: the losses of each step by phase, and the norm of each network's parameters.

    Args:
      method: the algorithm.
      batch_size: examples in a batch.
      fields: name -> (shape of an example, dtype, least and largest value), of the batches, which are drawn evenly.
      renamed: what fields are called now, where it is otherwise: `stream/field` of a stream's.
    """
    # Phases that train nothing, such as one that records, were none then, and the keys of others go by their place.
    method = dataclasses.replace(method, phases=tuple(phase for phase in method.phases if phase.trains))
    rng, batches = np.random.default_rng(0), {}
    for name in sorted(fields):
        shape, dtype, low, high = fields[name]
        whole = (STEPS, method.batches_per_step, batch_size, *shape)
        # Least and largest values that are whole numbers are those of whole numbers, in whatever type.
        x = rng.integers(low, high + 1, whole) if isinstance(low, int) else rng.uniform(low, high, whole)
        *streams, field = renamed.get(name, name).split("/")
        of = batches.setdefault(streams[0], {}) if streams else batches
        of[field] = x.astype(dtype)
    with mock.patch.object(nn.Dropout, "__call__", lambda self, x, *_, **__: x):  # whose keys go by streams' names now
        first = jax.tree.map(lambda x: x[0, 0], batches)
        state = jax.jit(lambda key, batch: init_state(method, key, batch))(jax.random.key(0), first)
        step, losses = jax.jit(build_step(method)), []
        for index in range(STEPS):
            state, metrics = step(state, jax.tree.map(lambda x, i=index: x[i], batches), jax.random.key(1))
            losses.append({name: float(x) for name, x in metrics.items() if name.endswith("/loss")})
    # Networks that only kept something have no parameters, and are memory now.
    norms = {name: norm(net.params) for name, net in state.nets.items() if jax.tree.leaves(net.params)}
    return {"losses": losses, "norms": norms}


def norm(params: Any) -> float:
    """Of all parameters together."""
    return float(np.sqrt(sum(np.sum(np.square(x)) for x in jax.tree.leaves(params))))


def main(checkout: str) -> None:
    """Writes down what the experiments of a checkout give, computed in its folder by its code."""
    rows = json.loads(FILE.read_text())
    environment = {**os.environ, "PYTHONPATH": checkout, "JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    command = [sys.executable, __file__, checkout, "of this process"]
    with subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            name, found = line.split(" ", 1)
            rows["experiments"][name]["found"] = json.loads(found)
            print(name, flush=True)
    FILE.write_text(json.dumps(rows, indent=1) + "\n")


def of_this_process() -> None:
    for name, row in json.loads(FILE.read_text())["experiments"].items():
        file = ExperimentFile.load(Path("experiments") / f"{name}.py")
        experiment = file.build(file.config_type(**row["then"]))
        print(name, json.dumps(three_steps(experiment.method, experiment.batch_size, row["fields"])), flush=True)


if __name__ == "__main__":
    of_this_process() if len(sys.argv) > 2 else main(sys.argv[1])
