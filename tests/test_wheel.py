"""What is installed from a wheel, far from any checkout, has the experiments and runs them."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_package_and_family_is_in_the_wheel():
    named = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {
        file.parent.relative_to(ROOT) for folder in ("jaxgen", "experiments") for file in (ROOT / folder).rglob("*.py")
    }
    assert named == {".".join(path.parts).replace("experiments", "jaxgen._experiments") for path in there}


@pytest.mark.slow
def test_the_wheel_lists_trains_and_samples_outside_the_checkout(tmp_path):
    def run(*command, **where):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **where)
        assert done.returncode == 0, done.stderr
        return done.stdout

    source, there = tmp_path / "source", tmp_path / "elsewhere"
    there.mkdir()
    for name in ("jaxgen", "experiments"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "gallery" in name or "launch" in name or name.startswith("experiments")]

    venv.create(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", wheel)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_paths()["purelib"])  # what it depends on is installed there
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    where = {"cwd": there, "env": environment}
    assert run(python, "-c", "import jaxgen; print(jaxgen.__file__)", **where).strip() == str(
        site / "jaxgen/__init__.py"
    )
    listed = [json.loads(line)["name"] for line in run(python, "-m", "jaxgen", "list", "--json", **where).splitlines()]
    assert {"dcgan", "vae", "xy_game"} <= set(listed)
    jaxgen = tmp_path / "env" / "bin" / "jaxgen"
    run(jaxgen, "train", "vae", "--steps", 10, "--hidden", 8, "--batch-size", 32, **where)
    run(jaxgen, "sample", "runs/vae/digits/batch_size=32,hidden=8", "--out", "grid.png", **where)
    assert (there / "grid.png").exists()
