"""The benchmark of worlds and people counts what its programs made."""

import importlib.util
from pathlib import Path

import numpy as np

from jaxgen.data.pendulum import pendulum


def test_what_is_counted_is_made(monkeypatch):
    spec = importlib.util.spec_from_file_location("worlds", Path(__file__).parent.parent / "benchmarks" / "worlds.py")
    worlds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worlds)
    for name, value in {"ENVIRONMENTS": 3, "STEPS": 5, "PICTURES": 4, "SIZE": 8}.items():
        monkeypatch.setattr(worlds, name, value)
    call, count = worlds.steps(pendulum())
    assert np.size(call()[1].reward) == count == 15
    call, count = worlds.pictures()
    made = call()
    assert len(made["image"]) + len(made["target"]) == count == 4
    assert made["image"].shape[1:] == (8, 8, 3)
