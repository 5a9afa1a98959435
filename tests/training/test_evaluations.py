"""Figures of whole sets: their cadence, their null controls and where they stand; and training in a line."""

import dataclasses
import io
import json

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from rich.console import Console

import jaxgen as public
from jaxgen.commands.tables import figures_table, held_out_figures
from jaxgen.core import Aux, Evaluation, Method, Net, Phase
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.fitting import fit
from jaxgen.training.early_stopping import EarlyStopping
from jaxgen.training.loop import train
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh

X = np.linspace(-1, 1, 16, dtype=np.float32)[:, None]
COMPUTED = []


def slope(model, data):
    """The line's own number, and how many examples there are: nothing of one example."""
    COMPUTED.append(float(model.apply(lambda view: view("line", jnp.ones((1, 1)))[0, 0])))
    return {"slope": COMPUTED[-1], "slope_examples": len(data.test)}


def mean_of_all(data):
    """The error of the straight line of slope 0, for want of a network, and a figure that the method has not."""
    COMPUTED.append("mean")
    return {"constant": {"error": float(np.mean((2 * data.test[np.arange(16)]["x"]) ** 2)), "bits": 7.0}}


def method(**evaluation):
    def loss(view, batch, key):
        return jnp.mean((view("line", batch["x"]) - 2 * batch["x"]) ** 2), Aux()

    nulls = {"untrained": slope, "constant": lambda model, data: {"slope": 1.0}}
    return Method(
        "line",
        {"line": Net(nn.Dense(1, use_bias=False, kernel_init=nn.initializers.zeros), optax.sgd(0.3))},
        (Phase("line", ("line",), loss),),
        lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
        None,
        lambda view, batch, key: {"error": (view("line", batch["x"]) - 2 * batch["x"])[:, 0] ** 2},
        evaluations=(Evaluation("slope", **{"compute": slope, "every": 4, "nulls": nulls, **evaluation}),),
        nulls=mean_of_all,
    )


def experiment(own, steps=12, **settings):
    source = Source("numbers", "train", lambda: {"x": X[:1]}, lambda: Memory({"x": X}))
    schedule = Schedule(steps, log_every=2, checkpoint_every=6)
    return Experiment(
        method=own, data=Dataset(source, source, source), schedule=schedule, batch_size=8, seed=5, **settings
    )


def run(path, own, **settings):
    COMPUTED.clear()
    folder, one = RunFolder(path), experiment(own, **settings)
    if not folder.exists:
        folder.create({})
    trainers = one.trainers(make_mesh())
    state = train(trainers, folder, lambda path, samples: None, Console(file=io.StringIO()))
    return folder, one, trainers[0], state


def rows(folder):
    return [json.loads(row) for row in folder.metrics_file.read_text().splitlines()]


def test_a_whole_set_s_figure_is_logged_at_its_cadence_with_the_seconds_it_took(tmp_path):
    folder, _, _, _ = run(tmp_path / "run", method())
    found = {row["step"]: row.get("evaluation/slope") for row in rows(folder)}
    assert [step for step, value in found.items() if value is not None] == [4, 8, 12]
    assert 0 < found[4] < found[8] < found[12] < 2
    assert all(row["evaluation/slope_seconds"] >= 0 for row in rows(folder) if "evaluation/slope" in row)


def test_null_controls_stand_beside_the_figures_and_are_computed_once(tmp_path):
    folder, one, trainer, state = run(tmp_path / "run", method(every=None))
    assert not COMPUTED  # no cadence
    first = held_out_figures(one, trainer, state, folder)
    assert first["whole_sets"]["slope"]["nulls"] == {"untrained": 0.0, "constant": 1.0}
    assert first["whole_sets"]["slope_examples"]["value"] == 16
    error = first["figures"]["error"]
    assert error["nulls"] == pytest.approx(dict.fromkeys(("untrained", "constant"), 4 * np.mean(X**2)), rel=1e-5)
    assert error["mean"] < error["nulls"]["untrained"] / 2
    computed = len(COMPUTED)
    again = held_out_figures(one, trainer, state, folder)
    assert len(COMPUTED) == computed + 1  # the figure itself; its controls are in the run folder
    assert again["whole_sets"]["slope"]["nulls"] == first["whole_sets"]["slope"]["nulls"]
    assert again["figures"]["error"]["nulls"] == error["nulls"]
    said = io.StringIO()
    Console(file=said, width=120).print(figures_table(first))
    assert "untrained 0.0000, constant 1.0000" in said.getvalue()
    assert f"untrained {error['nulls']['untrained']:.4f}, constant {error['nulls']['constant']:.4f}" in said.getvalue()


def test_early_stopping_may_watch_a_whole_set(tmp_path):
    rule = EarlyStopping("slope", every=2, patience=2, mode="min")  # the smallest slope is the first
    _, _, _, state = run(tmp_path / "run", method(every=None), early_stopping=rule)
    assert int(state.step) == 2


def test_a_figure_of_another_name_and_figures_that_are_none_are_sentences(tmp_path):
    with pytest.raises(UserError, match="evaluation 'slope' returns 'other'; let its figures' names begin with"):
        run(tmp_path / "run", method(compute=lambda model, data: {"other": 1.0}))
    for figure, message in (
        (lambda view, batch, key: {"error": jnp.mean(batch["x"])}, r"returns error of shape \[\] for a batch of 8"),
        (lambda view, batch, key: {"error": batch["x"][:3, 0]}, r"returns error of shape \[3\] for a batch of 8"),
    ):
        with pytest.raises(UserError, match=message):
            experiment(dataclasses.replace(method(), evaluate=figure)).trainers(make_mesh())


def test_fit_is_bit_for_bit_what_a_run_trains(tmp_path):
    own = method(every=None)
    _, _, _, expected = run(tmp_path / "run", own)
    state, history = fit(own, {"x": X}, steps=12, key=jax.random.key(5), batch_size=8)
    chex.assert_trees_all_equal(jax.device_get(state), jax.device_get(expected))
    assert history["step"].tolist() == list(range(1, 13))
    logged = {row["step"]: row["line/loss"] for row in rows(RunFolder(tmp_path / "run"))}
    assert all(np.float32(logged[step]) == history["line/loss"][step - 1] for step in logged)
    other, _ = fit(own, {"x": X}, steps=12, key=jax.random.split(jax.random.key(5))[0], batch_size=8)
    assert not np.array_equal(*(s.nets["line"].params["kernel"] for s in (state, other)))


def test_public_names_are_resolved_when_they_are_asked_for():
    assert public.fit is fit
    assert {getattr(public, name) is not None for name in public.__all__} == {True}
    assert set(public.__all__) <= set(dir(public))
    assert {"arrays", "folder", "named"} <= set(dir(public.data))
    with pytest.raises(AttributeError, match="module 'jaxgen' has no attribute 'fitt'"):
        _ = public.fitt


def test_a_run_is_loaded_with_its_method_and_averaged_state(jaxgen, tmp_path):
    assert jaxgen("train", "vae", "--steps", 10, "--hidden", 8, "--run-dir", tmp_path / "run") == 0
    model = public.load_run(tmp_path / "run")
    assert model.method.name == "VAE"
    first, again = (model.sample(jax.random.key(3), 5) for _ in range(2))
    assert first.shape == (5, 8, 8, 1)
    np.testing.assert_array_equal(first, again)
    ema, mean = model.state.nets["decoder"].ema, model.apply(lambda view: view.params["decoder"])
    chex.assert_trees_all_equal(mean, jax.device_get(ema))
    assert jaxgen("sample", tmp_path / "run", "--from", "test", "--count", 6, "--out", tmp_path / "pairs.npz") == 0
    pairs = np.load(tmp_path / "pairs.npz")["samples"]
    held_out = experiment_images()
    np.testing.assert_allclose(pairs[::2], held_out[:6], atol=1e-6)  # each beside its reconstruction
    assert (pairs[1::2] != pairs[::2]).any()


def experiment_images():
    from jaxgen.data.embedded import DIGITS_LEVELS, digits
    from jaxgen.data.transforms import signed_unit

    return digits().map(signed_unit(DIGITS_LEVELS)).test[np.arange(6)]["image"]
