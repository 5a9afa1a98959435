"""Domains whose translation is known: what is made of an image, and that no image meets its partner in training."""

import numpy as np
import pytest
from scipy import ndimage

from jaxgen.data import domains
from jaxgen.data.embedded import digits
from jaxgen.data.parts import few, halves
from jaxgen.data.pipeline import batches
from jaxgen.errors import UserError

X = np.random.default_rng(0).integers(0, 17, (3, 6, 7, 1)).astype(np.uint8)


def test_changes_by_scipy():
    neighbours = (1, 3, 3, 1)
    np.testing.assert_array_equal(domains.thicken(X), ndimage.maximum_filter(X, neighbours, mode="nearest"))
    np.testing.assert_array_equal(domains.edges(X), X - ndimage.minimum_filter(X, neighbours, mode="nearest"))
    np.testing.assert_array_equal(domains.invert(17)(X), 16 - X)
    np.testing.assert_array_equal(domains.rotate(X)[1, ..., 0], np.rot90(X[1, ..., 0]))
    np.testing.assert_array_equal(domains.colour(1, 0.5, 0)(X)[..., 1], X[..., 0] // 2)
    for change in (domains.thicken, domains.edges, domains.invert(17), domains.rotate, domains.colour()):
        assert change(X).dtype == np.uint8


def names(image):
    return {row.tobytes() for row in image}


def test_domains_share_no_image_and_have_every_image_but_once():
    data = domains.unpaired(digits(), domains.invert(17))
    a, b = (data.train.sources[name] for name in ("a", "b"))
    of_a, of_b = a[np.arange(len(a))]["image"], 16 - b[np.arange(len(b))]["image"]
    everything = digits().train[np.arange(1437)]["image"]
    assert len(a) + len(b) == 1437
    assert not names(of_a) & names(of_b)
    assert names(of_a) | names(of_b) == names(everything)
    assert set(a.spec) == {"image", "label"}  # no target


def test_what_is_held_out_has_its_truth_beside_it():
    data = domains.unpaired(digits(), domains.rotate)
    a, b = (data.test.sources[name][np.arange(360)] for name in ("a", "b"))
    np.testing.assert_array_equal(a["target"], np.rot90(a["image"], axes=(1, 2)))
    np.testing.assert_array_equal(b["image"], a["target"])
    np.testing.assert_array_equal(b["target"], a["image"])


def test_batches_meet_by_chance():
    """Positions in the two streams' batches that hold images of one label: as many as of independent draws."""
    data = domains.unpaired(digits(), domains.thicken)
    it = batches(data.train, batch_size=64, seed=0)
    same = []
    for _ in range(60):
        batch = next(it)
        same.append(batch["a"]["label"] == batch["b"]["label"])
    it.close()
    share = np.concatenate([np.ravel(s) for s in same]).mean()
    assert abs(share - 0.1) < 4 * np.sqrt(0.09 / (60 * 64))


def test_pairs_and_pairs_turned_round():
    forth, back = (domains.paired(digits(), domains.edges, reverse=r).test[np.arange(5)] for r in (False, True))
    np.testing.assert_array_equal(forth["target"], domains.edges(forth["image"]))
    np.testing.assert_array_equal(forth["image"], back["target"])
    np.testing.assert_array_equal(forth["target"], back["image"])


def test_a_few_examples_are_always_the_same_few():
    data = few(digits(), 100, seed=3)
    ids = np.arange(100)
    assert len(data.train) == 100
    np.testing.assert_array_equal(data.train[ids]["image"], few(digits(), 100, seed=3).train[ids]["image"])
    assert len(names(data.train[ids]["image"]) & names(few(digits(), 100, seed=4).train[ids]["image"])) < 30
    assert len(data.test) == 360
    with pytest.raises(UserError, match="digits has 1437 examples to train on, fewer than 2000"):
        len(few(digits(), 2000).train)


def test_halves_are_disjoint_and_everything():
    first, second = halves(digits().train)
    both = names(first[np.arange(len(first))]["image"]), names(second[np.arange(len(second))]["image"])
    assert not both[0] & both[1]
    assert abs(len(first) - len(second)) == 1
