"""Real processes on one machine, joined by JAX's runtime: what they compute, save, and do when one of them dies."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import chex
import jax
import numpy as np
import pytest

from jaxgen import cli
from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile
from jaxgen.training import distributed, process
from jaxgen.training.checkpoint import Checkpoints
from jaxgen.training.sharding import make_mesh

STEPS = 40
EXPERIMENT = '''"""A small VAE whose widest layers can be split, on noise that takes no library to load."""
import dataclasses
import numpy as np
import optax
from jaxgen.core import Net
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.experiment import Experiment
from jaxgen.likelihoods import discretized_logistic
from jaxgen.methods.latent.vae import vae
from jaxgen.models.latent.vae import MLPDecoder, MLPEncoder
from jaxgen.training.schedule import Schedule

@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 40

def experiment(config):
    images = np.random.default_rng(0).integers(0, 17, (1024, 8, 8, 1)) / np.float32(8) - 1
    source = Source("noise", "train", lambda: {"image": images[:1]}, lambda: Memory({"image": images}))
    adam = optax.adam(1e-3)
    encoder = Net(MLPEncoder(2, (128, 128)), adam)
    decoder = Net(MLPDecoder((8, 8, 1), (32,), outputs=2), adam, ema_decay=0.9)
    return Experiment(
        method=vae(encoder, decoder, discretized_logistic(levels=17), latent_size=2),
        data=Dataset(source, source),
        schedule=Schedule(config.steps, log_every=5, sample_every=20, checkpoint_every=10),
        batch_size=32, seed=0,
    )
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the experiment, and room for runs and their compiled programs."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "small.py").write_text(EXPERIMENT)
    return folder


def start(place, run, count, *options, own=(), folders=(), cache="cache"):
    """The same command as `count` processes, but for options of their `own` and the folders that they are in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    # Queued steps of several processes need more threads than two cores give XLA.
    environment = os.environ | {"NPROC": "16"} | ({"JAX_COMPILATION_CACHE_DIR": str(place / cache)} if cache else {})
    command = [sys.executable, "-m", "jaxgen", "train", place / "small.py", "--run-dir", run, *options]
    command += ["--coordinator", address, "--num-processes", str(count), "--process-id"]
    return [
        subprocess.Popen(
            [*command, str(i), *(own[i] if own else ())],
            cwd=folders[i] if folders else None,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]


def finish(processes, timeout=240):
    """Exit codes, and what each process printed and complained of; none outlives the test."""
    end = time.monotonic() + timeout
    try:
        texts = [process.communicate(timeout=max(1, end - time.monotonic())) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], texts


def trained(place, run, count, *options):
    codes, texts = finish(start(place, run, count, *options))
    assert codes == [0] * count, "\n".join(error for _, error in texts)
    return texts


def rows(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "images_per_second"} for line in lines]


def committed(run):
    return [int(path.name) for path in (run / "checkpoints").glob("*") if path.name.isdigit()]


def restored(place, run):
    """The newest state of a run, on the one device of this process."""
    file = ExperimentFile.load(place / "small.py")
    trainer = file.build(file.config()).trainer(make_mesh(devices=jax.devices()[:1]))
    checkpoints = Checkpoints(run / "checkpoints", read_only=True)
    try:
        restored = checkpoints.restore(lambda stage: trainer.abstract_state())
        assert restored is not None
        return restored.state
    finally:
        checkpoints.close()


def assert_same_metrics(found, expected):
    assert [row["step"] for row in found] == [row["step"] for row in expected]
    for row, reference in zip(found, expected, strict=True):
        for name in reference:
            np.testing.assert_allclose(row[name], reference[name], rtol=2e-5, err_msg=f"{name} of step {row['step']}")


@pytest.fixture(scope="module")
def alone(place):
    """The run of one process that is not told of any other."""
    run = place / "alone"
    devices = jax.devices
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "devices", lambda: devices()[:1])
        cli.run(["train", str(place / "small.py"), "--run-dir", str(run)])
    return run


@pytest.fixture(scope="module")
def two(place):
    run = place / "two"
    trained(place, run, 2)
    return run


@pytest.mark.slow
def test_four_processes_compute_what_one_does_and_only_the_first_speaks(place, alone):
    run = place / "four"
    texts = trained(place, run, 4, "--steps", "20")
    assert_same_metrics(rows(run), rows(alone)[:4])
    assert "bits_per_dim" in texts[0][0]
    assert all(line.startswith("[Gloo]") for output, _ in texts[1:] for line in output.splitlines())
    assert len({path.suffix for path in run.glob("events.out.tfevents.*")}) == 1  # of one process
    # What four saved over `data`, two go on from over `fsdp`, and one reads.
    assert restored(place, run).step == 20
    shutil.copytree(run, place / "elastic")
    trained(place, place / "elastic", 2, "--mesh.fsdp", "2")
    assert_same_metrics(rows(place / "elastic"), rows(alone))
    chex.assert_trees_all_close(restored(place, place / "elastic"), restored(place, alone), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_when_one_dies_the_others_stop_and_all_together_lose_nothing(place, alone, two):
    assert_same_metrics(rows(two), rows(alone))
    run = place / "killed"
    processes = start(place, run, 2)
    while not any(step >= 10 for step in committed(run)):
        assert processes[0].poll() is None, processes[0].communicate()
        time.sleep(0.001)
    processes[1].send_signal(signal.SIGKILL)
    codes, texts = finish(processes, timeout=90)  # left to itself it would wait for several minutes
    assert codes[0] not in (0, -signal.SIGKILL)
    # In the middle of a collective it loses its connection; elsewhere JAX notices the silence.
    error = texts[0][1]
    assert "if it lost its connection, look at the one that ended first" in error or "another task died" in error
    assert STEPS not in committed(run)
    trained(place, run, 2)
    chex.assert_trees_all_equal(restored(place, run), restored(place, two))
    assert rows(run) == rows(two)


@pytest.mark.slow
def test_processes_keep_their_programs_in_the_run_folder_that_they_share(place, monkeypatch):
    """Where only the first writes: in a folder of its own, the other would compile again at every start."""
    home, run = place / "home", place / "sharing"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    codes, texts = finish(start(place, run, 2, "--steps", "20", cache=None))
    assert codes == [0, 0], texts
    kept = {path.name for path in (run / "compiled").iterdir()}
    assert any(name.startswith("jit_call") for name in kept)
    assert not any(name.startswith("jit_call") for name in os.listdir(home / "jaxgen"))


def test_programs_are_shared_unless_the_user_has_said_where(monkeypatch, tmp_path):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    process.share_compiled(tmp_path)
    assert jax.config.jax_compilation_cache_dir == str(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    process.share_compiled(tmp_path / "another")
    assert jax.config.jax_compilation_cache_dir == str(tmp_path)


def refused(processes):
    """The one sentence that all processes end with."""
    codes, texts = finish(processes, timeout=120)
    said = {next(line for line in error.splitlines() if line.startswith("jaxgen: ")) for _, error in texts}
    assert codes == [2] * len(codes), texts
    assert len(said) == 1
    assert not any("Traceback" in error for _, error in texts)
    return said.pop()


@pytest.mark.slow
def test_processes_that_differ_end_alike_before_they_train(place, tmp_path):
    """FAULTS 16 and 17."""
    said = refused(start(place, tmp_path / "run", 2, own=(["--steps", "40"], ["--steps", "80"])))
    assert said == "jaxgen: steps is 40 for process 0 and 80 for process 1; start all with the same command."
    assert not (tmp_path / "run").exists()
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    said = refused(start(place, "run", 2, folders=folders))
    assert "the run folder's content is " in said
    assert '"absent" for process 1; name a folder that all share with --run-dir, which run is not.' in said


@pytest.mark.slow
def test_a_process_that_never_comes_is_waited_for_as_long_as_was_said(place, tmp_path):
    alone, other = start(place, tmp_path / "run", 2, "--join-timeout", "12")
    other.kill()
    assert refused([alone]) == "jaxgen: waiting for process 1 of 2, for 12 s at most."
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("host:1", None, None), "num_processes is missing; coordinator, num_processes and process_id are given tog"),
        ((None, 2, 0), "coordinator is missing"),
        (("host", 2, 0), "coordinator is 'host'; it must be HOST:PORT, as in 10.0.0.1:1234."),
        (("host:99999", 2, 0), "it must be HOST:PORT"),
        (("host:1", 0, 0), "num_processes is 0; it must be at least 1."),
        (("host:1", 2, 2), "process_id is 2; it must be from 0 to 1, below num_processes."),
    ],
)
def test_a_launch_that_cannot_be_is_a_sentence(given, message):
    with pytest.raises(UserError, match=message):
        distributed.join(*given, detect=True)
