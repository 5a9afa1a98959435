"""Densities on the plane with known formulae: data without end and an exact answer to compare a model with."""

import abc
import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source


@dataclasses.dataclass(frozen=True, eq=False)
class Density(abc.ABC):
    """A distribution on the plane whose density is known exactly.

    Attributes:
      name: the data set's name.
    """

    name: str

    @abc.abstractmethod
    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draws float32 `[count, 2]`."""

    @abc.abstractmethod
    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Log-density in nats, float64 `[batch]`, of points `x` `[batch, 2]`; -inf where it is 0.

        Its mean over held-out points is the best mean log-likelihood that a model can be expected to reach on them.
        """

    def dataset(self, *, train: int = 50_000, test: int = 10_000, seed: int = 0) -> Dataset:
        """Splits of `train` and `test` independent draws, fixed by `seed`. Field: "x" float32 `[2]`."""
        return Dataset(self._source("train", train, (seed, 0)), self._source("test", test, (seed, 1)))

    def _source(self, split: str, count: int, seed: tuple[int, int]) -> Source:
        def describe() -> Examples:
            return {"x": np.zeros((1, 2), np.float32)}

        def load() -> Memory:
            return Memory({"x": self.sample(np.random.default_rng(seed), count)})

        return Source(self.name, split, describe, load)


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianMixture(Density):
    """A mixture of isotropic Gaussians on the plane, Σ w_k N(x; c_k, std² I).

    Attributes:
      centres: `[components, 2]`.
      weights: `[components]`, summing to one.
      std: standard deviation of every component.
    """

    centres: np.ndarray
    weights: np.ndarray
    std: float

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        component = rng.choice(len(self.weights), size=count, p=self.weights)
        return (self.centres[component] + self.std * rng.standard_normal((count, 2))).astype(np.float32)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, np.float64)
        squares = (x**2).sum(-1, keepdims=True) - 2 * x @ self.centres.T + (self.centres**2).sum(-1)
        exponent = -squares / (2 * self.std**2)
        largest = exponent.max(-1, keepdims=True)
        mixture = np.exp(exponent - largest) @ self.weights
        return largest[:, 0] + np.log(mixture / (2 * np.pi * self.std**2))


class Checkerboard(Density):
    """The uniform distribution on the eight dark ones of 4 x 4 squares of side 2, from -4 to 4: log p = -log 32."""

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        row, column = rng.integers(4, size=count), 2 * rng.integers(2, size=count)
        corner = np.stack([column + row % 2, row], 1)
        return (2 * (corner + rng.random((count, 2))) - 4).astype(np.float32)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        square = np.floor((np.asarray(x, np.float64) + 4) / 2)
        dark = (square.sum(-1) % 2 == 0) & ((square >= 0) & (square < 4)).all(-1)
        return np.where(dark, -np.log(32), -np.inf)


@functools.cache
def gaussian_ring() -> GaussianMixture:
    """Eight equal Gaussians of standard deviation 0.1 on the circle of radius 2: the classic test of mode coverage."""
    angle = 2 * np.pi * np.arange(8) / 8
    return GaussianMixture("gaussian_ring", 2 * np.stack([np.cos(angle), np.sin(angle)], 1), np.full(8, 1 / 8), 0.1)


@functools.cache
def two_moons() -> GaussianMixture:
    """Two interleaved half circles of radius 1, (cos θ, sin θ) and (1 - cos θ, 1/2 - sin θ), deviation 0.1.

    The density is an integral over θ in [0, π]. Its 64-point Gauss-Legendre rule is a mixture of 128 Gaussians whose
    spacing is below their width, and that mixture is the definition here, so samples and density agree exactly.
    """
    nodes, weights = np.polynomial.legendre.leggauss(64)
    angle = np.pi * (nodes + 1) / 2
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    return GaussianMixture("two_moons", np.concatenate([upper, [1, 0.5] - upper]), np.tile(weights / 4, 2), 0.1)


@functools.cache
def rings() -> GaussianMixture:
    """Circles of radii 1, 2 and 3, as likely as they are long, deviation 0.1.

    As in `two_moons` a quadrature is the definition: 96 Gaussians equally spaced on a circle for each unit of radius.
    """
    angle = np.concatenate([2 * np.pi * np.arange(96 * radius) / (96 * radius) for radius in (1, 2, 3)])
    radius = np.repeat([1, 2, 3], [96, 192, 288])[:, None]
    return GaussianMixture("rings", radius * np.stack([np.cos(angle), np.sin(angle)], 1), np.full(576, 1 / 576), 0.1)


@functools.cache
def two_spirals() -> GaussianMixture:
    """Two arms ±(θ/3)·(cos θ, sin θ), θ from 0 to 3π with density proportional to θ, deviation 0.1.

    As in `two_moons` a quadrature is the definition: the 256-point Gauss-Legendre rule on each arm.
    """
    nodes, weights = np.polynomial.legendre.leggauss(256)
    angle = 3 * np.pi * (nodes + 1) / 2
    arm = angle[:, None] / 3 * np.stack([np.cos(angle), np.sin(angle)], 1)
    weights = weights * angle / (weights @ angle) / 2
    return GaussianMixture("two_spirals", np.concatenate([arm, -arm]), np.tile(weights, 2), 0.1)


@functools.cache
def checkerboard() -> Checkerboard:
    """Eight squares with sharp edges."""
    return Checkerboard("checkerboard")


@functools.cache
def gaussian_grid() -> GaussianMixture:
    """Twenty-five equal Gaussians of standard deviation 0.05 at {-4, -2, 0, 2, 4}²: Srivastava et al. 2017, VEEGAN."""
    side = np.arange(-4.0, 5.0, 2.0)
    centres = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    return GaussianMixture("gaussian_grid", centres, np.full(25, 1 / 25), 0.05)


@functools.cache
def unequal_clusters() -> GaussianMixture:
    """Three Gaussians of deviation 0.1 and weights 1/2, 3/10, 1/5 at the corners of an uneven triangle.

    No rotation or reflection maps it to itself: what translates it is determined, as on `gaussian_ring` it is not.
    """
    centres = np.array([[-1.5, -0.5], [2.0, -1.0], [0.0, 1.5]])
    return GaussianMixture("unequal_clusters", centres, np.array([0.5, 0.3, 0.2]), 0.1)


def overlapping_classes(
    means: tuple[float, ...] = (-1.0, 0.0, 1.0),
    std: float = 0.5,
    *,
    train: int = 20_000,
    test: int = 5000,
    seed: int = 0,
) -> Dataset:
    """Equally frequent Gaussians on the line, each a class: the truth that an auxiliary classifier pulls apart.

    Fields: "x" float32 `[1]`, "label" int32 `[]`.
    """

    def source(split: str, count: int, number: int) -> Source:
        def draw(count: int) -> Memory:
            rng = np.random.default_rng((seed, number))
            label = rng.integers(len(means), size=count)
            x = np.array(means)[label] + std * rng.standard_normal(count)
            return Memory({"x": x[:, None].astype(np.float32), "label": label.astype(np.int32)})

        return Source("overlapping_classes", split, lambda: draw(1).arrays, lambda: draw(count))

    return Dataset(source("train", train, 0), source("test", test, 1))


DENSITIES: dict[str, Callable[[], Density]] = {
    make.__name__: make for make in (two_moons, gaussian_ring, gaussian_grid, rings, two_spirals, checkerboard)
}
