"""`--target`: pairs and domains of one's own, and what of them does not fit, in a sentence."""

import dataclasses

import jax
import numpy as np
import PIL.Image
import pytest

from jaxgen.commands.arguments import parse_experiment
from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find
from jaxgen.training.sharding import make_mesh

SHADES = range(0, 240, 20)


def pictures(folder, shades=SHADES, *, classes=(), size=16, channels=1, suffix=".png"):
    """Images of one shade each, which their names tell; in subfolders, one after another, where there are classes."""
    for number, shade in enumerate(shades):
        place = folder / classes[number % len(classes)] if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        image = np.full((size, size, channels), shade, np.uint8)
        PIL.Image.fromarray(image[..., 0] if channels == 1 else image).save(place / f"{number:02d}{suffix}")
    return str(folder)


def built(name, **settings):
    file = ExperimentFile.load(find(name))
    return file.build(file.config(**settings))


def test_images_become_those_of_the_same_names_in_both_splits(tmp_path):
    config = {"width": 4, "batch_size": 2, "size": 16, "held_out": 0.3}
    data = pictures(tmp_path / "a"), pictures(tmp_path / "b", [240 - shade for shade in SHADES], size=20, channels=3)
    experiment = built("pix2pix", data=data[0], target=data[1], **config)
    seen = 0
    for split in (experiment.data.train, experiment.data.test):
        examples = split[np.arange(len(split))[::-1]]  # in any order
        seen += len(split)
        assert (examples["image"].shape[1:], examples["target"].shape[1:]) == ((16, 16, 1), (16, 16, 3))
        opposite = examples["image"].mean((1, 2, 3)) + examples["target"].mean((1, 2, 3))
        np.testing.assert_allclose(opposite, 240 / 127.5 - 2, atol=1e-5)
    assert seen == len(SHADES)
    assert {field.low for field in experiment.data.fields.values()} == {-1}
    assert experiment.data.fingerprint().keys() == {"image", "target"}
    method, batch = experiment.method, experiment.data.train[np.arange(2)]
    jax.eval_shape(lambda key: method.init(method.modules, key, batch), jax.random.key(0))  # shapes fit


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a, b: (b / "03.png").unlink(), r"a/03\.png has no partner .*b/03\.png, and 0 more are alone; give the"),
        (lambda a, b: (b / "03.png").rename(b / "99.png"), r"a/03\.png has no partner .*b/03\.png, and 1 more are alo"),
        (
            lambda a, b: [f.unlink() for f in b.iterdir()] and b.rmdir(),
            "data .*b' is no shipped data set|does not exis",
        ),
    ],
    ids=["lost", "renamed", "gone"],
)
def test_a_pair_s_missing_half_is_named(tmp_path, change, sentence):
    settings = {"data": pictures(tmp_path / "a"), "target": pictures(tmp_path / "b")}
    change(tmp_path / "a", tmp_path / "b")
    with pytest.raises(UserError, match=sentence):
        built("pix2pix", **settings)


def test_pairs_that_would_slip_are_refused(tmp_path):
    settings = {"data": pictures(tmp_path / "a"), "target": pictures(tmp_path / "b")}
    with pytest.raises(UserError, match="skip_bad leaves out images whose targets stay; leave it out"):
        built("pix2pix", **settings, skip_bad=True)
    np.save(tmp_path / "c.npy", np.zeros((12, 16, 16, 1), np.uint8))
    with pytest.raises(UserError, match=r"c\.npy is no folder"):
        built("pix2pix", data=settings["data"], target=str(tmp_path / "c.npy"))
    np.save(tmp_path / "d.npy", np.zeros((13, 16, 16, 1), np.uint8))
    data = built("pix2pix", data=str(tmp_path / "c.npy"), target=str(tmp_path / "d.npy")).data
    with pytest.raises(UserError, match=r"c has 11 examples to train on and its targets, d, have 12; give every image"):
        data.train[np.arange(2)]


@pytest.mark.parametrize("name", ["dann", "adda", "pixelda"])
def test_a_source_of_classes_adapts_to_a_folder_without(name, tmp_path):
    source, target = pictures(tmp_path / "a", classes="xyz"), pictures(tmp_path / "b", channels=3)
    experiment = built(name, data=source, target=target, channels=3, batch_size=2)
    stages = [stage.data for stage in experiment.stages if stage.data] if experiment.stages else []
    (data,) = stages or [experiment.data]
    assert (set(data.spec["source"]), set(data.spec["target"])) == ({"image", "label"}, {"image"})
    assert data.fields["source"]["label"].classes == 3
    assert data.train.sources["target"][np.arange(2)]["image"].min() >= -1
    if name == "dann":
        trainer = experiment.trainer(make_mesh(devices=jax.devices()[:1]))
        assert "adapt/label" in trainer.trace().out_info[1]


def test_what_does_not_fit_in_another_domain_is_one_sentence(tmp_path):
    source = pictures(tmp_path / "a", classes="xyz")
    said = {
        "source a has images of 16x16x1 and target b of 16x16x3; give a size, and channels": {
            "target": pictures(tmp_path / "b", channels=3)
        },
        "target c has x, y for labels where source a has x, y, z; call its subfolders alike": {
            "target": pictures(tmp_path / "c", classes="xy")
        },
        "target d has w, x, y for labels where source a has x, y, z": {
            "target": pictures(tmp_path / "d", classes="wxy")
        },
        "data e has not a label for every example": {"data": pictures(tmp_path / "e"), "target": source},
        "data f has not a label for every example": {"target": pictures(tmp_path / "f"), "seen": "target"},
    }
    for sentence, settings in said.items():
        with pytest.raises(UserError, match=sentence):
            built("dann", **{"data": source} | settings)
    small = built("dann", data=source, target=source, size=12)
    with pytest.raises(UserError, match="images are 12x12; Features takes them from 16x16 up: give a size"):
        small.trainer(make_mesh(devices=jax.devices()[:1])).trace()


def test_labels_of_the_target_are_told_only_when_asked_for(tmp_path):
    source = pictures(tmp_path / "a", classes="xyz")
    target = pictures(tmp_path / "b", [shade + 1 for shade in SHADES], classes="xyz")
    for seen, odd in (("source", 0), ("target", 1)):
        data = built("dann", data=source, target=target, seen=seen).data
        levels = [
            np.round((x[np.arange(len(x))]["image"][:, 0, 0, 0] + 1) * 127.5) for x in data.train.sources.values()
        ]
        assert set(levels[0] % 2) == {odd}
        assert set(levels[1] % 2) == {1}
        assert not set(levels[0]) & set(levels[1])


@dataclasses.dataclass(frozen=True)
class Nothing:
    """No options."""


def test_a_target_is_named_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "b")
    _, config, _ = parse_experiment(Nothing, ["pix2pix", "--target", "b"], "jaxgen train")
    assert (config.data, config.target) == ("digits", str(tmp_path / "b"))
