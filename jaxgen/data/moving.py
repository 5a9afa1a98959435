"""Clips of a shape that moves in a straight line and bounces off the walls: where it is, is known in every frame."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.data.computed import generated
from jaxgen.data.source import Dataset
from jaxgen.fields import Field

Array = jax.Array

SPEEDS = (0.5, 1.5)  # pixels a frame


class Walls(NamedTuple):
    """Between which the centre of mass of a sprite stays, in pixels whose centres are whole numbers, on both axes."""

    low: float
    high: float


def disc(side: int = 5) -> np.ndarray:
    """A white disc with soft edges, the sprite `[1, side, side]` in [0, 1]."""
    from_middle = np.hypot(*np.meshgrid(*2 * [np.arange(side) - (side - 1) / 2]))
    return np.clip(side / 2 - from_middle, 0, 1)[None].astype(np.float32)


def walls(sprites: np.ndarray, size: int) -> Walls:
    """Of frames of so many pixels a side, for sprites whose frame stays inside."""
    half = (sprites.shape[-1] - 1) / 2
    return Walls(half, size - 1 - half)


def bounced(x: Array, bounds: Walls) -> Array:
    """Where something that goes straight on to x is, between walls that it bounces off."""
    width = bounds.high - bounds.low
    return bounds.low + width - jnp.abs((x - bounds.low) % (2 * width) - width)


def drawn(sprite: Array, place: Array, size: int) -> Array:
    """A sprite wherever it is.

    Pixels are interpolated linearly, which keeps the centre of mass.

    Args:
      sprite: `[side, side]` in [0, 1].
      place: of its frame's middle, `[..., 2]` as (x, y) in pixels.
      size: pixels a side.

    Returns:
      `[..., size, size, 1]` in [-1, 1].
    """
    side = sprite.shape[-1]
    pixels = (place - (side - 1) / 2)[..., None, None] + jnp.arange(side)[:, None]  # of the sprite, in the frame
    share = jax.nn.relu(1 - jnp.abs(jnp.arange(size) - pixels))  # [..., 2, side, size]
    return 2 * jnp.einsum("...sx,rs,...ry->...yx", share[..., 0, :, :], sprite, share[..., 1, :, :])[..., None] - 1


def moving(
    sprites: np.ndarray,
    *,
    name: str = "moving",
    frames: int = 8,
    size: int = 16,
    train: int | None = None,
    test: int = 512,
) -> Dataset:
    """Clips drawn inside the compiled step: any sprite, from anywhere, in any direction, at an even speed.

    Fields: "video" `[frames, size, size, 1]` in [-1, 1]; "place" `[frames, 2]`, the middle of the sprite's frame as
    (x, y) in pixels.

    Args:
      sprites: `[count, side, side]` in [0, 1]; side is below size.
      name: of the data set.
      frames: of a clip.
      size: pixels a side.
      train: how many clips to train on; None for no end.
      test: how many are held out.
    """
    bounds = walls(sprites, size)

    def example(key: Array) -> dict[str, Array]:
        keys = jax.random.split(key, 4)
        start = jax.random.uniform(keys[0], (2,), minval=bounds.low, maxval=bounds.high)
        angle = jax.random.uniform(keys[1], maxval=2 * jnp.pi)
        speed = jax.random.uniform(keys[2], minval=SPEEDS[0], maxval=SPEEDS[1])
        sprite = jnp.asarray(sprites)[jax.random.randint(keys[3], (), 0, len(sprites))]
        velocity = speed * jnp.stack([jnp.cos(angle), jnp.sin(angle)])
        place = bounced(start + velocity * jnp.arange(frames)[:, None], bounds)
        return {"video": drawn(sprite, place, size), "place": place}

    return generated(name, example, train=train, test=test, on_device=True, fields={"video": Field(-1, 1)})


def centres(video: np.ndarray) -> np.ndarray:
    """Centres of mass of what is brighter than black, by the first moments.

    Args:
      video: `[..., height, width, 1]` in [-1, 1].

    Returns:
      `[..., 2]`, (x, y) in pixels; of a black frame its middle.
    """
    mass = (np.asarray(video, np.float64)[..., 0] + 1) / 2 + 1e-9
    y, x = (np.arange(n) for n in mass.shape[-2:])
    total = mass.sum((-2, -1))
    return np.stack([(mass.sum(-2) * x).sum(-1), (mass.sum(-1) * y).sum(-1)], -1) / total[..., None]


def velocity_error(place: np.ndarray, bounds: Walls) -> float:
    """How far velocities from one frame to the next differ where no wall can be the cause; 0 by the laws of motion.

    Args:
      place: `[clips, frames, 2]` in pixels.
      bounds: between which they move.

    Returns:
      The mean length of second differences, along the axes on which none of the three places is within half the highest
      speed of a wall, pixels a frame; NaN where there is none.
    """
    second = np.diff(place, 2, axis=1)
    margin = SPEEDS[1] / 2
    free = (place > bounds.low + margin) & (place < bounds.high - margin)
    free = (free[:, :-2] & free[:, 1:-1] & free[:, 2:]).all(-1)
    return float(np.linalg.norm(second, axis=-1)[free].mean()) if free.any() else float("nan")


def speed(place: np.ndarray) -> float:
    """The mean distance from one frame to the next, pixels: what stands still has no error, and no speed."""
    return float(np.linalg.norm(np.diff(place, axis=1), axis=-1).mean())


def appearance_error(video: np.ndarray, sprite: np.ndarray) -> float:
    """The mean absolute difference of clips from the sprite drawn at their centres of mass, per pixel of the sprite.

    Args:
      video: `[clips, frames, size, size, 1]` in [-1, 1].
      sprite: `[side, side]`, whose centre of mass is its middle.
    """
    right = np.asarray(drawn(jnp.asarray(sprite), jnp.asarray(centres(video), jnp.float32), video.shape[-2]))
    return float(np.abs(video - right).sum((-3, -2, -1)).mean() / sprite.size)
