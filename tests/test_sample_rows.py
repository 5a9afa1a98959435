"""Rows of related samples: how many there are, what they are called, and what is near (FAULTS 2, 26, 35)."""

import types

import numpy as np
import pytest

from jaxgen.commands.options import Sample
from jaxgen.commands.sample import _Model
from jaxgen.core import Latents
from jaxgen.data.embedded import digits
from jaxgen.data.transforms import on_image
from jaxgen.errors import UserError

DARK = digits().map(on_image(lambda x: np.minimum(x, 9), lambda field: field))  # of 17 levels still


class Model(_Model):
    """A decoder that shows its latents, of which there are as few of a class as are told."""

    few = 3

    def prior(self, columns, draw=0):
        return np.zeros((-(-self.options.count // columns), 8, 8, 1), np.float32)

    def decode(self, latents):
        return np.asarray(latents)

    def latents_of(self, classes):
        return {number: np.zeros((self.few, 8, 8, 1), np.float32) for number in classes}


def drawn(**options):
    """Samples, columns and labels."""
    latents = Latents(lambda *_: None, lambda *_: None)
    run = types.SimpleNamespace(method=types.SimpleNamespace(latents=latents), stage=types.SimpleNamespace(data=DARK))
    return Model(run, Sample(run="run", **options)).draw()


ROWS = {
    "interpolate": ({"interpolate": 3}, 3, "interpolations from one latent to another", ("0", "0.5", "1"), ()),
    "truncation": ({"truncation": "2,0.04"}, 2, "truncation of one latent a row", ("2", "0.04"), ()),
    "one truncation": ({"truncation": "0.04"}, None, "truncation 0.04", (), ()),
    "temperature": ({"temperature": "1,0.7"}, 2, "temperature of one latent a row", ("1", "0.7"), ()),
    "arithmetic": (
        {"arithmetic": "8-3"}, 5, "8-3, from 0 to 1 times the way", ("0", "0.25", "0.5", "0.75", "1"),
        ("mean of 8", "a 8", "a 8", "a 8"),
    ),
    "neighbors": (
        {"neighbors": True}, 8, "samples, each beside the training image nearest to it", ("sample", "nearest"), ()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_rows_say_what_they_are_and_there_are_as_many_as_are_asked_for(name):
    options, columns, title, above, beside = ROWS[name]
    samples, found, labels = drawn(count=20, **options)
    assert (found, labels.title, tuple(labels.columns), tuple(labels.rows)) == (columns, title, above, beside)
    assert len(samples) == (40 if name == "neighbors" else 21 if name == "interpolate" else 20)


def test_more_rows_than_a_class_has_latents_are_refused():
    assert len(drawn(count=20, arithmetic="8-3")[0]) == 20
    with pytest.raises(UserError, match="count 21 takes 4 latents of class 8, of which there are 3; lower it to 20"):
        drawn(count=21, arithmetic="8-3")


def test_neighbors_are_of_the_levels_that_are_declared():
    """The brightest of these training images is 9 of 16, an eighth above the middle."""
    pairs = drawn(count=2, neighbors=True)[0].reshape(-1, 2, 8, 8, 1)
    train = DARK.train[np.arange(len(DARK.train))]["image"] / 8 - 1
    nearest = train[np.square(train).sum((1, 2, 3)).argmin()]
    np.testing.assert_allclose(pairs[:, 1], np.stack([nearest] * 2), atol=1e-6)
    assert pairs.max() <= 1 / 8 + 1e-6
