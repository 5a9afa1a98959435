"""What a command does before its first step, in seconds of processor time: `python benchmarks/start.py [OPTION ...]`.

Options are those of `jaxgen train`, by default `vae --data digits`. Each of the rounds trains twice, with no compiled
programs on disk and with those that it left. Processor time, unlike the clock's, is the same on a busy machine; on
quiet cores the clock shows less, as programs are compiled by several threads.
"""

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from unittest import mock

ROUNDS = 3
PARTS = (
    "Python",
    "import of JAX",
    "of Flax and Optax",
    "of jaxgen and the rest",
    "options, experiment, data, checks",
    "first state",
    "step traced, compiled or read",
    "step run",
)


def main() -> None:
    """Prints medians over the rounds of each part, as a table and as JSON."""
    args = sys.argv[1:] or ["vae", "--data", "digits"]
    measured: dict[str, list[list[float]]] = {"cold": [], "warm": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name, rounds in measured.items():
                command = [sys.executable, __file__, "--child", *args, "--run-dir", f"{folder}/{name}"]
                env = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
                done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
                rounds.append(json.loads(done.stdout.splitlines()[-1]))
    medians = {
        name: dict(zip(PARTS, map(statistics.median, zip(*rounds, strict=True)), strict=True))
        | {"all": statistics.median(map(sum, rounds))}
        for name, rounds in measured.items()
    }
    for part in (*PARTS, "all"):
        print(f"{part:36} {medians['cold'][part]:6.2f} {medians['warm'][part]:6.2f}")
    print(json.dumps(medians))


def child(args: list[str]) -> None:
    """Trains until the first step is done and prints each part's seconds."""
    marks = [0.0, time.process_time()]

    def done() -> None:
        marks.append(time.process_time())

    import jax

    done()
    import flax.linen  # noqa: F401
    import optax  # noqa: F401

    done()
    from jaxgen.commands import train
    from jaxgen.training.trainer import Trainer

    done()
    init, program = Trainer.init, Trainer.program

    def first_state(self, **options):
        done()
        state = jax.block_until_ready(init(self, **options))
        done()
        return state

    def first_program(self, step):
        compiled = program(self, step)
        if len(marks) < len(PARTS):  # asked for again, it is there
            done()

        def call(*arrays):
            jax.block_until_ready(compiled(*arrays))
            done()
            print(json.dumps([after - before for before, after in itertools.pairwise(marks)]), flush=True)
            os._exit(0)

        return call

    with mock.patch.multiple(Trainer, init=first_state, program=first_program):
        train.main(args)


if __name__ == "__main__":
    child(sys.argv[2:]) if sys.argv[1:2] == ["--child"] else main()
