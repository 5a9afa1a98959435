"""People against a painter with a brush: parts pixel by pixel, bones that keep their lengths, clothes that stay on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data.figures import JOINTS, PARTS, figures, heat_maps, joints, look, pose, render

SIZE = 32
BONES = {  # by anatomy
    "head": ("crown", "neck"), "torso": ("neck", "pelvis"), "left upper arm": ("neck", "left elbow"),
    "left forearm": ("left elbow", "left hand"), "right upper arm": ("neck", "right elbow"),
    "right forearm": ("right elbow", "right hand"), "left thigh": ("pelvis", "left knee"),
    "left shin": ("left knee", "left foot"), "right thigh": ("pelvis", "right knee"),
    "right shin": ("right knee", "right foot"),
}  # fmt: skip
COUNT = 8


@pytest.fixture(scope="module")
def people():
    """Looks, poses, and the looks in the poses."""
    draw = jax.vmap(lambda key: (look(key), pose(jax.random.fold_in(key, 1))))
    who, how = jax.jit(draw)(jax.random.split(jax.random.key(0), COUNT))
    return jax.device_get((who, how, jax.jit(jax.vmap(lambda a, b: render(a, b, SIZE)))(who, how)))


def one(tree, index):
    return jax.tree.map(lambda x: x[index], tree)


def discs(a, b, radius):
    """The pixels within a radius of any of 400 points between two joints, and those too near to the edge to tell."""
    points = a + np.linspace(0, 1, 400)[:, None] * (b - a)
    y, x = np.mgrid[:SIZE, :SIZE]
    distance = np.sqrt(((np.stack([x, y], -1)[:, :, None] - points) ** 2).sum(-1)).min(-1)
    return distance <= radius, np.abs(distance - radius) < 0.02


def test_parts_are_what_a_painter_leaves_who_begins_at_the_back(people):
    who, how, drawn = people
    for index in range(COUNT):
        far, near = ("right", "left") if how.facing[index] > 0 else ("left", "right")
        limbs = ("thigh", "upper arm", "shin", "forearm")
        order = [*(f"{far} {limb}" for limb in limbs), "torso", "head", *(f"{near} {limb}" for limb in limbs)]
        at, canvas, unsure = drawn["keypoints"][index], np.zeros((SIZE, SIZE), int), np.zeros((SIZE, SIZE), bool)
        for part in order:
            a, b = (at[JOINTS.index(joint)] for joint in BONES[part])
            inside, edge = discs(a, b, who.radii[index][PARTS.index(part) - 1] * SIZE / 2)
            canvas[inside] = PARTS.index(part)
            unsure |= edge
        assert (canvas == drawn["parts"][index])[~unsure].all()
        assert unsure.mean() < 0.1
        assert len(np.unique(canvas)) >= 9


def test_whoever_turns_shows_the_other_arm(people):
    who, how = one(people[0], 0), one(people[1], 0)
    arms = how.angles.copy()
    arms[2:6] = [0.6, 0.6, 0.6, 0.6]  # one arm across the body, both behind or before it
    parts = [np.asarray(render(who, how._replace(angles=arms, facing=side), SIZE)["parts"]) for side in (1, -1)]
    left, right, torso = (PARTS.index(name) for name in ("left upper arm", "right upper arm", "torso"))
    assert (parts[0] == left).sum() > (parts[1] == left).sum()
    assert (parts[1] == right).sum() > (parts[0] == right).sum()
    assert (parts[0] == torso).sum() > 0


def test_bones_keep_their_lengths_and_joints_lie_in_the_frame():
    def draw(key):
        who, keys = look(key), jax.random.split(key)
        return who.lengths, jnp.stack([joints(who, pose(k)) for k in keys])

    lengths, at = jax.device_get(jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(1), 500)))
    for bone, (a, b) in enumerate(BONES.values()):
        found = np.linalg.norm(at[:, :, JOINTS.index(a)] - at[:, :, JOINTS.index(b)], axis=-1)
        np.testing.assert_allclose(found, np.repeat(lengths[:, [bone]], 2, 1), rtol=1e-4)
    assert np.abs(at).max() <= 1.0
    reach = at[..., 1].max(-1) - at[..., 1].min(-1)
    assert reach.min() > 1.4  # of 2: people fill the frame
    assert (at[..., JOINTS.index("crown"), 1] < at[..., JOINTS.index("neck"), 1]).all()


def test_pairs_are_of_one_person_in_two_poses():
    data = figures(SIZE, test=6)
    pairs = data.test[np.arange(6)]
    assert pairs["image"].shape == (6, SIZE, SIZE, 3)
    for index in range(6):
        colours = {
            part: [
                {tuple(c) for c in pairs[name][index][pairs[f"{name}_parts"][index] == part].round(4)}
                for name in ("image", "target")
            ]
            for part in (0, PARTS.index("torso"), PARTS.index("head"))
        }
        for source, target in colours.values():
            assert source & target or not source or not target
        assert len(colours[0][0]) == 1
    assert (pairs["image_parts"] != pairs["target_parts"]).mean(axis=(1, 2)).min() > 0.05
    assert np.abs(pairs["image"]).max() <= 1
    first = pairs["image"][0]
    assert np.abs(first - pairs["image"][1]).max() > 0.1


def test_heat_maps_are_one_at_the_joint_and_have_its_spread():
    at = jnp.array([[3.0, 5.0], [10.0, 8.0]])
    maps = np.asarray(heat_maps(at, 16, spread=1.5))
    assert maps.shape == (16, 16, 2)
    assert maps[5, 3, 0] == 1
    assert maps[8, 10, 1] == 1
    y, x = np.mgrid[:16, :16]
    weight = maps[..., 1] / maps[..., 1].sum()
    np.testing.assert_allclose([(weight * x).sum(), (weight * y).sum()], [10, 8], atol=0.01)
    np.testing.assert_allclose((weight * (x - 10) ** 2).sum(), 1.5**2, rtol=0.02)
