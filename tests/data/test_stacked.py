"""Stacked images: made of the split's own examples, the same every time, with a thousand modes."""

import numpy as np
import pytest

from jaxgen.data.embedded import digits
from jaxgen.data.stacked import stacked
from jaxgen.data.transforms import signed_unit
from jaxgen.errors import UserError


def everything(source):
    return source[np.arange(len(source))]


def test_each_channel_is_an_example_of_the_same_split_with_its_label():
    data = stacked(digits(), train=500, test=50)
    for stack, single, count in ((data.train, digits().train, 500), (data.test, digits().test, 50)):
        assert len(stack) == count
        known = {image.tobytes(): label for image, label in zip(*everything(single).values(), strict=True)}
        examples = everything(stack)
        assert examples["label"].shape == (count, 3)
        for image, labels in zip(*examples.values(), strict=True):
            assert [known[np.ascontiguousarray(image[..., c]).tobytes()] for c in range(3)] == list(labels)


def test_examples_are_a_function_of_the_seed_and_their_number():
    first, again, other = (stacked(digits(), train=200, test=10, seed=seed).train for seed in (3, 3, 4))
    ids = np.array([7, 7, 190])
    for field, x in first[ids].items():
        np.testing.assert_array_equal(x, everything(again)[field][ids])
        assert x.dtype == first.spec[field].dtype
        assert x.shape[1:] == first.spec[field].shape
    assert not np.array_equal(everything(first)["label"], everything(other)["label"])


def test_there_are_a_thousand_modes_almost_equally_often():
    labels = everything(stacked(digits(), train=20_000, test=10).train)["label"]
    counts = np.bincount(labels @ [100, 10, 1], minlength=1000)
    assert counts.shape == (1000,)
    assert counts.min() > 0
    assert counts.std() < 2 * np.sqrt(20)  # independent draws have √20, and digits are not quite equally many


def test_what_cannot_be_stacked_is_refused_before_it_is_read():
    for data in (stacked(digits(), train=20, test=20), digits().map(lambda x: {"image": x["image"]})):
        with pytest.raises(UserError, match="cannot be stacked; take labelled images of one channel"):
            assert stacked(data).spec
    assert stacked(digits()).map(signed_unit(17)).spec["image"].shape == (8, 8, 3)
