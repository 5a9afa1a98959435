"""What the experiments' settings share: the data in the shape that a method takes, and learning rates."""

import importlib

import numpy as np
import pytest

from jaxgen.data.own import arrays
from jaxgen.errors import UserError
from jaxgen.shipped import folder


@pytest.fixture
def head(monkeypatch):
    monkeypatch.syspath_prepend(folder())
    return importlib.import_module("head")


def data(images, **fields):
    return arrays(images=np.stack([images] * 4), **fields)


def first(data):
    return data.train[np.zeros(1, int)]["image"][0]


def test_sides_become_powers_of_two_by_repeating_pixels_or_by_a_border(head):
    small = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    np.testing.assert_array_equal(first(head.strided(data(small))), small.repeat(2, 0).repeat(2, 1))
    assert first(head.strided(data(small), smallest=32)).shape == (32, 32, 1)
    odd = np.full((27, 28, 3), 7, np.uint8)
    bordered = first(head.strided(data(odd)))
    assert bordered.shape == (32, 32, 3)
    np.testing.assert_array_equal(bordered[2:29, 2:30], odd)
    assert bordered.sum() == odd.sum()
    wide = np.full((8, 16, 1), 7, np.uint8)  # repeating would stretch it
    assert first(head.strided(data(wide))).sum() == wide.sum()
    right = data(np.zeros((64, 64, 1), np.uint8))
    assert head.strided(right) is right


@pytest.mark.parametrize(
    "images",
    [np.uint8([[0, 51, 255]]), np.uint16([[0, 13107, 65535]]), np.float32([[0, 0.2, 1]]), np.float32([[-1, -0.6, 1]])],
)
def test_images_of_any_kind_come_to_the_same_range(head, images):
    mapped = head.signed(data(images[..., None]))
    np.testing.assert_allclose(first(mapped)[..., 0], [[-1, -0.6, 1]], atol=1e-6)
    assert (mapped.fields["image"].low, mapped.fields["image"].high) == (-1, 1)


def test_binary_images_are_drawn_once_and_only_from_levels(head):
    half = data(np.full((4, 4, 1), 128, np.uint8))
    assert set(np.unique(first(head.binarized(half)))) == {0, 1}
    np.testing.assert_array_equal(first(head.binarized(half)), first(head.binarized(half)))
    with pytest.raises(UserError, match="arrays has images of real numbers; this method takes those of whole"):
        head.binarized(data(np.zeros((2, 2, 1), np.float32)))


def test_what_the_data_lacks_is_one_sentence(head):
    points = arrays(x=np.zeros((4, 2)))
    for needs in (head.levels, head.strided, head.signed, head.binarized):
        with pytest.raises(UserError, match="data arrays has no images, which this method takes"):
            needs(points)
    for labels in ({}, {"labels": np.array([0, 1, -1, 2])}):
        with pytest.raises(UserError, match="data arrays has not a label for every example"):
            head.classes(arrays(x=np.zeros((4, 2)), **labels))
    assert head.classes(arrays(labels=np.array([0, 2, 1, 0]))) == 3


def test_a_rate_falls_along_a_cosine_to_the_share_that_is_left(head):
    assert head.cosine(0.5, 100, 1) == 0.5
    rate = head.cosine(0.5, 100, 0.1)
    steps = np.array([0, 25, 50, 100, 200])
    expected = 0.5 * (0.1 + 0.9 * (1 + np.cos(np.pi * np.minimum(steps, 100) / 100)) / 2)
    np.testing.assert_allclose([rate(step) for step in steps], expected, rtol=1e-6)


def test_dynamic_binarization_draws_anew_in_every_batch_and_what_is_held_out_once(head):
    levels = np.random.default_rng(0).integers(0, 256, (2000, 8, 8, 1)).astype(np.uint8)
    static, dynamic = (head.binarized(arrays(images=levels), dynamic=anew) for anew in (False, True))
    batches = [np.arange(start, start + 500) for start in (0, 1, 0)]
    one, other, again = (dynamic.train[ids]["image"] for ids in batches)
    np.testing.assert_array_equal(one, again)  # a run that is resumed sees what it would have seen
    assert np.mean(one[1:] != other[:-1]) == pytest.approx(1 / 3, abs=0.02)  # twice the mean of p (1 - p)
    kept, shifted = (static.train[ids]["image"] for ids in batches[:2])
    np.testing.assert_array_equal(kept[1:], shifted[:-1])
    p = arrays(images=levels).train[batches[0]]["image"] / 255
    for k in range(4):  # frequencies are the levels
        some = (k / 4 <= p) & (p < (k + 1) / 4)
        assert one[some].mean() == pytest.approx(p[some].mean(), abs=5 * 0.5 / some.sum() ** 0.5)
    np.testing.assert_array_equal(dynamic.test[np.arange(9)]["image"], static.test[np.arange(9)]["image"])
