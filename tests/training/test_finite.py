"""A state that is not finite is never saved, and said by the name of what is not (FAULTS 8 and 11)."""

import dataclasses
import json
import os
import signal

import jax.numpy as jnp
import optax
import pytest
from rich.console import Console

from jaxgen.errors import NonFiniteError, Preempted
from jaxgen.training.finite import check_state
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.trainer import Trainer

NAN, INFINITY = jnp.full(3, jnp.nan), jnp.array([0.0, jnp.inf])
PARTS = {
    "params/w": ("params", {"w": INFINITY}),
    "variables/spectral/u": ("variables", {"spectral": {"u": NAN}}),
    "opt_state/best": ("opt_state", {"best": NAN}),
    "ema/w": ("ema", {"w": INFINITY}),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_is_not_finite_is_named(regression, name):
    trainer, _ = regression()
    state = trainer.init()
    check_state(state, 7)
    part, value = PARTS[name]
    spoiled = dataclasses.replace(state.nets["line"], **{part: value})
    with pytest.raises(NonFiniteError, match=f"^nets/line/{name} became NaN or infinite by step 7;"):
        check_state(dataclasses.replace(state, nets={"line": spoiled}), 7)


def test_bookkeeping_may_be_infinite_and_memory_too_but_neither_nan(regression):
    trainer, _ = regression()
    state = trainer.init()
    plateau = dataclasses.replace(state.nets["line"], opt_state={"best": INFINITY, "count": jnp.int32(3)})
    check_state(dataclasses.replace(state, nets={"line": plateau}, memory={"best": INFINITY}), 7)
    with pytest.raises(NonFiniteError, match="^memory/best became"):
        check_state(dataclasses.replace(state, memory={"best": NAN}), 7)


def poisoned(regression, schedule):
    """A trainer whose eighth update is NaN, of a loss and a gradient that are finite."""
    trainer, _ = regression(schedule)
    poison = optax.scale_by_schedule(lambda count: jnp.where(count == 7, jnp.nan, 1.0))
    net = dataclasses.replace(trainer.method.nets["line"], optimizer=optax.chain(optax.adam(0.1), poison))
    method = dataclasses.replace(trainer.method, nets={"line": net})
    return Trainer(method, schedule, trainer.batches, trainer.batch, seed=0, mesh=trainer.mesh)


@pytest.mark.parametrize(
    ("schedule", "stopped", "kept"),
    [
        (Schedule(20, 20, 20, checkpoint_every=8), False, []),
        (Schedule(8, 4, 8, checkpoint_every=6), False, [6]),  # the very last, after which no loss tells
        (Schedule(20, 20, 1, checkpoint_every=5), True, [5]),
    ],
    ids=["at a checkpoint", "at the end", "at a signal"],
)
def test_an_update_that_spoils_the_parameters_is_not_saved(regression, tmp_path, schedule, stopped, kept):
    def draw(path, samples):
        if stopped and path.stem == "step_0000008":
            os.kill(os.getpid(), signal.SIGTERM)

    folder = RunFolder(tmp_path / "run")
    folder.create({})
    with pytest.raises((NonFiniteError, Preempted), match="nets/line/.* became NaN or infinite by step 8"):
        train([poisoned(regression, schedule)], folder, draw, Console(quiet=True))
    assert sorted(int(path.name) for path in folder.checkpoints.iterdir() if path.name.isdigit()) == kept


def test_a_second_rollback_from_the_same_update_goes_further_back(regression, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create({})
    trainer = poisoned(regression, Schedule(20, 20, 20, checkpoint_every=2))
    with pytest.raises(NonFiniteError, match="after 2 rollbacks"):
        train([trainer], folder, lambda path, samples: None, Console(quiet=True), rollbacks=2)
    assert [entry["step"] for entry in json.loads(folder.rollbacks_file.read_text())] == [6, 4]
