"""How many steps of environments and how many pictures of people a second of processor time makes: `--help` says more.

Both are made inside compiled programs, thousands at once, as a training step makes them; actions are drawn at random.
"""

import datetime
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import tyro

from jaxgen.data.cartpole import cartpole
from jaxgen.data.figures import figures
from jaxgen.data.gridworld import gridworld, tabular
from jaxgen.data.pendulum import pendulum
from jaxgen.environment import Environment, play, start

WORLDS = {"pendulum": pendulum, "cartpole": cartpole, "gridworld": lambda: tabular(gridworld())}
ENVIRONMENTS, STEPS, LIMIT = 4096, 100, 200
PICTURES, SIZE = 256, 64


def steps(world: Environment) -> tuple[Callable[[], object], int]:
    """A call that plays, and how many steps it takes."""

    def act(seen: jax.Array, key: jax.Array) -> jax.Array:
        return jax.random.randint(key, (len(seen),), 0, world.actions)

    begun = jax.jit(lambda key: start(world, key, ENVIRONMENTS))(jax.random.key(0))

    call = jax.jit(lambda key: play(world, act, begun, key, steps=STEPS, limit=LIMIT))  # all that training keeps
    return lambda: jax.block_until_ready(call(jax.random.key(1))), ENVIRONMENTS * STEPS


def pictures() -> tuple[Callable[[], object], int]:
    """A call that draws pairs of pictures, and how many pictures those are."""
    source = figures(SIZE).train
    numbers = jax.device_put(source.reads[np.arange(PICTURES // 2)])
    assert source.on_device is not None
    call = jax.jit(source.on_device)
    return lambda: jax.block_until_ready(call(numbers)), PICTURES


def main(rounds: int = 3, json_file: Path | None = None) -> None:
    """Measures.

    Args:
      rounds: of each, whose median counts.
      json_file: file for what was measured.
    """
    found = {}
    cases = {f"{name}, steps": steps(make()) for name, make in WORLDS.items()} | {f"people of {SIZE}": pictures()}
    for name, (call, count) in cases.items():
        call()
        seconds = []
        for _ in range(rounds):
            before = time.process_time()
            call()
            seconds.append(time.process_time() - before)
        found[name] = {"a_second": round(count / statistics.median(seconds)), "seconds": seconds}
        print(f"{name}: {found[name]['a_second']:,} a second of processor time", flush=True)
    if json_file is not None:
        about = {"date": f"{datetime.date.today()}", "cores": os.cpu_count(), "jax": jax.__version__}
        json_file.write_text(json.dumps({**about, "rows": found}, indent=1) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
