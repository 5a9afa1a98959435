"""What `jaxgen eval --features` computes, on scikit-learn's digits, by a classifier trained in seconds."""

import dataclasses

import jax
import numpy as np
import pytest
from rich.console import Console

from jaxgen.data.embedded import digits
from jaxgen.data.source import Dataset
from jaxgen.data.stacked import stacked
from jaxgen.data.transforms import on_image, signed_unit
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED, UNIT
from jaxgen.quality import classifier as classifiers
from jaxgen.quality.classifier import Settings, classifier, combined
from jaxgen.quality.extractor import batch_size, pixels, see
from jaxgen.quality.measure import Reference, signed_images
from jaxgen.training.sharding import make_mesh

DATA = digits().map(signed_unit(17))
SMALL = Settings(width=8, features=16, steps=150, images_per_step=96, learning_rate=5e-3)
MESH = make_mesh(devices=jax.devices()[:1])
QUIET = Console(quiet=True)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """A cache folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "jaxgen" / "classifiers"


@pytest.fixture(scope="module")
def extractor(cache):
    return classifier(DATA, QUIET, SMALL)


@pytest.fixture(scope="module")
def reference(extractor):
    return Reference(extractor, DATA, MESH, 300)


def images(source, count=None):
    return source[np.arange(len(source) if count is None else count)]["image"]


def batches(x):
    """In the size that a call takes, the last filled up with other images."""
    size = batch_size(MESH)
    return [np.resize(x[start:], (size, *x.shape[1:])) for start in range(0, len(x), size)]


def test_the_classifier_knows_the_digits_and_says_what_it_is(extractor):
    held_out = DATA.test[np.arange(360)]
    features, log_probs = extractor.apply(extractor.params, held_out["image"])
    right = np.mean(np.argmax(log_probs, 1) == held_out["label"])
    assert right > 0.9
    assert f"trained by jaxgen on digits/train, {right:.1%} right on digits/test" in extractor.name
    assert features.shape == (360, 16)
    assert np.sqrt(np.mean(features**2)) == pytest.approx(1, abs=0.1)
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1, rtol=1e-5)


def test_it_is_trained_once_and_again_where_the_file_is_damaged(extractor, cache, monkeypatch):
    (file,) = cache.iterdir()
    trained = []
    monkeypatch.setattr(classifiers, "_train", lambda *args: trained.append(args) or kept)
    with np.load(file) as arrays:
        kept = dict(arrays)
    again = classifier(DATA, QUIET, SMALL)
    assert again.name == extractor.name
    jax.tree.map(np.testing.assert_array_equal, again.params, extractor.params)
    assert not trained
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    classifier(DATA, QUIET, SMALL)
    assert len(trained) == 1
    classifier(DATA, QUIET, dataclasses.replace(SMALL, steps=151))
    classifier(Dataset(digits().map(signed_unit(16)).train, DATA.test), QUIET, SMALL)
    assert len(trained) == 3
    assert len(list(cache.iterdir())) == 3


def test_filled_up_batches_count_once_and_devices_change_nothing(extractor):
    x = images(DATA.train, 300)
    alone = see(extractor, batches(x), 300, MESH)
    features, log_probs = extractor.apply(extractor.params, x)
    np.testing.assert_allclose(alone.features, features, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(alone.classes, np.argmax(log_probs, 1))
    np.testing.assert_allclose(alone.moments.scatter / 299, np.cov(features.T), rtol=1e-3, atol=1e-4)
    assert alone.score.count == 300
    spread = see(extractor, batches(x), 300, make_mesh())
    np.testing.assert_allclose(spread.features, alone.features, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(spread.moments.scatter, alone.moments.scatter, rtol=1e-3, atol=1e-2)


def test_images_of_the_data_are_good_and_all_else_is_seen_to_be_bad(reference):
    training, labels = DATA.train[np.arange(1437)].values()
    measured = {
        "copies": training[:300],
        "held out": images(DATA.test)[np.random.default_rng(0).permutation(360)[:300]],
        "ones": np.resize(training[labels == 1], (300, 8, 8, 1)),
        "noise": np.random.default_rng(0).uniform(-1, 1, (300, 8, 8, 1)).astype(np.float32),
    }
    asked = {"ones": np.ones(256, int)}
    found = {name: reference.measure((x, asked.get(name)) for x in batches(x)) for name, x in measured.items()}
    found["real"] = reference.measure_training_images()
    copies, held_out, ones, noise, real = ({k: v["mean"] for k, v in f.items()} for f in found.values())
    assert copies["data_copying"] == pytest.approx(0, abs=1e-6)
    assert copies["nearest_training_distance"] == 0
    assert held_out["frechet_distance"] == pytest.approx(0, abs=1e-3)
    assert held_out["coverage"] == held_out["recall"] == 1
    assert held_out["data_copying"] == pytest.approx(0.5, abs=1e-3)
    assert real["classes"] == 10
    assert ones["conditional_accuracy"] > 0.9
    assert "conditional_accuracy" not in copies
    assert ones["class_kl"] > 1.5
    assert ones["recall"] < 0.3
    assert ones["inception_score"] < 2 < 6 < real["inception_score"]
    assert ones["intra_class_diversity"] < real["intra_class_diversity"]
    assert noise["precision"] < 0.2
    for name in ("frechet_distance", "kernel_distance"):
        assert real[name] < 0.2 * min(ones[name], noise[name])
    assert found["real"]["kernel_distance"]["standard_error"] > 0


def test_pixels_are_features_without_classes():
    x = images(DATA.test, 300)
    seen = see(pixels(), batches(x), 300, MESH)
    np.testing.assert_array_equal(seen.features, x.reshape(300, 64))
    np.testing.assert_allclose(seen.moments.mean, x.reshape(300, 64).mean(0), atol=1e-5)
    assert seen.classes is seen.score is None


@pytest.mark.slow
def test_stacked_digits_are_judged_channel_by_channel():
    data = stacked(DATA, train=2000, test=200)
    judge = classifier(data, QUIET, SMALL)
    examples = data.test[np.arange(200)]
    features, log_probs = judge.apply(judge.params, examples["image"])
    assert features.shape == (200, 3 * 16)
    assert log_probs.shape == (200, 1000)
    assert np.mean(np.argmax(log_probs, 1) == examples["label"] @ [100, 10, 1]) > 0.9**3
    swapped, _ = judge.apply(judge.params, examples["image"][..., ::-1])
    np.testing.assert_allclose(swapped[:, :16], features[:, 32:], rtol=1e-4, atol=1e-5)


def test_labels_combine_as_independent_ones():
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=(5, 3))
    expected = np.einsum("ba,bc,bd->bacd", *p.transpose(1, 0, 2)).reshape(5, 64)
    np.testing.assert_allclose(np.exp(combined(np.log(p))), expected, rtol=1e-5)


@pytest.mark.parametrize("brightest", [16, 12, 0])
def test_whole_numbers_become_signed_images_by_the_levels_that_are_declared(brightest):
    """FAULTS 2: all dark or all black images are of as many levels as others."""
    dark = digits().map(on_image(lambda x: np.minimum(x, brightest), lambda field: field))
    np.testing.assert_allclose(images(signed_images(dark).train, 50), images(dark.train, 50) / 8.0 - 1, atol=1e-6)
    assert signed_images(DATA) is DATA


def test_images_from_0_to_1_are_stretched_and_those_of_unknown_range_refused():
    halves = digits().map(on_image(lambda x: x / np.float32(32), lambda _: UNIT))
    np.testing.assert_allclose(images(signed_images(halves).train, 50), images(halves.train, 50) * 2 - 1, atol=1e-6)
    assert signed_images(halves).fields["image"] == SIGNED
    for function in (lambda x: x.astype(np.int16) - 8, lambda x: x / 16):
        with pytest.raises(UserError, match="image of digits has any values, as far as it says, and samples are from"):
            signed_images(digits().map(on_image(function)))


def test_what_cannot_be_measured_is_one_sentence():
    with pytest.raises(UserError, match="has no images"):
        signed_images(digits().map(lambda x: {"label": x["label"]}))
    with pytest.raises(UserError, match="'classifier' but digits has no labels; take pixels"):
        classifier(DATA.map(lambda x: {"image": x["image"]}), QUIET, SMALL)
    with pytest.raises(UserError, match="samples is 50 images; comparing samples with data takes at least 100"):
        Reference(pixels(), DATA, MESH, 50)
