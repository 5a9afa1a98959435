"""What general coders and picture formats make of the held-out digits: `benchmarks/bytes_on_disk.py`."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from jaxgen.data.embedded import digits

SPEC = importlib.util.spec_from_file_location(
    "bytes_on_disk", Path(__file__).parent.parent / "benchmarks" / "bytes_on_disk.py"
)
assert SPEC is not None
assert SPEC.loader is not None
compression = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(compression)
IMAGES = digits().test[np.arange(360)]["image"]


def test_general_coders_have_the_sizes_that_their_commands_have():
    """Of a file of the 360 held-out images: `xz -9e` 2.890 bits a pixel, `bzip2 -9` 2.839."""
    bits = {name: 8 * size / IMAGES.size for name, size in compression.general(IMAGES).items()}
    assert bits["xz -9e"] == pytest.approx(2.890, abs=0.005)
    assert bits["bzip2 -9"] == pytest.approx(2.839, abs=0.005)


def test_pictures_keep_every_pixel_and_one_of_all_has_fewer_headers():
    sizes = compression.pictures(IMAGES[:30])
    for name in compression.PICTURES:
        assert sizes[f"{name}, all in one"] < sizes[f"{name}, a file an image"]
    mosaic = compression._mosaic(IMAGES)
    assert mosaic.shape == (18 * 8, 20 * 8, 1)
    np.testing.assert_array_equal(mosaic[8:16, 16:24], IMAGES[22])
    with pytest.raises(ValueError, match="JPEG did not keep the image"):
        compression._saved(IMAGES[0], {"format": "JPEG"})


def test_a_mixture_s_file_has_the_bits_of_its_model_and_of_its_header(tmp_path):
    data = digits()
    size, bits = compression.mixture_of_ten(data.train[np.arange(1437)]["image"], IMAGES, 17, tmp_path / "x.jxg")
    assert size == (tmp_path / "x.jxg").stat().st_size
    assert 8 * size / IMAGES.size == pytest.approx(bits, abs=0.2)  # of which the header, some 500 bytes, is 0.17
    assert bits == pytest.approx(2.234, abs=0.002)
