"""Every experiment is described, its settings survive JSON, and its step can be traced."""

import dataclasses
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgen.commands import bench, train
from jaxgen.commands.list_experiments import describe
from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile
from jaxgen.settings import config_to_json
from jaxgen.shipped import find, folder
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.sharding import make_mesh, replicated

EXPERIMENTS = sorted(path for path in folder().glob("*/*.py") if describe(path))
# A flow's own path is float32, and some are no more than that; some games are played by numbers.
WITHOUT_NETWORKS = {"toy2d_planar", "toy2d_radial", "saturation", "xy_game"}
MESH = make_mesh(devices=jax.devices()[:1])


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_is_described_and_its_settings_survive_json(path):
    file = ExperimentFile.load(path)
    config = file.config_type()
    experiment = file.build(config)
    assert f"jaxgen train {path.stem}" in file.module.__doc__
    assert experiment.paper
    assert experiment.measured
    assert file.config_from_json(config_to_json(config)) == config
    file.build(dataclasses.replace(config, steps=bench.STEPS))  # what a plain `jaxgen bench` asks of it
    expected = {"steps", "batch_size", "learning_rate", "seed", "dtype"}
    assert expected - config_to_json(config).keys() == ({"dtype"} if path.stem in WITHOUT_NETWORKS else set())


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_s_step_can_be_traced_without_data(path, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    file = ExperimentFile.load(path)
    dtype = {} if path.stem in WITHOUT_NETWORKS else {"dtype": "bfloat16"}
    trainer = file.build(file.config_type(batch_size=2, **dtype)).trainer(MESH)
    traced = trainer.trace()
    state, metrics = traced.out_info
    assert ("bf16" in str(traced.jaxpr)) == bool(dtype)
    assert not any(leaf.dtype == "bfloat16" for leaf in jax.tree.leaves((state, metrics)))
    assert jax.tree.structure(state) == jax.tree.structure(trainer.abstract_state())
    assert {f"{phase.name}/loss" for phase in trainer.method.phases} <= metrics.keys()


def test_names_are_unique_over_families():
    names = [path.stem for path in folder().rglob("*.py")]
    assert sorted(set(names)) == sorted(names)
    assert list(folder().glob("*.py")) == [folder() / "modes.py"]  # experiments are in families


def test_a_file_may_import_what_lies_beside_it_and_two_may_have_neighbours_of_one_name(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "neighbour.py").write_text(f"from modes import Modes\nname = {name!r}\n")
        (tmp_path / name / "own.py").write_text(
            "import dataclasses\nimport neighbour\nfrom neighbour import Modes as Config\n"
            "def experiment(config):\n    import neighbour as late\n    return neighbour.name, late.name\n"
        )
    path = list(sys.path)
    for name in ("one", "two", "one"):
        file = ExperimentFile.load(tmp_path / name / "own.py")
        assert file.build(file.config_type()) == (name, name)
    assert sys.path == path


OWN = """
import dataclasses, pathlib

@dataclasses.dataclass(frozen=True)
class Optimizer:
    betas: tuple[float, float] = (0.9, 0.999)

@dataclasses.dataclass(frozen=True)
class Config:
    warmup: int = 0
    learning_rate: float | tuple[float, float] | None = None
    layers: int = 2
    cache: pathlib.Path | str = "here"
    stages: tuple[tuple[int, float], ...] = ((1, 2.0),)
    optimizer: Optimizer = Optimizer()
    second: Optimizer | None = None
    widths: tuple[int, ...] | None = (16, 16)
    more: list[Optimizer] = dataclasses.field(default_factory=list)
    named: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    rates: object = 0
    names: dict = dataclasses.field(default_factory=dict)

def experiment(config):
    return config
"""


def test_settings_may_be_what_their_defaults_are_and_must_fit_into_json(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    file = ExperimentFile.load(tmp_path / "own.py")
    assert file.build(file.config_type()).warmup == 0
    for settings, message in [
        ({"warmup": -1}, "warmup is -1; it must be at least 0"),
        ({"layers": 0}, "layers is 0; it must be at least 1"),
        ({"learning_rate": -0.1}, "learning_rate is -0.1; it must be a positive number"),
        ({"cache": tmp_path}, "which config.json cannot hold; make it a number or a string"),
        ({"names": {1: "one"}}, "which config.json cannot hold"),  # but "1" for 1
        (
            {"rates": (1, 2)},
            r"\(1, 2\), which comes back from config.json as \[1, 2\]; give the field",
        ),
    ]:
        with pytest.raises(UserError, match=message):
            file.build(file.config_type(**settings))


def test_a_run_s_default_folder_has_a_plain_name(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    file = ExperimentFile.load(tmp_path / "own.py")
    config = file.config_type(warmup=3, learning_rate=1e-4, stages=((3, 4.0),), names={"a*b": "c?"})
    assert train._name(file, config) == "warmup=3,learning_rate=0.0001,stages=3,4.0,names=abc"
    assert train._name(file, file.config_type(cache="./a [b]/it's")) == "cache=._ab_its"
    assert train._name(file, file.config_type()) == "default"


def test_a_folder_that_looks_like_an_option_is_not_printed_as_one():
    said = train._farewell(RunFolder(Path("-a b")), "again", None, draws=True)
    assert "jaxgen sample './-a b' --count" in said
    assert said.endswith("jaxgen eval './-a b'")


def test_settings_that_are_nested_survive_json_and_are_found_the_same(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    file = ExperimentFile.load(tmp_path / "own.py")
    optimizer = file.module.Optimizer((0.5, 0.9))
    config = file.build(
        file.config_type(
            stages=((3, 4.0), (5, 6.0)),
            learning_rate=(1e-3, 2e-3),  # a pair where a number is the custom
            optimizer=optimizer,
            second=optimizer,
            widths=(8, 8),
            more=[optimizer],
            named={"a": (1, 2)},
        )
    )
    read = json.loads(json.dumps(config_to_json(config)))
    assert read == config_to_json(config)  # as a resumed run compares them
    assert file.config_from_json(read) == config
    with pytest.raises(UserError, match="optimizer has no field 'momentum', which the run began with; put it back"):
        file.config_from_json({**read, "optimizer": {"momentum": 0.9}})


def test_a_run_may_be_evaluated_on_more_devices_than_divide_its_batch():
    file = ExperimentFile.load(find("digits_vae"))
    experiment = file.build(file.config_type(batch_size=6, hidden=8))
    figures = []
    for devices in (jax.devices()[:1], jax.devices()[:4]):
        mesh = make_mesh(devices=devices)
        state = experiment.trainer(MESH).init()
        state = jax.device_put(jax.device_get(state), replicated(mesh))
        figures.append(experiment.evaluate(state, mesh))
    assert len({figure["examples"] for figure in figures}) == 1
    bits = [figure["figures"]["bits_per_dim"]["mean"] for figure in figures]
    np.testing.assert_allclose(*bits, rtol=0.01)  # the noise is another in batches of another size
