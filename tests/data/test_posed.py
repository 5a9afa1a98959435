"""A folder of pictures with a bright square where the joint is: it is where the joints say, cut out and resized."""

import numpy as np
import PIL.Image
import pytest

from jaxgen.data.figures import heat_maps
from jaxgen.data.posed import posed_pairs
from jaxgen.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Pictures of 40x64 pixels, each black but for a square of 8 pixels around its joint."""
    lines = ["name:keypoints_y:keypoints_x"]
    for index, (y, x) in enumerate([(30, 20), (40, 8), (25, 30)]):
        picture = np.zeros((64, 40, 3), np.uint8)
        picture[y - 4 : y + 4, x - 4 : x + 4] = 255
        PIL.Image.fromarray(picture).save(tmp_path / f"{index}.png")
        lines.append(f"{index}.png: [{y - 0.5}, -1]: [{x - 0.5}, -1]")
    (tmp_path / "annotation.csv").write_text("\n".join(lines))
    (tmp_path / "pairs.csv").write_text("from,to\n0.png,1.png\n1.png,2.png\n2.png,0.png\n")
    return tmp_path


def test_joints_are_where_the_pictures_have_them(folder):
    data = posed_pairs(folder, size=20)
    assert (len(data.train), len(data.test)) == (2, 1)
    for split in (data.train, data.test):
        for pair in (split[np.array([index])] for index in range(len(split))):
            weight = pair["target"][0].mean(-1) + 1
            y, x = np.mgrid[:20, :20]
            centre = [(weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()]
            np.testing.assert_allclose(pair["target_keypoints"][0, 0], centre, atol=0.1)
            assert np.isnan(pair["target_keypoints"][0, 1]).all()
            assert pair["image"].shape == (1, 20, 20, 3)
            assert np.abs(pair["image"] - pair["target"]).max() > 1


def test_a_joint_that_is_not_seen_has_an_empty_map():
    maps = np.asarray(heat_maps(np.array([[3.0, 4.0], [np.nan, np.nan]]), 8))
    assert maps[4, 3, 0] == 1
    assert (maps[..., 1] == 0).all()


def test_mistakes_are_told(folder):
    with pytest.raises(UserError, match="pairs.csv is not there"):
        len(posed_pairs(folder / "nowhere", size=20).train)
    (folder / "pairs.csv").write_text("from,to\n0.png,3.png\n")
    with pytest.raises(UserError, match="3.png cannot be read"):
        len(posed_pairs(folder, size=20).train)
    (folder / "pairs.csv").write_text("from,to\n0.png,1.png\n1.png,0.png\n")
    (folder / "annotation.csv").write_text("name:keypoints_y:keypoints_x\n1.png: [1]: [2]\n")
    with pytest.raises(UserError, match=r"no line of '0.png'"):
        len(posed_pairs(folder, size=20).train)
