"""Every experiment is described, its settings survive JSON, and its step can be traced."""

from pathlib import Path

import jax
import pytest

from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile, config_to_json
from jaxgen.training.sharding import make_mesh

EXPERIMENTS = sorted((Path(__file__).parent.parent / "experiments").glob("*.py"))
# A flow's own path is float32, and some are no more than that; some games are played by numbers.
WITHOUT_NETWORKS = {"toy2d_planar", "toy2d_radial", "theory_saturation", "theory_xy_game"}
MESH = make_mesh(devices=jax.devices()[:1])


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_is_described_and_its_settings_survive_json(path):
    file = ExperimentFile.load(path)
    config = file.config_type()
    experiment = file.build(config)
    assert f"jaxgen train experiments/{path.name}" in file.module.__doc__
    assert experiment.paper
    assert experiment.measured
    assert file.config_from_json(config_to_json(config)) == config
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


OWN = """
import dataclasses, pathlib

@dataclasses.dataclass(frozen=True)
class Config:
    warmup: int = 0
    learning_rate: float | None = None
    layers: int = 2
    cache: pathlib.Path | str = "here"

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
    ]:
        with pytest.raises(UserError, match=message):
            file.build(file.config_type(**settings))
