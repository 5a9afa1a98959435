"""What data declares, what is taken of it, and the sentence where they differ (FAULTS 1 and 4)."""

import numpy as np
import pytest

from jaxgen.data.check import check_declarations, check_examples
from jaxgen.data.embedded import digits
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.data.stacked import stacked
from jaxgen.data.tagging import tagged_sentences
from jaxgen.data.transforms import binarize, enlarge, on_image, pad, signed_unit
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED, UNIT, Field, image, label

GREYS = Field(-1, 1, 17, layout="height width channels")  # what a discretized likelihood takes


def undeclared(**arrays):
    """A data set that says nothing of its values."""
    table = Memory({name: np.asarray(x) for name, x in arrays.items()})
    source = Source("own", "train", lambda: table[np.zeros(1, int)], lambda: table)
    return Dataset(source, source)


def pictures(low, high, *, count=300, dtype=np.float32):
    """Undeclared images whose values are `low`, `high` and the fifteen between, in turn."""
    return undeclared(image=np.resize(np.linspace(low, high, 17), (count, 4, 4, 1)).astype(dtype))


def refused(takes, data, message):
    with pytest.raises(UserError) as caught:
        check_declarations(takes, data, method="GAN")
        check_examples(takes, data, method="GAN")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def taken(takes, data):
    check_declarations(takes, data, method="GAN")
    check_examples(takes, data, method="GAN")


TAKES = {"signed": SIGNED, "unit": UNIT, "levels": image(17), "greys": GREYS}
GIVEN = {
    "signed": lambda data: data.map(signed_unit(17)),
    "unit": lambda data: data.map_once(binarize(17)),
    "levels": lambda data: data,
}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("asked", TAKES)
def test_declared_images_are_taken_where_their_range_and_levels_are_those_asked_for(asked, given):
    data = GIVEN[given](digits())
    if (asked, given) in {("signed", "signed"), ("unit", "unit"), ("levels", "levels"), ("greys", "signed")}:
        taken({"image": TAKES[asked]}, data)
    else:
        refused({"image": TAKES[asked]}, data, "image of digits has ")


@pytest.mark.parametrize(
    ("asked", "low", "high", "message"),
    [
        ("unit", -1, 1, "has the value -1 where GAN takes values from 0 to 1"),
        ("unit", 0, 16, "has the value 2 where GAN takes values from 0 to 1"),  # 1 is in the range
        ("signed", 0, 1, "has no value below 0 (they are 0 to 1) where GAN takes values from -1 to 1"),
        ("signed", 0, 255, "where GAN takes values from -1 to 1; `data.map(signed_unit(LEVELS))` makes it so"),
        ("greys", 0, 1, "has the value 0.0625, between two levels, where GAN takes 17 levels from -1 to 1"),
        ("levels", -1, 1, "has the value -1 where GAN takes 17 levels from 0 to 16"),
        ("levels", 0, 1, "has the value 0.0625, between two levels,"),
        ("levels", 0, 255, "where GAN takes 17 levels from 0 to 16"),
    ],
)
def test_undeclared_images_are_looked_at(asked, low, high, message):
    refused({"image": TAKES[asked]}, pictures(low, high), message)


RIGHT = [("unit", 0, 1), ("signed", -1, 1), ("greys", -1, 1), ("levels", 0, 16)]


@pytest.mark.parametrize(("asked", "low", "high"), RIGHT)
def test_undeclared_images_of_the_right_range_are_taken(asked, low, high):
    taken({"image": TAKES[asked]}, pictures(low, high))
    if asked == "levels":
        taken({"image": TAKES[asked]}, pictures(low, high, dtype=np.uint8))


def test_values_that_are_no_numbers_are_named():
    x = np.linspace(-1, 1, 300 * 4).reshape(300, 2, 2, 1)
    for value in (np.nan, np.inf):
        x[-1, 0, 0, 0] = value
        refused({"image": SIGNED}, undeclared(image=x), f"image of own/train has the value {value}")


@pytest.mark.parametrize(
    ("labels", "asked", "message"),
    [
        (np.arange(300) % 10 + 1, label(10), "has the value 10 where GAN takes classes 0 to 9"),
        (np.arange(300) % 11 - 1, label(10), "has the value -1 where GAN takes classes 0 to 9"),
        (np.arange(300) % 10 / 2, label(10), "has the value 0.5 where"),
        (np.arange(300) % 11 - 2, label(10, unlabelled=True), "has the value -2 where GAN takes classes 0 to 9 and -1"),
    ],
)
def test_labels_that_are_no_classes_are_named(labels, asked, message):
    refused({"label": asked}, undeclared(label=labels), f"label of own/train {message}")
    taken({"label": asked}, undeclared(label=np.arange(300) % 10))


def test_classes_that_are_declared_are_compared_before_any_data_is_read():
    data = tagged_sentences(train=2, labelled=1)
    with pytest.raises(UserError, match="label of tagged_sentences has classes 0 to 6 and -1, which is none, where"):
        check_declarations({"label": label(7)}, data, method="GAN")
    check_declarations({"label": label(7, unlabelled=True)}, data, method="GAN")
    with pytest.raises(UserError, match=r"label of digits has classes 0 to 9 where GAN takes classes 0 to 2; number"):
        check_declarations({"label": label(3)}, digits(), method="GAN")
    check_declarations({"label": label(10)}, digits(), method="GAN")


def test_a_field_that_is_missing_or_of_another_shape_is_named():
    refused({"x": Field()}, digits(), "GAN takes a field 'x', which digits has not; give it one, beside image and")
    flat = digits().map(on_image(lambda x: x.reshape(len(x), -1)))
    refused({"image": SIGNED}, flat, "image of digits has the shape [64] where GAN takes [height, width, channels]")


def test_streams_are_held_against_what_is_taken_of_each():
    data = Dataset.streams(photos=digits().map(signed_unit(17)), drawings=digits())
    taken({"photos": {"image": SIGNED}}, data)
    refused({"drawings": {"image": SIGNED}}, data, "image of drawings of digits has 17 levels from 0 to 16 where GAN")
    own = Dataset.streams(photos=pictures(0, 1))
    refused({"photos": {"image": SIGNED}}, own, "image of own/train has no value below 0")


def test_transforms_carry_what_is_declared():
    data = digits()
    assert data.fields["image"] == image(17)
    assert data.map(pad(10)).map(enlarge(20)).fields["image"] == image(17)
    assert stacked(data).map(signed_unit(17)).fields == {"image": GREYS, "label": label(10)}
    assert data.map_once(binarize(17)).fields["image"] == image(2)
    assert data.map(lambda x: {"label": x["label"]}).fields == {"label": label(10)}
    assert data.map(lambda x: {**x, "image": x["image"] / 16}).fields == {"label": label(10)}
    assert data.map(on_image(lambda x: x + 1)).fields["image"] == Field()


@pytest.mark.parametrize(("name", "transform"), [("signed_unit", signed_unit), ("binarize", binarize)])
def test_levels_that_the_images_do_not_have_are_refused(name, transform):
    message = f"{name} has levels=256, from 0, where image has 17 levels from 0 to 16; set levels to 17."
    refused({}, digits().map(transform(256)), message)
    twice = digits().map(signed_unit(17)).map(transform(17))
    refused({}, twice, f"{name} has levels=17, from 0, where image has 17 levels from -1 to 1; leave it out.")


def test_data_that_is_not_what_it_says_is_refused():
    table = Memory({"image": np.zeros((5, 4, 4, 1), np.uint8)})
    wrong = {
        "uint8 [4, 4, 1] where `describe` says float32 [4, 4, 1]": {"image": np.zeros((1, 4, 4, 1), np.float32)},
        "uint8 [4, 4, 1] where `describe` says uint8 [8, 4, 1]": {"image": np.zeros((1, 8, 4, 1), np.uint8)},
        "label of own/train is missing": {"image": np.zeros((1, 4, 4, 1), np.uint8), "label": np.zeros(1, int)},
    }
    for message, example in wrong.items():
        source = Source("own", "train", lambda example=example: example, lambda: table)
        refused({}, Dataset(source, source), message)
    example = {"image": np.zeros((1, 4, 4, 1), np.uint8)}
    bright = Memory({"image": np.full((5, 4, 4, 1), 200, np.uint8)})
    source = Source("own", "train", lambda: example, lambda: bright, lambda: {"image": image(17)})
    refused({}, Dataset(source, source), "image of own/train has the value 200 where its declaration says 17 levels")
    none = Source("own", "train", lambda: example, lambda: Memory({"image": np.zeros((0, 4, 4, 1), np.uint8)}))
    refused({}, Dataset(none, none), "own/train has no examples")
