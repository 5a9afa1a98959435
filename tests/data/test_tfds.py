"""TFDS sets: read without TensorFlow where prepared, one sentence where not."""

import os
import subprocess
import sys
import types

import numpy as np
import pytest

from jaxgen.data import tfds
from jaxgen.errors import UserError
from jaxgen.fields import Field, image, label

FOLDER = os.path.expanduser(os.environ.get("TFDS_DATA_DIR", ""))


def prepared(name):
    absent = not FOLDER or not os.path.isdir(os.path.join(FOLDER, name))
    return [pytest.mark.real_data, pytest.mark.skipif(absent, reason=f"no {name} in TFDS_DATA_DIR")]


REAL = [
    pytest.param("mnist", (28, 28, 1), 60_000, [4, 1, 0, 7, 8, 1, 2, 7], marks=prepared("mnist")),
    pytest.param("cifar10", (32, 32, 3), 50_000, None, marks=prepared("cifar10")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape", "count", "labels"), REAL)
def test_real_sets_in_memory_equal_those_read_from_disk(name, shape, count, labels, monkeypatch):
    data = tfds.images(name)
    assert data.spec["image"].shape == shape
    test = data.test[np.arange(len(data.test))]
    assert test["image"].shape == (10_000, *shape)
    assert test["image"].dtype == np.uint8
    assert test["label"].dtype == np.int32
    np.testing.assert_array_equal(np.unique(test["label"]), np.arange(10))
    monkeypatch.setattr(tfds, "MEMORY_BYTES", 0)
    disk = tfds.images(name)
    assert len(disk.train) == count
    ids = np.array([9_999, 3, 3, 1_024])
    for field in ("image", "label"):
        np.testing.assert_array_equal(disk.test[ids][field], test[field][ids])
        assert disk.test[ids][field].dtype == disk.spec[field].dtype
    if labels:
        np.testing.assert_array_equal(disk.train[np.arange(len(labels))]["label"], labels)


def test_shapes_are_known_without_the_data(tmp_path):
    spec = tfds.images("mnist", data_dir=str(tmp_path)).map(lambda x: {"image": x["image"] / np.float32(255)}).spec
    assert set(spec) == {"image"}
    assert spec["image"].shape == (28, 28, 1)
    assert spec["image"].dtype == np.float32
    assert not list(tmp_path.iterdir())


def test_images_of_varying_size_are_cut_to_a_square_and_resized(tmp_path):
    data = tfds.images("imagenet2012", size=4, held_out="validation", data_dir=str(tmp_path))
    assert data.test.split == "validation"
    assert data.spec["image"].shape == (4, 4, 3)

    class Records:
        """Left to right black, blocks of grey and white; above and below one another, with a frame to cut off."""

        def __getitems__(self, ids):
            square = np.kron(np.asarray([[0, 100], [100, 255]], np.uint8), np.ones((8, 8), np.uint8))
            wide, high = np.pad(square, ((0, 0), (5, 5))), np.pad(square, ((9, 9), (0, 0)))
            return [{"image": np.stack([(wide, high)[i]] * 3, -1), "label": i} for i in ids]

    table = tfds._OnDisk(Records(), data.test.describe(), size=4)
    images = table[np.asarray([1, 0])]["image"]
    assert images.shape == (2, 4, 4, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_allclose(images[0, [0, 0, 3, 3], [0, 3, 0, 3], 0], [0, 100, 100, 255], atol=8)


class Feature:
    """As TFDS describes a field."""

    def __init__(self, shape, dtype, **more):
        self.shape, self.np_dtype = shape, dtype
        vars(self).update(more)


@pytest.mark.parametrize(
    ("values", "declared"),
    [
        (np.array([0, 256, 300, 65535], np.uint16), image(65536)),
        (np.array([0, 0.25, 0.5, 1], np.float32), Field()),
        (np.array([0, 1, 17, 255], np.uint8), image(256)),
        (np.array([-5, 0, 3, 300], np.int16), Field()),
    ],
)
def test_images_keep_their_type(values, declared, monkeypatch):
    pictures = values.reshape(-1, 1, 1, 1)
    features = {"image": Feature((1, 1, 1), values.dtype.type), "label": Feature((), np.int64, num_classes=7)}
    builder = types.SimpleNamespace(info=types.SimpleNamespace(features=features))

    class Records(list):
        def __getitems__(self, ids):
            return [self[i] for i in ids]

    table = Records({"image": x, "label": np.int64(6), "id": b"x"} for x in pictures)
    monkeypatch.setattr(tfds, "_builder", lambda name, folder: builder)
    monkeypatch.setattr(tfds, "records", lambda name, data_dir, split: table)
    data = tfds.images("own")
    found = data.train[np.arange(4)]
    np.testing.assert_array_equal(found["image"], pictures)
    assert found["image"].dtype == data.spec["image"].dtype == values.dtype
    assert found["label"].dtype == np.int32
    assert data.fields == {"image": declared, "label": label(7)}
    if values.dtype != np.uint8:
        with pytest.raises(UserError, match=f"images of 'own' are {values.dtype}, and only uint8 ones are resized"):
            tfds.images("own", size=4).spec  # noqa: B018


def test_a_set_that_is_not_prepared_is_one_sentence_without_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        len(tfds.images("mnist", data_dir=str(tmp_path)).train)
    assert str(caught.value) == (
        f"The data set 'mnist' is not prepared in {tmp_path}, and preparing it needs TensorFlow: give the folder that "
        "holds it with --data-dir or TFDS_DATA_DIR, or `pip install tensorflow`."
    )


def test_a_download_that_fails_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.importlib.util, "find_spec", lambda name: object())

    def unreachable():
        raise ConnectionError("Name or service not known.\nlong traceback")

    monkeypatch.setattr(tfds._builder("mnist", str(tmp_path)), "download_and_prepare", unreachable)
    with pytest.raises(UserError) as caught:
        len(tfds.images("mnist", data_dir=str(tmp_path)).train)
    assert str(caught.value) == (
        f"The data set 'mnist' is not prepared in {tmp_path}, and getting it failed (Name or service not known): give "
        "the folder that holds it with --data-dir or TFDS_DATA_DIR, or try again."
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuchset", "knows no data set 'nosuchset', nor is one prepared in"),
        ("mnist:9.9.9", "cannot open 'mnist:9.9.9'"),
        ("imagenet2012", "no field 'image' of one fixed size"),
        ("imdb_reviews", "no field 'image' of one fixed size"),
    ],
)
def test_names_that_cannot_serve_are_one_sentence(name, message, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        len(tfds.images(name, data_dir=str(tmp_path)).train)
    assert "\n" not in str(caught.value)


def test_the_folder_is_the_environments_at_first_use(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.importlib.util, "find_spec", lambda name: None)
    source = tfds.images("mnist").train
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(UserError, match=str(tmp_path)):
        len(source)


def test_constructing_imports_neither_tfds_nor_tensorflow():
    script = """
import sys
from jaxgen.data import embedded, pipeline, tfds
tfds.images("mnist"), embedded.digits()
print(sorted({"tensorflow", "tensorflow_datasets", "sklearn"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "[]"
