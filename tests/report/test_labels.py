"""Words around a grid of pictures: where they stand, and that the pictures stay as they are."""

import numpy as np
import PIL.Image

from jaxgen.report.grid import grid, save_png
from jaxgen.report.labels import Labels, labelled

CANVAS = np.full((100, 300, 3), 7, np.uint8)


def inked(page):
    """Whether pixels are of letters: neither paper nor canvas."""
    return (page.astype(int).sum(-1) < 600) & (page != 7).any(-1)


def test_without_words_a_canvas_stays_as_it_is():
    assert labelled(CANVAS, Labels(), columns=3, rows=1) is CANVAS


def test_the_canvas_is_whole_and_each_word_stands_at_its_column_or_row():
    page = labelled(CANVAS, Labels("T", ("0.7", "", "0.5"), ("nearest", "")), columns=3, rows=2)
    top, left = page.shape[0] - 100, page.shape[1] - 300
    assert (page[top:, left:] == 7).all()
    assert top > 30
    assert left > 40
    ink = inked(page)
    heads, names = ink[top // 2 : top], ink[top:, :left]
    middles = [left + 50, left + 150, left + 250]
    found = [heads[:, middle - 20 : middle + 20].any() for middle in middles]
    assert found == [True, False, True]
    assert names[:50].any()
    assert not names[50:].any()
    assert ink[: top // 2, :40].any()  # the title


def test_columns_repeat_what_two_of_them_are(tmp_path):
    images = np.zeros((8, 8, 8, 1))
    save_png(tmp_path / "a.png", images, columns=4, labels=Labels("pairs", ("i", "nearest")))
    page, plain = np.asarray(PIL.Image.open(tmp_path / "a.png")), grid(images, columns=4)
    top = page.shape[0] - plain.shape[0]
    np.testing.assert_array_equal(page[top:, : plain.shape[1]], plain)
    ink, width = inked(page)[top // 2 : top], plain.shape[1] // 4
    first, second, third, _ = (ink[:, i * width + 4 : (i + 1) * width - 4] for i in range(4))
    assert (first.sum(), second.sum()) != (0, 0)
    np.testing.assert_allclose(first.sum(), third.sum(), rtol=0.2)
    assert second.sum() > 1.1 * first.sum()  # a longer word


def test_a_title_wider_than_the_picture_is_not_cut(tmp_path):
    title = "a long way from here to there"
    save_png(tmp_path / "a.png", np.zeros((1, 8, 8, 1)), labels=Labels(title))
    page = np.asarray(PIL.Image.open(tmp_path / "a.png"))
    ink = inked(page[:20]).any(0)
    assert page.shape[1] > 150
    assert ink[-20:].any()
    assert not ink[-3:].any()
