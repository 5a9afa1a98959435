"""Breaks one line at a time and sees its test turn red: `python tests/mutants/run.py [engine ...]`.

Each file beside this one lists mutants: `file`, `old`, which stands in it once, `new`, and a `test` that then fails.
The command ends with code 1 if one no longer applies or its test stays green.
"""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


def mutants(names: list[str]) -> list[dict[str, Any]]:
    """Those of the files of these names, of all where there are none."""
    files = [Path(__file__).with_name(f"{name}.toml") for name in names] or sorted(Path(__file__).parent.glob("*.toml"))
    return [mutant for file in files for mutant in tomllib.loads(file.read_text())["mutant"]]


def problem(mutant: dict[str, Any]) -> str:
    """Why a mutant does not apply to the code as it is; nothing where it does."""
    file, test = ROOT / mutant["file"], mutant["test"].partition("::")
    if not file.is_file():
        return "the file does not exist"
    if (count := file.read_text().count(mutant["old"])) != 1:
        return f"`old` stands there {count} times"
    source, name = ROOT / test[0], test[2].partition("[")[0].rpartition("::")[2]
    if not source.is_file() or (name and f"def {name}(" not in source.read_text()):
        return "the test does not exist"
    return ""


def survives(mutant: dict[str, Any]) -> str:
    """What is wrong with a mutant: nothing, if its test fails in a copy of the code with the line broken."""
    if reason := problem(mutant):
        return reason
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "jaxgen"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "runs", "__pycache__", ".*_cache"))
        file = copy / mutant["file"]
        file.write_text(file.read_text().replace(mutant["old"], mutant["new"]))
        command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", "-m", "", mutant["test"]]
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    return {0: "the test stays green", 1: ""}.get(done.returncode, f"pytest ended with code {done.returncode}")


def main() -> None:
    listed, wrong = mutants(sys.argv[1:]), 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, reason in zip(listed, pool.map(survives, listed), strict=True):
            print(f"{'SURVIVES' if reason else 'killed':8} {mutant['file']}: {mutant['new']!r} {reason}", flush=True)
            wrong += bool(reason)
    print(f"{len(listed) - wrong} of {len(listed)} mutants are killed")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
