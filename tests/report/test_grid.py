"""Pictures of samples, pixel by pixel."""

import numpy as np
import PIL.Image
import pytest

from jaxgen.errors import UserError
from jaxgen.report.grid import PADDING_GREY, axis_limit, grid, has_picture, save_png, save_samples, save_scatter


def constant_images(values, height=1, width=1, channels=1):
    return np.broadcast_to(np.reshape(values, (-1, 1, 1, 1)), (len(values), height, width, channels)).astype(np.float32)


@pytest.mark.parametrize(("value", "pixel"), [(-1.0, 0), (1.0, 255), (-7.0, 0), (7.0, 255), (-0.2, 102), (0.6, 204)])
def test_values_map_to_pixels(value, pixel):
    assert grid(constant_images([value]), padding=0, scale=1).tolist() == [[[pixel] * 3]]


def test_every_eight_bit_value_survives():
    levels = np.arange(256)
    picture = grid(constant_images(levels / 127.5 - 1), columns=16, padding=0, scale=1)
    np.testing.assert_array_equal(picture[..., 1], levels.reshape(16, 16))


def test_layout_runs_row_by_row_with_padding_around_and_an_empty_last_cell():
    picture = grid(constant_images([-1.0, 1.0, -1.0 + 2 / 255], height=2, width=3), columns=2, padding=1, scale=2)
    p = PADDING_GREY
    rule, top = [p] * 15, [p] + [0] * 6 + [p] + [255] * 6 + [p]
    bottom = [p] + [1] * 6 + [p] * 8
    np.testing.assert_array_equal(picture[..., 0], [rule, *[top] * 4, rule, *[bottom] * 4, rule])
    np.testing.assert_array_equal(picture[..., 0], picture[..., 2])


def test_colours_keep_their_channels():
    image = np.array([1.0, -1.0, 0.6], np.float32).reshape(1, 1, 1, 3)
    assert grid(image, padding=0, scale=1).tolist() == [[[255, 0, 204]]]


def test_enlarging_repeats_pixels():
    image = np.array([[-1.0, 1.0], [1.0, -1.0]]).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(
        grid(image, padding=0, scale=3)[..., 0], np.kron([[0, 255], [255, 0]], np.ones((3, 3)))
    )


@pytest.mark.parametrize(
    ("count", "height", "width", "shape"),
    [
        (64, 8, 8, (8 * 66 + 2, 8 * 66 + 2, 3)),  # 8x8 digits, enlarged eightfold
        (10, 28, 28, (3 * 58 + 2, 4 * 58 + 2, 3)),
        (2, 128, 128, (130 + 2, 2 * 130 + 2, 3)),  # large images are left as they are
        (8, 32, 128, (4 * 34 + 2, 2 * 130 + 2, 3)),  # wide images: fewer columns
    ],
)
def test_default_layout_is_near_square_and_small_images_are_enlarged(count, height, width, shape):
    assert grid(np.zeros((count, height, width, 1))).shape == shape


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_magenta(bad):
    assert grid(constant_images([bad, -1.0]), columns=2, padding=0, scale=1).tolist() == [[[255, 0, 255], [0, 0, 0]]]


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 8, 8, 2), (0, 8, 8, 1), (8, 8)])
def test_other_shapes_are_refused_by_name(shape):
    with pytest.raises(UserError, match=r"images has shape \["):
        grid(np.zeros(shape))


@pytest.mark.parametrize("wrong", [{"columns": 0}, {"padding": -1}, {"scale": 0}])
def test_numbers_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        grid(np.zeros((1, 8, 8, 1)), **wrong)


def test_saved_png_holds_the_grid_and_nothing_else_is_left(tmp_path):
    images = np.linspace(-1, 1, 5 * 8 * 8 * 3).reshape(5, 8, 8, 3)
    path = tmp_path / "new" / "step_00000001.png"
    save_png(path, images)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(path)), grid(images))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_failed_write_keeps_the_old_picture_and_leaves_no_debris(disk, fill):
    path = disk / "samples.png"
    save_png(path, constant_images([-1.0]))
    before = path.read_bytes()
    fill(leave=0)
    with pytest.raises(OSError, match="No space"):
        save_png(path, constant_images([1.0]))
    assert path.read_bytes() == before
    assert {entry.name for entry in disk.iterdir()} == {path.name, "filler"}


@pytest.mark.parametrize(
    ("extent", "limit"), [(0.0, 1.0), (0.9, 1.0), (1.0, 1.0), (2.1, 3.0), (9.0, 10.0), (0.031, 0.04), (145.0, 150.0)]
)
def test_axis_limit_is_the_next_round_number(extent, limit):
    assert axis_limit(np.full(10, extent)) == pytest.approx(limit)


def ink(path):
    """Rows and columns of blue ink, as fractions of the picture from its top left."""
    rgb = np.asarray(PIL.Image.open(path).convert("RGB")).astype(int)
    rows, columns = np.nonzero(rgb[..., 2] - rgb[..., 0] > 60)
    return rows / rgb.shape[0], columns / rgb.shape[1]


def test_points_are_drawn_where_they_are(tmp_path):
    path = tmp_path / "points.png"
    save_samples(path, np.full((50, 2), [2.0, -1.5]))  # axes run from -2 to 2
    rows, columns = ink(path)
    assert columns.min() > 0.9
    assert rows.mean() == pytest.approx(0.84, abs=0.05)
    save_scatter(path, np.full((50, 2), [-1.5, 2.0]))
    rows, columns = ink(path)
    assert rows.max() < 0.1
    assert columns.mean() == pytest.approx(0.16, abs=0.06)


def test_scatter_takes_points_that_are_not_finite(tmp_path):
    path = tmp_path / "points.png"
    save_scatter(path, np.array([[np.nan, 0.0], [np.inf, 0.0], [0.5, 0.5]]))
    rows, _ = ink(path)
    assert len(rows) > 0
    save_scatter(path, np.full((3, 2), np.nan))
    assert len(ink(path)[0]) == 0


def test_samples_pick_the_picture_by_shape(tmp_path):
    images = np.zeros((4, 8, 8, 1))
    save_samples(tmp_path / "images.png", images)
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "images.png")), grid(images))
    assert has_picture((4, 8, 8, 1))
    assert has_picture((4, 2))
    for shape in [(4, 3), (4,), (4, 8, 8), (0, 2)]:
        assert not has_picture(shape) or 0 in shape
        with pytest.raises(UserError, match="has shape"):
            save_samples(tmp_path / "none.png", np.zeros(shape))
    assert not (tmp_path / "none.png").exists()


def test_clips_are_one_picture_that_shows_each_frame_in_turn_and_begins_anew(tmp_path):
    clips = np.linspace(-1, 1, 2 * 3 * 4 * 4).reshape(2, 3, 4, 4, 1)
    assert has_picture(clips.shape)
    save_samples(tmp_path / "clips.png", clips, columns=2)
    with PIL.Image.open(tmp_path / "clips.png") as picture:
        assert (picture.n_frames, picture.info["loop"]) == (3, 0)
        for time in range(3):
            picture.seek(time)
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), grid(clips[:, time], columns=2))
