"""Digits over photographs: which pixels they are of, and that training and test share none."""

import numpy as np
import pytest

from jaxgen.data.embedded import digits
from jaxgen.data.photos import over_photographs, photographs
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.data.transforms import signed_unit
from jaxgen.errors import UserError


def blank(size, count=20):
    """Images of level 0, over which the patch is seen as it is."""
    examples = {"image": np.zeros((count, size, size, 1), np.uint8), "label": np.arange(count)}

    def source(split):
        return Source("blank", split, lambda: {k: v[:1] for k, v in examples.items()}, lambda: Memory(examples))

    return Dataset(source("train"), source("test"))


def places(patches, photos):
    """Where in the photographs each patch is: (which, row, column)."""
    found = []
    for patch in patches:
        windows = np.lib.stride_tricks.sliding_window_view(photos[..., 0], patch.shape[:2], axis=(1, 2))
        candidates = np.argwhere((windows[..., 0, 0] == patch[0, 0, 0]) & (windows[..., -1, -1] == patch[-1, -1, 0]))
        match = [
            tuple(p)
            for p in candidates
            if np.array_equal(photos[p[0], p[1] : p[1] + len(patch), p[2] : p[2] + len(patch)], patch)
        ]
        assert match
        found.append(match[0])
    return np.array(found)


def test_patches_are_of_the_photographs_halves():
    data, ids = over_photographs(blank(28)), np.arange(20)
    train, test = (places(split[ids]["image"], photographs()) for split in (data.train, data.test))
    assert (train[:, 2] + 28 <= 320).all()
    assert (test[:, 2] >= 320).all()
    assert set(train[:, 0]) == set(test[:, 0]) == {0, 1}
    assert len({tuple(p) for p in train}) == 20


def test_a_digit_is_the_distance_to_its_patch():
    shown = digits().map(lambda x: {**x, "image": 15 * x["image"]})
    data, ids = over_photographs(shown), np.array([5, 3])
    patch = over_photographs(blank(8)).train[ids]["image"].astype(int)
    ink = shown.train[ids]["image"].astype(int)
    np.testing.assert_array_equal(data.train[ids]["image"], np.abs(patch - ink))
    np.testing.assert_array_equal(data.train[ids]["label"], shown.train[ids]["label"])


def test_an_example_is_the_same_whoever_stands_beside_it():
    data = over_photographs(digits())
    np.testing.assert_array_equal(data.train[np.arange(9)]["image"][4], data.train[np.array([4])]["image"][0])
    other = over_photographs(digits(), seed=1).train[np.arange(9)]["image"]
    assert (other != data.train[np.arange(9)]["image"]).any()


def test_what_is_no_grey_image_is_refused():
    with pytest.raises(UserError, match="before signed_unit"):
        assert over_photographs(digits().map(signed_unit(17))).spec
