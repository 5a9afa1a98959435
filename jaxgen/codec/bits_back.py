"""Coding with latents, by bits back: latents drawn from the posterior with bits already written, which come back.

Townsend, Bird & Barber, 2019, "Practical Lossless Compression with Latent Variables using Bits Back Coding". An example
costs -log p(x|z) - log p(z) + log q(z|x), the negative evidence bound; where q is the exact posterior, -log p(x).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgen.codec.chain import Chain
from jaxgen.codec.entropy import Stack


class LatentModel(NamedTuple):
    """A model of finite latents z `[latents]`, each of so many bins; all probabilities `[count, bins or levels]`.

    Attributes:
      prior: p(z), `[latents, bins]`.
      posterior: `symbols [example] -> q(z|x)`.
      likelihood: `z [latents] -> p(x|z)`, `[example, levels]`.
    """

    prior: np.ndarray
    posterior: Callable[[np.ndarray], np.ndarray]
    likelihood: Callable[[np.ndarray], np.ndarray]


def masses(edges: np.ndarray, mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """Of normals, `[latents]` each, between edges `[latents or none, bins + 1]`: `[latents, bins]`."""
    from scipy.special import ndtr  # imported late: a VAE that is trained needs none

    mean, log_variance = (np.asarray(a, np.float64)[:, None] for a in (mean, log_variance))
    return np.diff(ndtr((edges - mean) * np.exp(-log_variance / 2)), axis=-1)


class EqualMass:
    """The real line in 2^bits bins of equal mass under a standard normal: section 2.5.1 of the paper.

    Attributes:
      medians: of the bins, `[bins]`.
    """

    def __init__(self, bits: int):
        from scipy.special import ndtri  # imported late: a VAE that is trained needs none

        self._count = 1 << bits
        self._edges = ndtri(np.arange(self._count + 1) / self._count)
        self.medians = ndtri((np.arange(self._count) + 0.5) / self._count)

    def uniform(self, latents: int) -> np.ndarray:
        """Probabilities of the bins under the standard normal, `[latents, bins]`."""
        return np.full((latents, self._count), 1 / self._count)

    def masses(self, mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
        """Probabilities of the bins under other normals, `[latents]` each: `[latents, bins]`."""
        return masses(self._edges, mean, log_variance)


def gaussian_latents(
    infer: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    generate: Callable[[np.ndarray], np.ndarray],
    latents: int,
    *,
    bits: int = 10,
) -> LatentModel:
    """A variational autoencoder's, z cut into 2^bits bins of equal mass under its standard normal prior.

    The prior is thus uniform, and the posterior's probability of a bin its Gaussian's.

    Args:
      infer: `symbols [example] -> (mean, log-variance)` of q(z|x), `[latents]` each.
      generate: `z [latents] -> p(x|z)` `[example, levels]`; z are the bins' medians.
      latents: length of z.
      bits: of a bin's number; 10 cost a thousandth of the bound, 4 a hundredth.
    """
    bins = EqualMass(bits)

    def posterior(symbols: np.ndarray) -> np.ndarray:
        return bins.masses(*infer(symbols))

    return LatentModel(bins.uniform(latents), posterior, lambda z: generate(bins.medians[z]))


class BitsBack(Chain):
    """Codes blocks of examples of a model of latents.

    Args:
      model: the latents' model.
      example: symbols in an example.
    """

    def __init__(self, model: LatentModel, example: int):
        latents, bins = model.prior.shape
        # A draw takes about the entropy of the posterior, at most that of uniform bins; twice that.
        super().__init__(example, 2 * latents * np.log2(bins))
        self.model = model

    def push(self, stack: Stack, x: np.ndarray) -> None:
        z = stack.pop(self.model.posterior(x))
        stack.push(x, self.model.likelihood(z))
        stack.push(z, self.model.prior)

    def pop(self, stack: Stack) -> np.ndarray:
        z = stack.pop(self.model.prior)
        x = stack.pop(self.model.likelihood(z))
        stack.push(z, self.model.posterior(x))
        return x
