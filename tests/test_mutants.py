"""Every listed mutant still applies to the code; `python tests/mutants/run.py` sees their tests turn red."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("run_mutants", Path(__file__).parent / "mutants" / "run.py")
assert spec is not None
assert spec.loader is not None
run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run)


@pytest.mark.parametrize("file", sorted((Path(__file__).parent / "mutants").glob("*.toml")), ids=lambda path: path.stem)
def test_every_mutant_applies(file):
    broken = {mutant["old"]: run.problem(mutant) for mutant in run.mutants([file.stem]) if run.problem(mutant)}
    assert not broken
