"""Two real processes, each with half of the state: what one of them meets, both act upon, and neither waits forever."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgen.core import NetState, TrainState
from jaxgen.errors import UserError
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.distributed import check_agreement
from jaxgen.training.preemption import stop_requests


def start(task, folder):
    """Two processes that do a task of this file together."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return [
        subprocess.Popen(
            [sys.executable, __file__, task, str(index), str(port), str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in (0, 1)
    ]


def finish(processes):
    """The lines that each printed; neither outlives this."""
    try:
        printed = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], printed
    return [[line for line in out.splitlines() if "[Gloo]" not in line] for out, _ in printed]


def test_a_bad_file_of_one_process_sends_both_to_the_checkpoint_before(tmp_path):
    first, second = finish(start("damaged", tmp_path / "checkpoints"))
    assert "is damaged (" in first[0]
    assert first[0].endswith("moved to damaged; using step 1.")
    assert first[1:] == second == ["restored 1", "saved 2 again", "none is whole"]


@pytest.mark.quick("2")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_one_process_stops_both_at_the_same_step(tmp_path, number):
    processes = start("preempted", tmp_path / "checkpoints")
    for process in processes:
        while "training" not in process.stdout.readline():
            assert process.poll() is None
    processes[1].send_signal(number)
    first, second = finish(processes)
    assert first == second
    step = max(int(path.name) for path in (tmp_path / "checkpoints").iterdir() if path.name.isdigit())
    assert first == [f"Preempted at {step}"]


CASES = {
    "alike": ({"seed": 0}, {"seed": 0}, ""),
    "seed": ({"seed": 0, "steps": 4}, {"seed": 1, "steps": 4}, "seed is 0 for process 0 and 1 for process 1; start"),
    "several": ({"seed": 0, "batch_size": 32}, {"seed": 1, "batch_size": 64}, "batch_size is 32 for process 0 and 64"),
    "code": (
        {"the hash of the code": "ab"},
        {"the hash of the code": "cd"},
        'the hash of the code is "ab" for process',
    ),
    "data": ({"data": [["digits", 9]]}, {"data": [["digits", 8]]}, 'data is [["digits", 9]] for process 0 and [["dig'),
    "absent": ({"seed": 0, "width": 8}, {"seed": 0}, "width is 8 for process 0 and absent for process 1"),
    "long": ({"text": "a" * 90_000}, {"text": "a" * 90_000 + "b"}, 'text is "aaaaaaaaaa'),
}


def test_settings_that_differ_are_one_sentence_on_every_process(tmp_path):
    first, second = finish(start("agreeing", tmp_path))
    assert first == second
    assert len(first) == len(CASES)
    for line, (name, (_, _, message)) in zip(first, CASES.items(), strict=True):
        assert line.startswith(f"{name}: {message}" if message else f"{name}: they agree")
        assert len(line) < 400


def agreeing(index, port, folder):
    """Holds settings against those of the other process."""
    join(index, port)
    for name, (first, second, _) in CASES.items():
        try:
            check_agreement(lambda mine=(first, second)[int(index)]: mine)
            print(f"{name}: they agree")
        except UserError as error:
            print(f"{name}: {error}")


def join(index, port):
    """A mesh of two devices, one a process, and states split over it."""
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(index))
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))

    def state(step):
        split = NamedSharding(mesh, PartitionSpec("data"))
        whole = NamedSharding(mesh, PartitionSpec())
        weights = jax.jit(lambda: step + jnp.arange(4096.0), out_shardings=split)()
        count = jax.jit(lambda: jnp.int32(step), out_shardings=whole)()
        return TrainState(step=count, start=count, nets={"a": NetState({"w": weights}, {}, None, None)})

    return state


def preempted(index, port, folder):
    """Trains for a minute, as a resumed run that saves all the time, unless told to stop."""
    state = join(index, port)
    train = jax.jit(lambda x: jax.tree.map(lambda leaf: leaf + 1, x))
    now = state(1000)
    with contextlib.closing(Checkpoints(Path(folder))) as checkpoints, stop_requests() as stop:
        for step in range(600):
            if stop():
                break
            now = jax.block_until_ready(train(now))
            checkpoints.save(now, "train")
            time.sleep(0.1 * (1 + int(index)))  # nor are they equally fast
            if step == 2:
                print("training")
        checkpoints.save_and_wait(now, "train")
        print(type(stop.error).__name__, "at", now.step)


def damaged(index, port, folder):
    """Reads checkpoints of which the other process finds its half broken."""
    state = join(index, port)
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state(0))
    with contextlib.closing(Checkpoints(Path(folder))) as checkpoints:
        for step in (1, 2):
            checkpoints.save_and_wait(state(step), "train")
        damage(index, Path(folder), [2])
        restored = checkpoints.restore(lambda stage: like).state
        mine = [shard.data for shard in restored.nets["a"].params["w"].addressable_shards]
        expected = [shard.data for shard in state(1).nets["a"].params["w"].addressable_shards]
        assert all((a == b).all() for a, b in zip(mine, expected, strict=True))
        print("restored", restored.step)
        checkpoints.save_and_wait(state(2), "train")
        assert checkpoints.restore(lambda stage: like).state.step == 2
        print("saved 2 again")
        damage(index, Path(folder), [1, 2])
        try:
            checkpoints.restore(lambda stage: like)
        except UserError as error:
            print("none is whole" if "is whole (step 2: " in str(error) else error)


def damage(index, folder, steps):
    """Empties what the second process wrote, where only it will look."""
    multihost_utils.sync_global_devices("before the damage")
    if index == "1":
        for step in steps:
            for path in (folder / str(step) / "state" / "ocdbt.process_1" / "d").iterdir():
                path.write_bytes(b"")
    multihost_utils.sync_global_devices("after the damage")


if __name__ == "__main__":
    {"damaged": damaged, "preempted": preempted, "agreeing": agreeing}[sys.argv[1]](*sys.argv[2:])
