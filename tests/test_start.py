"""How commands start and end: what they import, devices that are not there, a reader that has seen enough."""

import importlib.util
import os
import subprocess
import sys

import pytest

from jaxgen.shipped import find

FILE = str(find("vae"))


def test_help_of_no_command_waits_for_an_array_library():
    code = "\n".join(
        [
            "import sys",
            "from jaxgen import cli",
            "for command in cli._COMMANDS:",
            "    for word in ('-h', '--help'):",
            "        try: cli.run([command, word])",
            "        except SystemExit as stop: assert not stop.code",
            "cli.run(['list'])",
            "print([name for name in ('jax', 'numpy', 'flax', 'tensorflow', 'torch') if name in sys.modules])",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    for option in ("--run-dir", "--features", "--neighbors", "--topology", "--steps-per-call", "--markdown"):
        assert option in done.stdout


def test_help_of_an_experiment_imports_what_it_needs_only():
    code = "\n".join(
        [
            "import gc, sys",
            "from jaxgen import cli",
            "try: cli.run(sys.argv[1:])",
            "except SystemExit: pass",
            "late = ('grain', 'matplotlib', 'orbax', 'scipy.special', 'sklearn', 'tensorflow', 'torch')",
            "print([name for name in late if name in sys.modules], gc.isenabled())",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code, "train", FILE, "--help"], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[] False", done.stderr


def test_the_digits_are_read_without_the_library_that_brings_them():
    code = "import sys; from jaxgen.data.embedded import digits; print(len(digits().train), 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "1437 False\n", done.stderr


@pytest.mark.parametrize(("chip", "told"), [(None, True), ("accel0", False), ("vfio/0", False)])
def test_libtpu_is_told_that_there_is_no_tpu_where_there_is_none(chip, told, tmp_path):
    """Not asked on a machine without chips it prints errors before every command; on a slice it must ask."""
    (tmp_path / "libtpu.py").touch()
    (tmp_path / "dev" / "vfio").mkdir(parents=True)
    if chip:
        (tmp_path / "dev" / chip).touch()
    code = "\n".join(
        [
            "import os, pathlib",
            "from jaxgen import no_tpu",
            "no_tpu.answer_without_chips(pathlib.Path('dev'))",
            "print(os.environ.get('TPU_WORKER_HOSTNAMES'))",
        ]
    )
    command = [sys.executable, "-c", code]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TPU_")}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == ("localhost\n" if told else "None\n"), done.stderr


@pytest.mark.skipif(importlib.util.find_spec("libtpu") is None, reason="the TPU compiler (libtpu) is not installed")
def test_a_command_on_a_machine_without_a_tpu_says_nothing_of_it():
    environment = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    command = [sys.executable, "-m", "jaxgen", "--version", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.quick("cuda")
@pytest.mark.parametrize("platform", ["cuda", "gqu"])
def test_devices_that_are_not_there_are_one_sentence(platform, tmp_path):
    command = [sys.executable, "-m", "jaxgen", "train", FILE, "--run-dir", str(tmp_path / "run")]
    done = subprocess.run(command, env={**os.environ, "JAX_PLATFORMS": platform}, capture_output=True, text=True)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line.startswith("jaxgen: ")]
    assert len(said) == 1
    assert said[0].startswith(f"jaxgen: JAX_PLATFORMS is {platform}, and JAX finds no such devices here")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_reader_that_has_seen_enough_ends_a_command_quietly():
    ours, theirs = os.pipe()
    os.close(ours)
    command, buffered = [sys.executable, "-m", "jaxgen", "--help"], {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, env=buffered)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, "")
