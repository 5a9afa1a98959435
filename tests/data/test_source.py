"""Laziness and transforms of sources; pixel values against scikit-learn and values worked by hand."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxgen.data.embedded import digits
from jaxgen.data.pictures import folder
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.data.transforms import binarize, enlarge, on_image, pad, signed_unit
from jaxgen.errors import UserError


def everything(source):
    return source[np.arange(len(source))]


def counting_source(values):
    """A source of the given `[n]` levels as 1x1 images, and the list that grows at each load."""
    loads = []

    def load():
        loads.append(1)
        return Memory({"image": np.asarray(values, np.uint8).reshape(-1, 1, 1, 1)})

    return Source("counted", "train", lambda: {"image": np.zeros((1, 1, 1, 1), np.uint8)}, load), loads


def test_a_data_set_prints_its_fields_and_loads_nothing(tmp_path):
    source, loads = counting_source([1, 2, 3])
    assert repr(source) == "<counted/train: image uint8[1, 1, 1]>"
    assert repr(Dataset(source, source)).startswith("Dataset(train=<counted/train: image uint8[1, 1, 1]>, test=<")
    both = Dataset.streams(a=Dataset(source, source), b=source.map(signed_unit(5)))
    assert repr(both.train) == "<counted/train: a (image uint8[1, 1, 1]), b (image float32[1, 1, 1])>"
    assert repr(folder(tmp_path / "none").train) == "<none/train>"
    assert not loads


def test_nothing_is_loaded_before_the_first_access_and_then_once():
    source, loads = counting_source([1, 2, 3])
    derived = source.map_once(pad(2)).map(signed_unit(5))
    assert derived.spec["image"].shape == (2, 2, 1)
    assert derived.spec["image"].dtype == np.float32
    assert not loads
    assert len(derived) == 3
    derived[np.array([2, 0])]
    derived[np.array([1])]
    assert len(loads) == 1


def test_map_runs_on_every_fetch_and_map_once_on_all_examples_together():
    seen = []

    def record(examples):
        seen.append(examples["image"].ravel().tolist())
        return examples

    source, _ = counting_source([5, 6, 7])
    each, once = source.map(record), source.map_once(record)
    each[np.array([2, 0])]
    each[np.array([2])]
    assert seen == [[7, 5], [7]]
    seen.clear()
    once[np.array([2, 0])]
    once[np.array([2])]
    assert seen == [[5, 6, 7]]


def test_a_data_set_transforms_both_splits():
    train, _ = counting_source([0, 4])
    test, _ = counting_source([2])
    data = Dataset(train, test).map_once(pad(1)).map(signed_unit(5))
    np.testing.assert_array_equal(everything(data.train)["image"].ravel(), [-1, 1])
    np.testing.assert_array_equal(everything(data.test)["image"].ravel(), [0])
    assert data.name == "counted"


def test_digits_are_scikit_learns_with_a_disjoint_fifth_held_out():
    images, labels = load_digits(return_X_y=True)
    rows = {"train": everything(digits().train), "test": everything(digits().test)}
    assert {split: len(x["label"]) for split, x in rows.items()} == {"train": 1437, "test": 360}
    # Sorting rows of (pixels, label) compares the multisets: together the splits are the data, so they are disjoint.
    ours = np.concatenate([np.column_stack([x["image"].reshape(-1, 64), x["label"]]) for x in rows.values()])
    theirs = np.column_stack([images, labels])
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])
    assert rows["train"]["image"].max() == 16
    # The split is part of every published figure: positions of its first three in scikit-learn's order.
    np.testing.assert_array_equal(rows["test"]["image"][:3].reshape(3, 64), images[[1081, 1707, 927]])
    assert digits().train.spec["image"].shape == rows["train"]["image"].shape[1:]
    assert digits().train.spec["label"].dtype == rows["train"]["label"].dtype == np.int32


def test_pad_centres_with_the_odd_pixel_right_and_below():
    image = np.array([[1, 2], [3, 4]], np.uint8).reshape(1, 2, 2, 1)
    out = pad(5)({"image": image, "label": np.array([7])})
    expected = [[0, 0, 0, 0, 0], [0, 1, 2, 0, 0], [0, 3, 4, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(out["image"][0, :, :, 0], expected)
    assert out["image"].dtype == np.uint8
    assert out["label"] == 7
    with pytest.raises(UserError, match=r"pad size=1 .* at least 2"):
        pad(1)({"image": image})


def test_enlarge_repeats_pixels_and_is_undone_by_striding():
    image = np.array([[1, 2], [3, 4]], np.uint8).reshape(1, 2, 2, 1)
    out = enlarge(4)({"image": image})["image"]
    np.testing.assert_array_equal(out[0, :, :, 0], [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
    np.testing.assert_array_equal(out[:, ::2, ::2], image)
    with pytest.raises(UserError, match="enlarge size=5"):
        enlarge(5)({"image": image})


@pytest.mark.parametrize(
    ("levels", "level", "value"), [(17, 0, -1), (17, 8, 0), (17, 16, 1), (17, 12, 0.5), (256, 255, 1), (2, 1, 1)]
)
def test_signed_unit_by_hand(levels, level, value):
    out = signed_unit(levels)({"image": np.full((1, 1, 1, 1), level, np.uint8)})["image"]
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.item(), value, atol=1e-7)


BINARIZED = [(256, 0), (256, 255), (256, 64), (17, 16), (17, 5), (2, 1), (257, 256), (65536, 65535), (65536, 20_000)]


@pytest.mark.parametrize(("levels", "level"), BINARIZED)
def test_binarize_has_the_pixels_probability(levels, level):
    draws = 200_000
    out = binarize(levels)({"image": np.full((1, draws, 1, 1), level, np.min_scalar_type(levels - 1))})["image"]
    assert set(np.unique(out)) <= {0, 1}
    p = level / (levels - 1)
    # Four standard deviations of a mean of Bernoulli draws; exact at the two ends.
    assert abs(out.mean() - p) <= 4 * np.sqrt(p * (1 - p) / draws)


@pytest.mark.parametrize("transform", [binarize, signed_unit])
@pytest.mark.parametrize("levels", [-1, 0, 1, 65537])
def test_numbers_of_levels_that_no_image_has_are_refused(transform, levels):
    with pytest.raises(UserError, match=rf"levels={levels}; it must be from 2 to 65536\.$"):
        transform(levels)


def test_binarize_is_fixed_by_seed_and_images():
    grey = {"image": np.full((1, 64, 64, 1), 8, np.uint8)}
    first = binarize(17, seed=1)(grey)["image"]
    np.testing.assert_array_equal(first, binarize(17, seed=1)(grey)["image"])
    assert 0.4 < (first != binarize(17, seed=2)(grey)["image"]).mean() < 0.6
    other = binarize(17, seed=1)({"image": np.full((1, 64, 64, 1), 9, np.uint8)})["image"]
    assert 0.4 < (first != other).mean() < 0.6  # another split draws other noise


def test_on_image_leaves_other_fields_alone():
    examples = {"image": np.ones(2), "x": np.arange(2)}
    out = on_image(lambda image: image + 1)(examples)
    np.testing.assert_array_equal(out["image"], [2, 2])
    assert out["x"] is examples["x"]
    np.testing.assert_array_equal(examples["image"], [1, 1])
