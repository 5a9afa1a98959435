"""One's own arrays and files: fields by type and range, a held-out share, one sentence for what cannot serve."""

import io

import numpy as np
import pytest

import jaxgen.data
from jaxgen.data.own import arrays, file
from jaxgen.errors import UserError
from jaxgen.fields import Field, image, label

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (40, 4, 5, 3), np.uint8)
CLASSES = np.arange(40) % 3


def everything(source):
    return source[np.arange(len(source))]


def test_arrays_are_split_into_training_and_held_out_examples_that_stay_together():
    data = arrays(images=BYTES, labels=CLASSES, x=np.arange(40), held_out=0.25)
    train, test = everything(data.train), everything(data.test)
    assert (len(train["x"]), len(test["x"])) == (30, 10)
    numbers = np.concatenate([train["x"], test["x"]])[:, 0].astype(int)
    np.testing.assert_array_equal(np.sort(numbers), np.arange(40))
    np.testing.assert_array_equal(np.concatenate([train["image"], test["image"]]), BYTES[numbers])
    np.testing.assert_array_equal(np.concatenate([train["label"], test["label"]]), CLASSES[numbers])
    assert data.fields == {"image": image(256), "label": label(3), "x": Field()}
    assert {k: (s.shape, s.dtype) for k, s in data.spec.items()} == {
        "image": ((4, 5, 3), np.uint8),
        "label": ((), np.int32),
        "x": ((1,), np.float32),
    }
    again = arrays(images=BYTES, labels=CLASSES, x=np.arange(40), held_out=0.25)
    np.testing.assert_array_equal(everything(again.test)["x"], test["x"])
    assert again.fingerprint() == data.fingerprint()
    other = arrays(images=BYTES[::-1], labels=CLASSES, x=np.arange(40), held_out=0.25)
    assert other.fingerprint() != data.fingerprint()


def test_the_first_few_of_sorted_examples_are_of_every_class():
    data = arrays(labels=np.repeat([0, 1], 200), held_out=0.5)
    for source in (data.train, data.test):
        assert 2 <= source[np.arange(20)]["label"].sum() <= 18  # 10 are expected, with standard deviation 2.2


def test_what_is_held_out_may_be_given():
    data = arrays(images=BYTES[:30], labels=CLASSES[:30], test={"images": BYTES[30:], "labels": CLASSES[30:]})
    np.testing.assert_array_equal(everything(data.test)["image"], BYTES[30:])
    assert len(data.train) == 30
    with pytest.raises(UserError, match="test has other fields or shapes than the training arrays"):
        arrays(images=BYTES[:30], labels=CLASSES[:30], test={"images": BYTES[30:]})


@pytest.mark.parametrize(
    ("images", "dtype", "declared"),
    [
        (BYTES, np.uint8, image(256)),
        (BYTES.astype(np.uint16) * 257, np.uint16, image(65536)),
        (BYTES > 128, np.uint8, image(2)),
        (BYTES / 255, np.float32, Field(0, 1, layout="height width channels")),
        (BYTES / 127.5 - 1, np.float32, Field(-1, 1, layout="height width channels")),
    ],
)
def test_types_and_ranges_tell_what_images_are(images, dtype, declared):
    data = arrays(images=images)
    assert data.fields["image"] == declared
    assert everything(data.train)["image"].dtype == data.spec["image"].dtype == dtype
    assert arrays(images=images[..., 0]).spec["image"].shape == (4, 5, 1)


def test_a_declaration_stands_for_what_the_type_does_not_tell():
    field = Field(0, 16, 17)
    assert arrays(images=BYTES % 17, fields={"image": field}).fields["image"] == field
    assert arrays(images=BYTES.astype(np.int64) % 17, fields={"image": field}).fields["image"] == field
    assert arrays(labels=np.array([1, 2, -1]), fields={"label": label(4, unlabelled=True)}).fields["label"].classes == 4


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no arrays are given"),
        ({"images": BYTES.reshape(40, -1)}, r"images have the shape \[40, 60\]; make it \[examples, height, width, ch"),
        ({"images": np.moveaxis(np.repeat(BYTES, 2, axis=2), 3, 1)}, "channels first; put them last"),
        ({"images": BYTES.astype(np.int64)}, "images are int64 from 0 to 255; make them uint8 or numbers from -1 to 1"),
        ({"images": BYTES / 100}, r"images are float32 from 0 to 2.55; make them uint8"),
        ({"images": np.full((3, 2, 2, 1), np.nan)}, "images have the value nan"),
        ({"images": BYTES.astype(str)}, "images are <U"),
        ({"labels": CLASSES + 1}, "labels are from 1 to 3; number the classes from 0, and -1 for none"),
        ({"labels": CLASSES - 2}, "labels are from -2 to 0"),
        ({"labels": CLASSES / 2}, "labels are float64"),
        ({"labels": np.array(["cat", "dog"])}, "labels are <U3"),
        ({"labels": BYTES}, r"labels are uint8 \[40, 4, 5, 3\]"),
        ({"x": np.array([1.0, np.inf])}, "x has the value inf"),
        ({"x": np.array(["a", "b"])}, "x is <U1"),
        ({"x": np.zeros(1)}, "there are 1 examples; give at least 2"),
        ({"images": np.zeros((0, 4, 4), np.uint8)}, r"images have the shape \[0, 4, 4\], nothing; give at least 2"),
        ({"labels": np.zeros(0, int), "x": np.zeros(3)}, r"labels have the shape \[0\], nothing; give at least 2"),
        ({"images": BYTES, "labels": CLASSES[:39]}, "there are 40 of image and 39 of label; give as many of each"),
        ({"images": BYTES, "held_out": 1.5}, "held_out is 1.5; it must be between 0 and 1"),
    ],
)
def test_arrays_that_cannot_serve_are_one_sentence(given, message):
    with pytest.raises(UserError, match=message) as caught:
        arrays(**given)
    assert "\n" not in str(caught.value)


def save(path, content):
    if isinstance(content, dict):
        np.savez(path, **content)
    elif isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_files_of_arrays_and_tables_are_read(tmp_path):
    images = file(save(tmp_path / "faces.npy", BYTES))
    assert images.name == "faces"
    assert images.fields == {"image": image(256)}
    assert file(save(tmp_path / "points.npy", np.ones((9, 4)))).spec["x"].shape == (4,)
    both = file(save(tmp_path / "both.npz", {"image": BYTES, "labels": CLASSES}))
    assert set(both.spec) == {"image", "label"}
    table = file(save(tmp_path / "t.csv", "height,label,width\n" + "".join(f"{i}.5,{i % 2},2e3\n" for i in range(10))))
    train, test = everything(table.train), everything(table.test)
    assert train["x"].shape == (9, 2)
    np.testing.assert_array_equal(train["label"], (train["x"][:, 0] - 0.5) % 2)
    assert (np.concatenate([train["x"], test["x"]])[:, 1] == 2000).all()
    assert file(save(tmp_path / "plain.csv", "1,2\n3,4\n")).spec["x"].shape == (2,)


def pickled():
    out = io.BytesIO()
    np.save(out, np.array([{}], object), allow_pickle=True)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"", "a.npy cannot be read"),
        ("a.npy", b"\x93NUMPY garbage", "a.npy cannot be read"),
        ("a.npy", pickled(), "a.npy cannot be read"),
        ("a.npz", b"PK\x03\x04 no archive", "a.npz cannot be read"),
        ("a.npz", {"faces": BYTES}, "a.npz: an array is called 'faces'; call it images, labels or x"),
        ("a.csv", "", r"a.csv cannot be read \(it is empty\)"),
        ("a.csv", "h,w\n", "a.csv"),
        ("a.csv", "h,w\n1,2\n3\n", "line 3 has 1 columns and the first 2"),
        ("a.csv", "1,2\n3,four\n", "line 2 has 'four' in column 2, which is no finite number"),
        ("a.csv", "1,2\n3,nan\n", "line 2 has 'nan' in column 2, which is no finite number"),
        ("a.csv", b"\xff\xfe1,2", "a.csv cannot be read"),
    ],
)
def test_files_that_cannot_serve_are_one_sentence(name, content, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        file(save(tmp_path / name, content))
    assert "\n" not in str(caught.value)


def test_public_names_are_there_and_cost_nothing_before_they_are_used():
    assert jaxgen.data.arrays is arrays
    assert jaxgen.data.folder.__name__ == "folder"
    assert jaxgen.data.named.__name__ == "named"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jaxgen.data.nothing  # noqa: B018
