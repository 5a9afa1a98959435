"""Folders of images: every kind of file is an image or one sentence with its name."""

import io
import re
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from jaxgen.data import pictures
from jaxgen.data.lookup import named, short_name
from jaxgen.data.pictures import folder
from jaxgen.errors import UserError
from jaxgen.fields import image, label

RNG = np.random.default_rng(0)


def picture(height=6, width=6, mode="RGB", seed=0):
    depth = {"L": (), "RGB": (3,), "RGBA": (4,), "CMYK": (4,)}[mode]
    values = np.random.default_rng(seed).integers(0, 256, (height, width, *depth), np.uint8)
    return PIL.Image.fromarray(values, mode=mode)


def encoded(picture, kind="PNG", **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else encoded(content))


def fill(path, count=12, sub=("",), **options):
    for number in range(count):
        write(path / sub[number % len(sub)] / f"{number:03}.png", picture(seed=number, **options))
    return path


def everything(source):
    return source[np.arange(len(source))]


def images_of(data):
    return {x.tobytes() for source in (data.train, data.test) for x in everything(source)["image"]}


def test_every_file_is_an_example_of_training_or_held_out_and_subfolders_are_classes(tmp_path):
    fill(tmp_path, 30, sub=("dog", "cat", "eel"))
    data = folder(tmp_path, held_out=0.3)
    assert data.spec["image"].shape == (6, 6, 3)
    assert data.fields == {"image": image(256), "label": label(3, names=("cat", "dog", "eel"))}
    assert len(data.train) + len(data.test) == 30
    found = {x.tobytes(): y for s in (data.train, data.test) for x, y in zip(*everything(s).values(), strict=True)}
    expected = {np.asarray(picture(seed=n)).tobytes(): (1, 0, 2)[n % 3] for n in range(30)}  # alphabetical
    assert found == expected


def test_what_is_held_out_follows_from_the_names_alone(tmp_path):
    first = folder(fill(tmp_path / "a", 40), held_out=0.3)
    more = folder(fill(tmp_path / "b", 60), held_out=0.3)
    held = {x.tobytes() for x in everything(first.test)["image"]}
    assert 4 <= len(held) <= 20  # 12 are expected, with standard deviation 2.9
    assert held <= {x.tobytes() for x in everything(more.test)["image"]}
    assert len(folder(fill(tmp_path / "c", 2), held_out=0.01).test) == 1  # never none


def test_the_first_few_of_a_folder_are_of_every_class_in_an_order_of_the_names_alone(tmp_path):
    fill(tmp_path, 60, sub=("a", "b"))
    few = folder(tmp_path, held_out=0.4)
    for source in (few.train, few.test):
        assert 1 <= source[np.arange(10)]["label"].sum() <= 9  # 5 are expected, with standard deviation 1.6
    before = [x.tobytes() for x in everything(few.test)["image"]]
    write(tmp_path / "a" / "more.png", picture(seed=99))
    after = [x.tobytes() for x in everything(folder(tmp_path, held_out=0.4).test)["image"]]
    assert [x for x in after if x in before] == before


def test_images_from_disk_are_those_in_memory(tmp_path, monkeypatch):
    fill(tmp_path, 12, sub=("a", "b"))
    memory = everything(folder(tmp_path).train)
    monkeypatch.setattr(pictures, "MEMORY_BYTES", 0)
    source = folder(tmp_path).train
    ids = np.array([3, 0, 3])
    for field, x in source[ids].items():
        np.testing.assert_array_equal(x, memory[field][ids])


def test_the_middle_square_is_resized_without_aliasing(tmp_path):
    """Stripes of one pixel are grey from afar, and what is outside of the square is cut off."""
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    wide = np.pad(stripes, ((0, 0), (16, 16)), constant_values=255)
    for name in ("a", "b"):
        write(tmp_path / f"{name}.png", PIL.Image.fromarray(wide))
    small = everything(folder(tmp_path, size=8).train)["image"]
    assert small.shape == (1, 8, 8, 1)
    assert np.abs(small.astype(int) - 127).max() <= 20  # every eighth pixel alone would be 0 or 255


def test_channels_make_all_images_grey_or_coloured(tmp_path):
    for number, mode in enumerate(("L", "RGB", "CMYK", "RGBA")):
        kind = "JPEG" if mode == "CMYK" else "PNG"
        write(tmp_path / f"{number}.{kind.lower()}", encoded(picture(mode=mode), kind))
    assert everything(folder(tmp_path, channels=3, held_out=0.01).train)["image"].shape == (3, 6, 6, 3)
    assert everything(folder(tmp_path, channels=1, held_out=0.01).train)["image"].shape == (3, 6, 6, 1)


def test_transparent_pixels_are_white(tmp_path):
    clear = np.zeros((6, 6, 4), np.uint8)
    clear[0, 0] = [10, 20, 30, 255]
    for name in ("a", "b"):
        write(tmp_path / f"{name}.png", PIL.Image.fromarray(clear))
    (x,) = everything(folder(tmp_path).train)["image"]
    assert x[0, 0].tolist() == [10, 20, 30]
    assert (x.reshape(-1, 3)[1:] == 255).all()


def test_a_camera_held_sideways_is_turned(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees clockwise to see"
    for name in ("a", "b"):
        write(tmp_path / f"{name}.png", encoded(picture(4, 6), exif=exif))
    (x,) = everything(folder(tmp_path).train)["image"]
    np.testing.assert_array_equal(x, np.rot90(np.asarray(picture(4, 6)), -1))


def bomb(width, height):
    """A PNG whose header promises so many pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def sixteen():
    return encoded(PIL.Image.fromarray(np.full((6, 6), 40_000, np.uint16)))


GOOD = encoded(picture())
BAD = {
    "empty.png": (b"", "is empty"),
    "text.png": (b"not an image at all", "is no PNG, JPEG, WEBP file, whatever its name"),
    "bitmap.png": (encoded(picture(), "BMP"), "is no PNG, JPEG, WEBP file, whatever its name"),
    "script.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no PNG, JPEG, WEBP file"),
    "cut.png": (GOOD[: len(GOOD) // 2], "is damaged"),
    "flipped.png": (GOOD[:60] + bytes([GOOD[60] ^ 255]) + GOOD[61:], "is damaged"),
    "cut.jpg": (encoded(picture(64, 64), "JPEG")[:400], "is damaged"),
    "bomb.png": (bomb(100_000, 100_000), "has more than 67108864 pixels; make it smaller, or set skip_bad"),
    "large.png": (bomb(9_000, 9_000), "has more than 67108864 pixels"),
    "sixteen.png": (sixteen(), "has 16 bits or more a channel; make it 8, or set skip_bad"),
    "grey.png": (
        encoded(picture(mode="L")),
        "has one channel where 000.png has 3; give channels=1 or channels=3 for all",
    ),
    "print.jpg": (
        encoded(picture(mode="CMYK"), "JPEG"),
        "has CMYK colours where 000.png has 3; give channels=1 or channels=3",
    ),
    "tall.png": (encoded(picture(9, 6)), "has 9x6 pixels where 000.png has 6x6; give a size, to which all are resized"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_serve_is_named_and_may_be_skipped(name, tmp_path, monkeypatch):
    content, message = BAD[name]
    write(fill(tmp_path) / name, content)

    def look(data):
        for source in (data.train, data.test):
            everything(source)

    with pytest.raises(UserError, match=re.escape(f"{tmp_path / name} {message}")) as caught:
        look(folder(tmp_path, held_out=0.5))
    assert "\n" not in str(caught.value)
    said = []
    data = folder(tmp_path, held_out=0.5, skip_bad=True, say=said.append)
    assert images_of(data) == {np.asarray(picture(seed=n)).tobytes() for n in range(12)}
    assert len(said) == 1
    assert re.search(r"1 of \d+ files of (train|test) cannot be read and are left out", said[0])
    monkeypatch.setattr(pictures, "MEMORY_BYTES", 0)
    assert images_of(folder(tmp_path, held_out=0.5, skip_bad=True)) == images_of(data)


def test_folders_that_cannot_serve_are_one_sentence(tmp_path):
    def refused(message, path=tmp_path, **options):
        with pytest.raises(UserError, match=message):
            folder(path, **options).spec  # noqa: B018

    refused("is no folder; name one that holds", tmp_path / "nowhere")
    refused("has 0 PNG, JPEG, WEBP files; it takes at least 2")
    (tmp_path / "notes.txt").write_text("hello")
    write(tmp_path / ".cache" / "thumb.png", picture())
    refused("has 0 PNG, JPEG, WEBP files; it takes at least 2")
    fill(tmp_path, 3)
    write(tmp_path / "cats" / "a.png", picture())
    refused("has both 000.png and subfolders, which are classes; move it into one")
    refused("channels is 2; it must be 1 or 3", channels=2)
    refused("size is 0; it must be at least 1", size=0)
    refused("held_out is 1; it must be between 0 and 1", held_out=1)
    for name in ("a.png", "b.png"):
        write(tmp_path / "bad" / name, b"")
    refused("has no file that can be read", tmp_path / "bad", skip_bad=True)


def test_a_fingerprint_tells_a_folder_that_changed(tmp_path):
    before = folder(fill(tmp_path, 3)).fingerprint()
    assert before == folder(tmp_path, size=4).fingerprint()
    assert before["files"] == 3
    write(tmp_path / "000.png", picture(7, 7))
    changed = folder(tmp_path).fingerprint()
    (tmp_path / "001.png").rename(tmp_path / "009.png")
    assert len({tuple(x.values()) for x in (before, changed, folder(tmp_path).fingerprint())}) == 3


def test_names_are_shipped_sets_then_paths_then_prepared_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    fill(tmp_path / "digits")  # a shipped name stays what it is
    assert named("digits").spec["image"].shape == (8, 8, 1)
    assert named("./digits").spec["image"].shape == (6, 6, 3)
    assert named("./digits", size=4, channels=1).spec["image"].shape == (4, 4, 1)
    np.save(tmp_path / "x.npy", RNG.integers(0, 256, (9, 6, 6, 3), np.uint8))
    data = named("x.npy", size=3, channels=1)
    assert everything(data.train)["image"].shape[1:] == data.spec["image"].shape == (3, 3, 1)
    assert data.fields["image"] == image(256)
    for name, message in (
        ("digit", "is no shipped data set, no path, and not prepared for TFDS in .*; did you mean digits?"),
        ("stl10", "is no shipped data set, no path, and not prepared for TFDS in .*; choose digits, "),
        ("nowhere/images", "is no shipped data set, no path"),
    ):
        with pytest.raises(UserError, match=message):
            named(name)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match="is a file of another kind than .npy, .npz, .csv"):
        named("notes.txt")
    with pytest.raises(UserError, match="digits has images of 17 levels, which are not resized"):
        named("digits", size=4)


def test_run_folders_tell_paths_of_one_name_apart(tmp_path):
    for parent in ("a", "b"):
        fill(tmp_path / parent / "faces")
    first, second = (short_name(str(tmp_path / parent / "faces")) for parent in ("a", "b"))
    assert first != second
    assert re.fullmatch(r"faces-[0-9a-f]{6}", first)
    assert short_name(f"{tmp_path}/a/../a/faces/") == first
    assert short_name("digits") == "digits"
    assert short_name("cifar100:3.0.2") == "cifar100_3.0.2"
