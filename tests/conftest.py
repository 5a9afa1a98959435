"""What all tests share: four CPU devices, made before JAX starts, quick compilation, a record of trusted files."""

import fnmatch
import gc
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

os.environ["JAX_PLATFORMS"] = os.environ.get("JAX_PLATFORMS", "cpu")
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

jax.config.update("jax_num_cpu_devices", 4)

# Tracing makes many objects that live on; looking through them for garbage as often as Python does takes a tenth of it.
gc.set_threshold(100_000, 20, 100)


def has(flag):
    """Whether this XLA knows the flag; an unknown one ends the process, so another process tries it."""
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    return not subprocess.run(command, env={**os.environ, "XLA_FLAGS": flag}, capture_output=True).returncode


# XLA's emitters before MLIR compile small programs in a third of the time. jax 0.10 has them behind a flag, 0.11 behind
# an option that is passed over where it is not known; from 0.12 on they are gone. libtpu, which reads the flags too,
# lacks them. Workers inherit what is set here.
OLD = "--xla_cpu_use_fusion_emitters=false"
IN_0_11 = "--xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters"
quickly = os.environ["JAX_PLATFORMS"] == "cpu" and importlib.util.find_spec("libtpu") is None
if quickly and "PYTEST_XDIST_WORKER" not in os.environ:
    flag = OLD if jax.__version_info__ < (0, 11) and has(OLD) else IN_0_11
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Compiling takes far longer than running once on a few numbers, but not than training, marked `optimized`."""
    quick = not any(item.get_closest_marker(name) for name in ("optimized", "accelerator"))
    jax.config.update("jax_disable_most_optimizations", quick)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(quick))  # for the processes a test starts


@pytest.hookimpl(tryfirst=True)  # before `-m` is heeded
def pytest_collection_modifyitems(items):
    """Of a table of tests marked `quick("gan", "flow")` the rows of these names, or patterns, are default tests."""
    for item in items:
        quick = item.get_closest_marker("quick")
        if quick and not any(fnmatch.fnmatchcase(item.callspec.id, rows) for rows in quick.args):
            item.add_marker("slow")


@pytest.fixture(scope="module", autouse=True)
def forget():
    """Compiled programs of one file are of no use to the next and would pile up to gigabytes.

    Nor is the cache on disk, which a command turns on for the rest of the process: reading it has crashed.
    """
    before = jax.config.jax_compilation_cache_dir
    yield
    jax.clear_caches()
    jax.config.update("jax_compilation_cache_dir", before)
    compilation_cache.reset_cache()


@pytest.fixture
def x64():
    """Runs the test in float64."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def jaxgen(monkeypatch):
    """Runs the command in this process: `(*args) -> exit code`."""
    from jaxgen import cli  # here, as below: the accelerator's tests do without what these parts need

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["jaxgen", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code or 0

    return run


@pytest.fixture
def trained(tmp_path_factory):
    """Trains an experiment with some settings changed: `(name, **settings) -> (experiment, state)`."""
    from rich.console import Console

    from jaxgen.experiment import ExperimentFile
    from jaxgen.shipped import find
    from jaxgen.training.loop import train as train_stages
    from jaxgen.training.run_folder import RunFolder
    from jaxgen.training.sharding import make_mesh

    def train(name, **settings):
        file = ExperimentFile.load(find(name))
        experiment = file.build(file.config(**settings))
        run = RunFolder(tmp_path_factory.mktemp(name) / "run")
        run.create({})
        trainers = experiment.trainers(make_mesh(devices=jax.devices()[:1]))
        return experiment, train_stages(trainers, run, lambda path, samples: None, Console(quiet=True))

    return train


@pytest.fixture
def disk(tmp_path):
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def fill(disk):
    """Fills the disk but for so many bytes, with a file `filler`."""

    def fill(leave):
        (disk / "filler").write_bytes(bytes(shutil.disk_usage(disk).free - leave))

    return fill
