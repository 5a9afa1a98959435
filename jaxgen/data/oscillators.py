"""Time series whose class is their frequency, in two domains that differ in all else: for adaptation of what moves."""

import dataclasses

import numpy as np

from jaxgen.data.source import Dataset, Examples, Memory, Source

FREQUENCIES = (0.06, 0.09)  # cycles a step, of class 0 and class 1


@dataclasses.dataclass(frozen=True)
class Domain:
    """How a domain shows an oscillation.

    Attributes:
      offset: what is added.
      scale: of the amplitude.
      noise: standard deviation of what is added to every value.
      drift: standard deviation of the steps of a random walk that is added, too.
    """

    offset: float = 0.0
    scale: float = 1.0
    noise: float = 0.1
    drift: float = 0.0


SOURCE = Domain()
TARGET = Domain(offset=1.0, scale=0.5, noise=0.3, drift=0.05)


def oscillators(domain: Domain, *, length: int = 48, train: int = 4000, test: int = 1000, seed: int = 0) -> Dataset:
    """Series `offset + scale * sin(2 pi (f t + phase)) + noise + drift`, f one of two that vary by a twentieth.

    Fields: "x" float32 `[length, 1]`, "label" int32 `[]` in 0 ... 1. Example i is a function of the seed and of the
    split alone; domains of one seed are independent of one another, so that no example of one has a partner.
    """
    key = [seed, *(int(1e6 * abs(v)) for v in dataclasses.astuple(domain))]

    def draw(split: int, count: int) -> Examples:
        rng = np.random.default_rng([*key, split])
        label = rng.integers(2, size=count)
        frequency = np.array(FREQUENCIES)[label] * rng.uniform(0.95, 1.05, count)
        time = np.arange(length)
        wave = np.sin(2 * np.pi * (frequency[:, None] * time + rng.uniform(size=(count, 1))))
        walk = np.cumsum(rng.normal(0, domain.drift, (count, length)), 1)
        x = domain.offset + domain.scale * wave + rng.normal(0, domain.noise, (count, length)) + walk
        return {"x": x[..., None].astype(np.float32), "label": label.astype(np.int32)}

    def source(name: str, split: int, count: int) -> Source:
        return Source("oscillators", name, lambda: draw(split, 1), lambda: Memory(draw(split, count)))

    return Dataset(source("train", 0, train), source("test", 1, test))
