"""Every experiment is described, its settings survive JSON, and its step can be traced."""

import dataclasses
import json
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest

from jaxgen.commands import bench, train
from jaxgen.commands.arguments import parse_experiment
from jaxgen.commands.list_experiments import describe
from jaxgen.core import view_of
from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile
from jaxgen.settings import config_to_json
from jaxgen.shipped import find, folder
from jaxgen.training.run_folder import RunFolder
from jaxgen.training.sharding import make_mesh, replicated

EXPERIMENTS = {path.stem: found for path in sorted(folder().glob("*/*.py")) if (found := describe(path))}
ALL = [pytest.param(name, data, id=f"{name}-{data}") for name, found in EXPERIMENTS.items() for data in found.measured]
# A flow's own path is float32, and some are no more than that; some games are played by numbers.
WITHOUT_NETWORKS = {"planar", "radial", "saturation", "xy_game", "gradient_variance", "importance_sampling"}
WITHOUT_NETWORKS |= {"relaxation", "three_gaussians", "hinge_margin", "knowledge_tradeoff", "occupancy"}
MESH = make_mesh(devices=jax.devices()[:1])


def configured(name, data, **settings):
    file = ExperimentFile.load(find(name))
    if any(field.name == "data" for field in dataclasses.fields(file.config_type)):
        settings["data"] = data
    return file, file.config(**settings)


@pytest.mark.parametrize(("name", "data"), ALL)
def test_every_preset_is_described_and_its_settings_survive_json(name, data, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    file, config = configured(name, data)
    assert f"jaxgen train {name}" in file.module.__doc__
    assert file.config_from_json(config_to_json(config)) == config
    for steps in (config.steps, bench.STEPS):  # what a plain `jaxgen bench` asks of it
        experiment = file.build(dataclasses.replace(config, steps=steps))
    assert (
        experiment.data.name.split("+")[0] == data or name.startswith(("text", "transformer")) or data == "imagenet128"
    )
    expected = {"steps", "batch_size", "learning_rate", "seed", "dtype"}
    assert expected - config_to_json(config).keys() == ({"dtype"} if name in WITHOUT_NETWORKS else set())


QUICK = ("dcgan-digits", "wgan_gp-gaussian_ring", "vae-mnist", "vq_vae-*", "maf-two_moons", "glow-mnist", "parity_*")


@pytest.mark.quick(*QUICK, "gated_pixelcnn-*", "tagging_rules-*", "xy_game-*", "gan_1d-*")
@pytest.mark.parametrize(("name", "data"), ALL)
def test_every_preset_s_step_can_be_traced_without_data(name, data, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    dtype = {} if name in WITHOUT_NETWORKS else {"dtype": "bfloat16"}
    file, config = configured(name, data, batch_size=2, **dtype)
    trainer = file.build(config).trainer(MESH)
    traced = trainer.trace()
    state, metrics = traced.out_info
    assert ("bf16" in str(traced.jaxpr)) == bool(dtype)
    assert not any(leaf.dtype == "bfloat16" for leaf in jax.tree.leaves((state, metrics)))
    assert jax.tree.structure(state) == jax.tree.structure(trainer.abstract_state())
    assert {f"{phase.name}/loss" for phase in trainer.method.phases} <= metrics.keys()


@pytest.mark.quick("nice-digits")
@pytest.mark.parametrize(("name", "data"), ALL)
def test_every_preset_s_samples_can_be_traced_without_data(name, data, monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    file, config = configured(name, data)
    experiment = file.build(config)
    method, state = experiment.method, experiment.trainers(MESH)[-1].abstract_state()
    if method.latents is None:
        return
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((2, *x.shape), x.dtype), dict(experiment.data.spec))
    samples = jax.eval_shape(
        lambda state, batch: method.sample(view_of(method, state).averaged(), jax.random.key(0), 2, batch), state, batch
    )
    assert samples.shape[0] == 2


def test_biggan_s_discriminator_is_strong_first_and_relaxed_by_a_share_of_the_steps():
    file = ExperimentFile.load(find("biggan"))
    settings = {"data": "mnist", "steps": 100, "learning_rate": 0.5, "critic_last_rate": 0.1, "relaxed_by": 0.4}
    optimizer = file.build(file.config(**settings)).method.nets["critic"].optimizer

    @jax.jit
    def moves():  # of a constant gradient Adam's step is its rate
        one = lambda state, _: optimizer.update(jnp.ones(()), state)[::-1]  # noqa: E731
        return jax.lax.scan(one, optimizer.init(jnp.zeros(())), length=50)[1]

    np.testing.assert_allclose(-moves()[jnp.array([0, 20, 40, 49])], [0.5, 0.275, 0.05, 0.05], rtol=1e-4)
    with pytest.raises(UserError, match=r"relaxed_by is 1\.5, which is no share of the steps; choose one up to 1"):
        file.build(file.config(**{**settings, "relaxed_by": 1.5}))


def test_a_single_episode_of_an_expert_is_a_batch():
    file, config = configured("gail", "pendulum", trajectories=1)
    experiment = file.build(config)
    assert experiment.batch_size == len(experiment.data.train) == 200


def test_names_are_unique_over_families_and_experiments_are_in_one():
    names = [path.stem for path in folder().rglob("*.py")]
    assert sorted(set(names)) == sorted(names)
    assert not [path for path in folder().glob("*.py") if describe(path)]
    assert EXPERIMENTS.keys() >= {"dcgan", "vae", "glow", "gated_pixelcnn", "pr_vae", "gan_1d"}


PRESETS = """
import dataclasses

@dataclasses.dataclass(frozen=True)
class Config:
    data: str = "a"
    steps: int = 1
    width: int = 1

PRESETS = {"b": Config(width=2), "other": Config(width=3), "c": Config(width=4)}

def experiment(config):
    return config
"""


def test_the_data_chooses_the_preset_and_settings_change_it(tmp_path):
    (tmp_path / "own.py").write_text(PRESETS)
    file = ExperimentFile.load(tmp_path / "own.py")
    config = file.config_type
    assert file.config() == config("b", 1, 2)
    assert file.config(data="c", steps=5) == config("c", 5, 4)
    assert file.config(data="photos") == config("photos", 1, 3)
    assert file.config_from_json({"data": "c", "steps": 3}) == config("c", 3, 4)  # a field that the run had not
    for args, expected in [
        (["--width", "9", "--data", "c"], config("c", 1, 9)),
        (["--data=c", "--steps", "7"], config("c", 7, 4)),
        (["--data", "b", "--data", "c"], config("c", 1, 4)),
        ([], config("b", 1, 2)),
    ]:
        _, parsed, _ = parse_experiment(Nothing, [str(tmp_path / "own.py"), *args], "jaxgen train")
        assert dataclasses.asdict(parsed) == dataclasses.asdict(expected)
        assert train._name(file, parsed) == ("width=9" if "9" in args else "default")


@dataclasses.dataclass(frozen=True)
class Nothing:
    """No options."""


def test_data_that_is_a_path_is_named_in_full(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(PRESETS)
    for name in ("photos", "c", "digits"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    for data, expected in [("photos", str(tmp_path / "photos")), ("c", "c"), ("digits", "digits"), ("none", "none")]:
        assert parse_experiment(Nothing, ["./own.py", "--data", data], "jaxgen train")[1].data == expected


def test_a_file_may_import_what_lies_beside_it_and_two_may_have_neighbours_of_one_name(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "neighbour.py").write_text(f"from head import Head\nname = {name!r}\n")
        (tmp_path / name / "own.py").write_text(
            "import neighbour\nfrom jaxgen.errors import UserError\nfrom neighbour import Head as Config\n"
            "def experiment(config):\n    import neighbour as late\n    raise UserError(neighbour.name + late.name)\n"
        )
    path = list(sys.path)
    for name in ("one", "two", "one"):
        file = ExperimentFile.load(tmp_path / name / "own.py")
        with pytest.raises(UserError, match=f"^{name}{name}$"):
            file.build(file.config())
    assert sys.path == path


def test_the_example_of_the_experiments_page_is_one(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (folder() / "README.md").read_text(), re.DOTALL)
    (tmp_path / "mine.py").write_text(code)
    file = ExperimentFile.load(tmp_path / "mine.py")
    assert file.config(data="mnist").steps == 5000
    file.build(file.config(batch_size=2)).trainer(MESH).trace()


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
    file.check(file.config())
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
            file.check(file.config(**settings))


def test_a_run_s_default_folder_has_a_plain_name(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    file = ExperimentFile.load(tmp_path / "own.py")
    config = file.config(warmup=3, learning_rate=1e-4, stages=((3, 4.0),), names={"a*b": "c?"})
    assert train._name(file, config) == "warmup=3,learning_rate=0.0001,stages=3,4.0,names=abc"
    assert train._name(file, file.config(cache="./a [b]/it's")) == "cache=._ab_its"
    assert train._name(file, file.config()) == "default"


def test_a_short_run_is_told_how_far_its_averages_are_the_first_parameters():
    file = ExperimentFile.load(find("vae"))
    method = file.build(file.config()).method
    assert "after 200 steps are still 82% those before the first (ema_decay 0.999)" in train._lag(method, 200)
    assert not train._lag(method, 3000)


def test_a_folder_that_looks_like_an_option_is_not_printed_as_one():
    file = ExperimentFile.load(find("vae"))
    said = train._farewell(RunFolder(Path("-a b")), "longer", None, file.build(file.config()).method)
    assert "jaxgen sample './-a b' --count" in said
    assert said.endswith("jaxgen eval './-a b'")


@pytest.mark.parametrize(("name", "out"), [("transformer", "samples.txt"), ("wavenet", "samples.wav")])
def test_what_is_read_or_heard_is_said_to_be_sampled_as_such(name, out):
    file = ExperimentFile.load(find(name))
    said = train._farewell(RunFolder(Path("run")), "", None, file.build(file.config()).method)
    assert f"jaxgen sample run --count 64 --out {out}\n" in said


def test_settings_that_are_nested_survive_json_and_are_found_the_same(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    file = ExperimentFile.load(tmp_path / "own.py")
    optimizer = file.module.Optimizer((0.5, 0.9))
    config = file.config(
        stages=((3, 4.0), (5, 6.0)),
        learning_rate=(1e-3, 2e-3),  # a pair where a number is the custom
        optimizer=optimizer,
        second=optimizer,
        widths=(8, 8),
        more=[optimizer],
        named={"a": (1, 2)},
    )
    file.check(config)
    read = json.loads(json.dumps(config_to_json(config)))
    assert read == config_to_json(config)  # as a resumed run compares them
    assert file.config_from_json(read) == config
    with pytest.raises(UserError, match="optimizer has no field 'momentum', which the run began with; put it back"):
        file.config_from_json({**read, "optimizer": {"momentum": 0.9}})


def test_a_run_may_be_evaluated_on_more_devices_than_divide_its_batch():
    file = ExperimentFile.load(find("vae"))
    experiment = file.build(file.config(batch_size=6, hidden=8))
    figures = []
    for devices in (jax.devices()[:1], jax.devices()[:4]):
        mesh = make_mesh(devices=devices)
        state = experiment.trainer(MESH).init()
        state = jax.device_put(jax.device_get(state), replicated(mesh))
        figures.append(experiment.evaluate(state, mesh))
    assert len({figure["examples"] for figure in figures}) == 1
    bits = [figure["figures"]["bits_per_dim"]["mean"] for figure in figures]
    np.testing.assert_allclose(*bits, rtol=0.01)  # the noise is another in batches of another size


def test_people_of_a_folder_of_one_s_own_train_by_the_same_file(tmp_path):
    for name in ("a.png", "b.png"):
        PIL.Image.fromarray(np.zeros((20, 16, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "pairs.csv").write_text("from,to\na.png,b.png\nb.png,a.png\n")
    joints = "[3, -1, 9]: [4, -1, 8]"
    (tmp_path / "annotation.csv").write_text(f"name:keypoints_y:keypoints_x\na.png: {joints}\nb.png: {joints}\n")
    file, config = configured("people", str(tmp_path), size=16, width=4, batch_size=1)
    experiment = file.build(config)
    assert experiment.data.train.spec["image"].shape == (16, 16, 3 + 3)
    assert {"critic/loss", "generator/l1"} <= experiment.trainer(MESH).trace().out_info[1].keys()
    with pytest.raises(UserError, match="constraint is 'fixed', which needs pictures with their parts"):
        file.build(dataclasses.replace(config, constraint="fixed"))
