"""What is watched stands in the rows of metrics, and is said once when it is too large."""

import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console

from jaxgen.core import Watch
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule


def test_a_watched_metric_is_logged_and_said_once_when_it_passes_its_limit(regression, tmp_path):
    schedule = Schedule(24, log_every=4, sample_every=24, checkpoint_every=12, steps_per_call=2)
    trainer, _ = regression(schedule)
    watch = Watch("line/far", lambda view, batch, key: view.step + batch["x"][0, 0], limit=14.0, advice="turn back")
    trainer.method = dataclasses.replace(trainer.method, watch=watch)
    folder, said = RunFolder(tmp_path / "run"), io.StringIO()
    folder.create({})
    train([trainer], folder, lambda path, samples: None, Console(file=said, width=200))
    rows = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    # The call's last batch, and the state it left behind.
    last = {step: np.random.default_rng(step - 2).normal(size=(2, 1, 8, 1))[-1, 0, 0, 0] for step in range(4, 25, 4)}
    assert [row["step"] for row in rows] == list(last)
    assert [row["line/far"] for row in rows] == pytest.approx([step + x for step, x in last.items()], abs=1e-5)
    warnings = [line for line in said.getvalue().splitlines() if "turn back" in line]
    assert len(warnings) == 1
    assert f"line/far is {16 + last[16]:.2g} at step 16, above 14; turn back." in warnings[0]
