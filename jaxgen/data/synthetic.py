"""Densities on the plane with known formulae: data without end and an exact answer to compare a model with."""

import dataclasses
import functools

import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of isotropic Gaussians on the plane, Σ w_k N(x; c_k, std² I).

    Attributes:
      name: the data set's name.
      centres: `[components, 2]`.
      weights: `[components]`, summing to one.
      std: standard deviation of every component.
    """

    name: str
    centres: np.ndarray
    weights: np.ndarray
    std: float

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Draws float32 `[count, 2]`."""
        component = rng.choice(len(self.weights), size=count, p=self.weights)
        return (self.centres[component] + self.std * rng.standard_normal((count, 2))).astype(np.float32)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Log-density in nats, float64 `[batch]`, of points `x` `[batch, 2]`."""
        squares = ((np.asarray(x, np.float64)[:, None] - self.centres) ** 2).sum(-1)
        log_normal = -squares / (2 * self.std**2) - np.log(2 * np.pi * self.std**2)
        return np.logaddexp.reduce(log_normal + np.log(self.weights), axis=1)

    def dataset(self, *, train: int = 50_000, test: int = 10_000, seed: int = 0) -> Dataset:
        """Splits of `train` and `test` independent draws, fixed by `seed`. Field: "x" float32 `[2]`."""
        return Dataset(self._source("train", train, (seed, 0)), self._source("test", test, (seed, 1)))

    def _source(self, split: str, count: int, seed: tuple[int, int]) -> Source:
        def describe() -> Examples:
            return {"x": np.zeros((1, 2), np.float32)}

        def load() -> Memory:
            return Memory({"x": self.sample(np.random.default_rng(seed), count)})

        return Source(self.name, split, describe, load)


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
