"""People, drawn where they are needed: articulated figures of capsules, whose parts and joints are known exactly.

A `Look` is who somebody is: proportions, colours, stripes. A `Pose` is how the person stands. Any look goes with any
pose, so the right answer to "this person, in that pose" is known in every pixel. Lengths are of a frame that reaches
from -1 to 1, y downwards.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.computed import generated
from jaxgen.data.source import Dataset
from jaxgen.fields import SIGNED, label

Array = jax.Array

JOINTS = (
    "crown", "neck", "pelvis", "left elbow", "left hand", "right elbow", "right hand", "left knee", "left foot",
    "right knee", "right foot",
)  # fmt: skip
_BONES = {  # part: its joints; 0 is the background
    "head": ("crown", "neck"),
    "torso": ("neck", "pelvis"),
    "left upper arm": ("neck", "left elbow"),
    "left forearm": ("left elbow", "left hand"),
    "right upper arm": ("neck", "right elbow"),
    "right forearm": ("right elbow", "right hand"),
    "left thigh": ("pelvis", "left knee"),
    "left shin": ("left knee", "left foot"),
    "right thigh": ("pelvis", "right knee"),
    "right shin": ("right knee", "right foot"),
}
PARTS = ("background", *_BONES)
_ENDS = np.array([[JOINTS.index(a), JOINTS.index(b)] for a, b in _BONES.values()])
_LENGTHS = np.array([0.27, 0.62, 0.36, 0.34, 0.36, 0.34, 0.4, 0.4, 0.4, 0.4])
_RADII = np.array([0.12, 0.16, 0.075, 0.06, 0.075, 0.06, 0.1, 0.08, 0.1, 0.08])
_SIDE = np.array([0, 0, 1, 1, -1, -1, 1, 1, -1, -1])  # 1 is left
# How near a part is among those of its side; the far side is 10 behind torso and head, the near one 10 before them.
_DEPTH = np.array([2.0, 1.0, 0.1, 0.3, 0.1, 0.3, 0.0, 0.2, 0.0, 0.2])
_GARMENT = np.array([0, 1, 1, 0, 1, 0, 2, 2, 2, 2])  # skin, shirt, trousers, of the parts in turn


GARMENTS = (0, *(_GARMENT + 1).tolist())  # of the parts in turn: 0 the ground, 1 skin, 2 shirt, 3 trousers


class Look(NamedTuple):
    """Who somebody is.

    Attributes:
      lengths: of the bones, `[10]`.
      radii: of the capsules around them, `[10]`.
      colours: of skin, shirt and trousers, `[3, 3]` in [-1, 1].
      stripes: how strongly shirt and trousers are striped, `[3]`; the skin is not.
      ground: the background's colour, `[3]`.
    """

    lengths: Array
    radii: Array
    colours: Array
    stripes: Array
    ground: Array


class Pose(NamedTuple):
    """How somebody stands.

    Attributes:
      place: of the pelvis, `[2]`.
      angles: of the bones against the downward direction, in radians, `[10]`; of the head and the torso against the
        upward one.
      facing: 1 where the left side is nearer, -1 where the right is.
    """

    place: Array
    angles: Array
    facing: Array


def look(key: Array) -> Look:
    """Anybody."""
    keys = jax.random.split(key, 6)
    build = jax.random.uniform(keys[0], (), minval=0.85, maxval=1.2)
    each = jax.random.uniform(keys[1], (10,), minval=0.93, maxval=1.0)
    same = jnp.array([0, 1, 2, 3, 2, 3, 6, 7, 6, 7])  # left and right alike
    skin = jnp.array([0.75, 0.35, 0.1]) * jax.random.uniform(keys[2], minval=0.3, maxval=1.0) - 0.1
    clothes = jax.random.uniform(keys[3], (2, 3), minval=-1.0, maxval=0.9)
    stripes = jax.random.bernoulli(keys[4], 0.5, (2,)) * 0.5
    return Look(
        lengths=(_LENGTHS * each)[same],
        radii=(_RADII * build)[same],
        colours=jnp.concatenate([skin[None], clothes]),
        stripes=jnp.concatenate([jnp.zeros(1), stripes]),
        ground=jax.random.uniform(keys[5], (3,), minval=0.6, maxval=1.0),
    )


def pose(key: Array) -> Pose:
    """Standing, walking, waving."""
    keys = jax.random.split(key, 5)
    lean = 0.15 * jax.random.normal(keys[0], (2,)).clip(-1.5, 1.5)
    arms = jax.random.uniform(keys[1], (2, 2), minval=jnp.array([-0.4, -0.3]), maxval=jnp.array([1.7, 1.0]))
    legs = jax.random.uniform(keys[2], (2, 2), minval=jnp.array([0.0, -0.5]), maxval=jnp.array([0.6, 0.0]))
    upper, lower = (jnp.stack([x[:, 0], x[:, 0] + x[:, 1]], 1) for x in (arms, legs))
    sides = jnp.array([[-1.0], [1.0]])  # left arm to the left
    angles = jnp.concatenate([lean, (sides * upper).ravel(), (sides * lower).ravel()])
    place = jnp.array([0.0, 0.08]) + jax.random.uniform(keys[3], (2,), minval=-0.04, maxval=0.04)
    return Pose(place, angles, jnp.where(jax.random.bernoulli(keys[4]), 1, -1))


def joints(who: Look, how: Pose) -> Array:
    """Where the joints are, `[11, 2]` as (x, y)."""
    directions = jnp.stack([jnp.sin(how.angles), jnp.cos(how.angles)], axis=1)
    bones = who.lengths[:, None] * directions * jnp.where(jnp.arange(10) < 2, -1.0, 1.0)[:, None]
    neck = how.place + bones[1]
    limbs = []
    for root, upper in ((neck, 2), (neck, 4), (how.place, 6), (how.place, 8)):
        middle = root + bones[upper]
        limbs += [middle, middle + bones[upper + 1]]
    return jnp.stack([neck + bones[0], neck, how.place, *limbs])


def render(who: Look, how: Pose, size: int = 64) -> dict[str, Array]:
    """The person in the pose.

    Returns:
      "image" float32 `[size, size, 3]` in [-1, 1]; "parts" int32 `[size, size]`, numbers in `PARTS`; "keypoints"
      float32 `[11, 2]`, the joints' (x, y) in pixels, whose centres are whole numbers.
    """
    at = joints(who, how)
    centres = (2 * jnp.arange(size) + 1) / size - 1
    x, y = jnp.meshgrid(centres, centres)
    order = jnp.argsort(10.0 * how.facing * _SIDE + _DEPTH)  # from the back
    ends, garment = jnp.asarray(_ENDS)[order], jnp.asarray(_GARMENT)[order]
    first, bones, squares = at[ends[:, 0]], at[ends[:, 1]] - at[ends[:, 0]], who.radii[order] ** 2
    directions = bones / jnp.sum(bones**2, axis=1, keepdims=True)
    parts, along, striped = jnp.zeros((size, size), jnp.int32), jnp.zeros((size, size)), jnp.zeros((size, size))
    planes = [jnp.full((size, size), value) for value in who.ground]
    for number in range(len(_BONES)):  # planes of numbers, one after the other: a single pass over the pixels
        (right, down), bone = (x - first[number, 0], y - first[number, 1]), bones[number]
        share = right * directions[number, 0] + down * directions[number, 1]
        on_bone = jnp.clip(share, 0, 1)
        across = (right - on_bone * bone[0]) ** 2 + (down - on_bone * bone[1]) ** 2
        inside = across <= squares[number]
        parts = jnp.where(inside, order[number] + 1, parts)
        along = jnp.where(inside, share, along)
        striped = jnp.where(inside, who.stripes[garment[number]], striped)
        colour = who.colours[garment[number]]
        planes = [jnp.where(inside, value, plane) for value, plane in zip(colour, planes, strict=True)]
    stripe = striped * (1 - 2 * (jnp.floor(4 * along) - 2 * jnp.floor(2 * along)))  # four to a bone
    image = jnp.stack([jnp.clip(plane + stripe, -1, 1) for plane in planes], axis=-1)
    return {"image": image, "parts": parts, "keypoints": (at + 1) / 2 * size - 0.5}


def heat_maps(keypoints: Array, size: int, spread: float = 1.5) -> Array:
    """A Gaussian around each joint, 1 at its place, `[size, size, 11]`.

    Args:
      keypoints: `[11, 2]` in pixels; a joint that is not seen, NaN, has a map of zeros.
      size: of the image.
      spread: standard deviation in pixels.
    """
    x, y = jnp.meshgrid(jnp.arange(size), jnp.arange(size))
    square = (x[..., None] - keypoints[:, 0]) ** 2 + (y[..., None] - keypoints[:, 1]) ** 2
    return jnp.nan_to_num(jnp.exp(-square / (2 * spread**2)), nan=0.0)


def figures(size: int = 64, *, train: int | None = None, test: int = 1000) -> Dataset:
    """Pairs of one person in two poses, drawn inside the compiled step.

    Fields: "image" `[size, size, 3]` the source, "target" the same person in another pose, both in [-1, 1]; their parts
    "image_parts" and "target_parts" int32 `[size, size]`; their joints "image_keypoints" and "target_keypoints"
    float32 `[11, 2]`.

    Args:
      size: pixels a side.
      train: how many pairs to train on; None for no end.
      test: how many are held out.
    """

    def example(key: Array) -> dict[str, Array]:
        keys = jax.random.split(key, 3)
        who = look(keys[0])
        source, target = (render(who, pose(k), size) for k in keys[1:])
        named = {"image": source, "target": target}
        return {
            **{name: x["image"] for name, x in named.items()},
            **{f"{name}_{field}": x[field] for name, x in named.items() for field in ("parts", "keypoints")},
        }

    known = {"image": SIGNED, "target": SIGNED, "image_parts": label(11), "target_parts": label(11)}
    return generated("figures", example, train=train, test=test, on_device=True, fields=known)
