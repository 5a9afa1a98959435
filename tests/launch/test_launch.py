"""Launch scripts in a fresh user's shell: what they would have run, by commands that write down how they are called."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from jaxgen.commands.arguments import parse_experiment
from jaxgen.commands.options import Train

ROOT = Path(__file__).parents[2]
LAUNCH = ROOT / "experiments" / "launch"
SCRIPTS = [*LAUNCH.glob("*.sh"), *(ROOT / ".ci").glob("run"), *(ROOT / ".ci").glob("newest")]
TRAIN = ["dcgan", "--data", "cifar10", "--mesh.fsdp", "4"]

# Writes down folder, name and arguments, then does what was asked of that name.
RECORDER = """#!/bin/bash
name=${{0##*/}}
(printf '%s\\t%s' "$PWD" "$name"; printf '\\t%s' "$@"; echo) >> {records}
[ ! -e {behaviours}/"$name" ] || . {behaviours}/"$name"
"""

# Says the next state that was set out, lets hosts be ones with an empty home, and runs there what ssh is given.
GCLOUD = """
case "$4" in
describe)
    state=$(head -n 1 {states}); sed -i 1d {states}
    [ "$state" != ABSENT ] || exit 1
    echo "${state:-READY}" ;;
create) rm -rf {home}; mkdir {home} ;;
ssh)
    until [ "$1" = --command ]; do shift; done
    cd {home} && exec env -i HOME={home} PATH={bin}:/usr/bin:/bin bash -c "$2" ;;
esac
"""
PYTHON = """
if [ "$*" = '-m uv venv --quiet --python 3.12 environment' ]; then
    mkdir -p environment/bin
    cp "$0" environment/bin/jaxgen
fi
"""
SUDO = """
[ "$1" != tee ] || cat > /dev/null
[ "$*" != 'apt-get install --quiet --yes gcsfuse' ] || cp "$0" "${0%/*}/gcsfuse"
"""
JAXGEN = """
echo "$TFDS_DATA_DIR" >> {folders}
code=$(head -n 1 {codes}); sed -i 1d {codes}
exit "$code"
"""


class Shell:
    """A folder of recorders, and the shell that finds them first."""

    def __init__(self, folder, **behaviours):
        self.paths = {
            name: folder / name for name in ("bin", "behaviours", "records", "states", "codes", "folders", "home")
        }
        for name in ("bin", "behaviours", "home"):
            self.paths[name].mkdir()
        for name, text in behaviours.items():
            self.record(name)
            for key, path in self.paths.items():
                text = text.replace("{" + key + "}", str(path))
            (self.paths["behaviours"] / name).write_text(text)

    def record(self, name, where=None):
        command = (where or self.paths["bin"]) / name
        command.write_text(RECORDER.format(**self.paths))
        command.chmod(0o755)

    def run(self, *command, **environment):
        settings = {"PATH": f"{self.paths['bin']}:/usr/bin:/bin", **environment}
        return subprocess.run(["env", "-i", *(f"{k}={v}" for k, v in settings.items()), *command], timeout=60)

    def calls(self, *names):
        """`(folder, [name, *arguments])` of every call of these commands, in their order."""
        rows = [row.split("\t") for row in re.split(r"\n(?=/)", self.paths["records"].read_text().rstrip("\n"))]
        return [(folder, call) for folder, *call in rows if call[0] in names]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script):
    command = [Path(sys.executable).with_name("shellcheck"), script]
    assert subprocess.run(command, capture_output=True, text=True).stdout == ""


def parsed(call):
    """The experiment's settings and the command's options, of `jaxgen train ...` as it was called."""
    assert call[:2] == ["jaxgen", "train"]
    _, config, options = parse_experiment(Train, call[2:], "jaxgen train")
    return config, options


@pytest.fixture
def tpu(tmp_path):
    """`(states of the slice, codes of jaxgen) -> (code of the script, shell)`."""
    shell = Shell(
        tmp_path, gcloud=GCLOUD, python3=PYTHON, sudo=SUDO, jaxgen=JAXGEN, git="mkdir jaxgen", curl="", lsb_release="",
        mountpoint="exit 1", sleep="",
    )  # fmt: skip

    def run(states, codes):
        shell.paths["states"].write_text("\n".join(states))
        shell.paths["codes"].write_text("\n".join(map(str, codes)))
        settings = {"PROJECT": "p", "ZONE": "z", "TPU": "slice", "BUCKET": "b", "REPOSITORY": "https://host/a b"}
        return shell.run("bash", LAUNCH / "tpu_vm.sh", *TRAIN, **settings).returncode, shell

    return run


def test_a_slice_is_made_and_after_a_preemption_made_anew(tpu):
    code, shell = tpu(["ABSENT", "ABSENT", "READY", "PREEMPTED", "PREEMPTED", "PREEMPTED", "READY"], [75, 0])
    assert code == 0
    did = [call[4] for _, call in shell.calls("gcloud") if call[4] != "describe"]
    once = ["create", "ssh", "ssh"]  # to install, and to train
    assert did == [*once, "delete", *once]
    home = str(shell.paths["home"])
    (folder, call), (_, again) = shell.calls("jaxgen")
    assert call == again == ["jaxgen", "train", *TRAIN]
    assert folder == f"{home}/shared"
    assert parsed(call)[1].mesh.fsdp == 4
    assert shell.paths["folders"].read_text().splitlines() == [f"{home}/shared/data"] * 2
    assert shell.calls("git")[0] == (home, ["git", "clone", "--quiet", "--depth", "1", "https://host/a b", "jaxgen"])
    assert shell.calls("gcsfuse")[0] == (home, ["gcsfuse", "b", "shared"])
    installed = [call[1:] for _, call in shell.calls("python3")][:3]
    assert installed[1:] == [
        ["-m", "uv", "venv", "--quiet", "--python", "3.12", "environment"],
        ["-m", "uv", "pip", "install", "--quiet", "--python", "environment/bin/python", "-e", "jaxgen[tpu]"],
    ]


@pytest.mark.parametrize(("code", "state", "ends"), [(2, "READY", 2), (3, "READY", 3), (2, "PREEMPTED", 0)])
def test_a_mistake_ends_the_loop_where_the_slice_is_there(tpu, code, state, ends):
    found, _ = tpu(["READY", state, "READY"], [code, 0])
    assert found == ends


def test_a_part_that_fails_ends_what_runs_on_the_hosts(tpu, tmp_path):
    (tmp_path / "behaviours" / "git").write_text("exit 7")
    code, shell = tpu(["READY", "READY"], [0])
    assert code == 7
    assert not shell.calls("python3", "jaxgen")


@pytest.mark.parametrize(("code", "requeued"), [(0, False), (2, False), (75, True)])
def test_slurm_starts_a_task_a_gpu_and_comes_back_after_sigterm(tmp_path, code, requeued):
    shared = tmp_path / "shared folder"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", shared / "environment"], check=True)
    shell = Shell(tmp_path, srun='while [[ $1 == --* ]]; do shift; done; "$@"', scontrol="", jaxgen=JAXGEN)
    (shell.paths["bin"] / "jaxgen").rename(shared / "environment" / "bin" / "jaxgen")
    shell.paths["codes"].write_text(str(code))
    settings = {"SHARED": shared, "SLURM_CPUS_PER_TASK": 8, "SLURM_JOB_ID": 17}
    assert shell.run("bash", LAUNCH / "slurm.sh", *TRAIN, **settings).returncode == code
    assert "--cpus-per-task=8" in shell.calls("srun")[0][1]
    assert shell.calls("jaxgen") == [(str(shared), ["jaxgen", "train", *TRAIN])]
    assert shell.paths["folders"].read_text() == f"{shared}/data\n"
    assert [call for _, call in shell.calls("scontrol")] == ([["scontrol", "requeue", "17"]] if requeued else [])


def test_gke_starts_the_image_on_a_shared_folder():
    jobset = json.loads((LAUNCH / "gke_jobset.json").read_text())
    job = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    _, options = parsed([*container["command"], *container["args"]])
    assert options.mesh.fsdp == 4
    assert pod["serviceAccountName"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert {volume["name"] for volume in pod["volumes"]} == set(mounts)
    assert container["workingDir"] in mounts.values()
    assert [variable["value"] for variable in container["env"]] == [f"{mounts['shared']}/data"]
    assert all(os.path.isabs(path) for path in mounts.values())
    rule = job["podFailurePolicy"]["rules"][0]["onExitCodes"]
    assert rule["containerName"] == container["name"]
    assert 75 not in rule["values"]
    assert pod["restartPolicy"] == "Never"  # or the rule may not be


def test_the_image_has_a_python_that_jaxgen_takes_and_what_is_there():
    lines = (LAUNCH / "Dockerfile").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (version,) = [re.match(r"FROM python:([\d.]+)", line)[1] for line in lines if line.startswith("FROM")]
    assert version in SpecifierSet(project["requires-python"])
    for line in lines:
        if line.startswith("COPY"):
            *sources, _ = shlex.split(line)[1:]
            assert all((ROOT / source).exists() for source in sources)
    assert set(re.findall(r"\[(\w+)\]", lines[-1])) <= set(project["optional-dependencies"])
