"""Coding with latents, by bits back: latents drawn from the posterior with bits already written, which come back.

Townsend, Bird & Barber, 2019, "Practical Lossless Compression with Latent Variables using Bits Back Coding". An example
costs -log p(x|z) - log p(z) + log q(z|x), the negative evidence bound; where q is the exact posterior, -log p(x).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgen.codec.entropy import Stack
from jaxgen.errors import UserError


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


def gaussian_latents(
    infer: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    generate: Callable[[np.ndarray], np.ndarray],
    latents: int,
    *,
    bits: int = 10,
) -> LatentModel:
    """A variational autoencoder's, z cut into 2^bits bins of equal mass under its standard normal prior.

    The prior is thus uniform, and the posterior's probability of a bin its Gaussian's: section 2.5.1 of the paper.

    Args:
      infer: `symbols [example] -> (mean, log-variance)` of q(z|x), `[latents]` each.
      generate: `z [latents] -> p(x|z)` `[example, levels]`; z are the bins' medians.
      latents: length of z.
      bits: of a bin's number; 10 cost a thousandth of the bound, 4 a hundredth.
    """
    from scipy.special import ndtr, ndtri  # imported late: a VAE that is trained needs neither

    bins = 1 << bits
    edges = ndtri(np.arange(bins + 1) / bins)
    medians = ndtri((np.arange(bins) + 0.5) / bins)

    def posterior(symbols: np.ndarray) -> np.ndarray:
        mean, log_variance = (np.asarray(a, np.float64)[:, None] for a in infer(symbols))
        return np.diff(ndtr((edges - mean) * np.exp(-log_variance / 2)), axis=-1)

    return LatentModel(np.full((latents, bins), 1 / bins), posterior, lambda z: generate(medians[z]))


class BitsBack:
    """Codes blocks of examples as one chain, each paid for with the bits of those before.

    The first is paid for with seed words, which the decoder must get back: one more check of the whole chain.

    Args:
      model: the latents' model.
      example: symbols in an example.
    """

    def __init__(self, model: LatentModel, example: int):
        self.model, self.example = model, example
        # A draw takes about the entropy of the posterior, at most that of uniform bins; twice that, and two words more.
        latents, bins = model.prior.shape
        count = 2 + int(np.ceil(2 * latents * np.log2(bins) / 32))
        self._seed = np.random.default_rng(0).integers(1, 1 << 32, count, np.uint32)

    def encode(self, symbols: np.ndarray) -> np.ndarray:
        """Flat symbols of whole examples to words, the seed's included."""
        stack, model = Stack(self._seed), self.model
        for x in np.asarray(symbols, np.int32).reshape(-1, self.example):
            z = stack.pop(model.posterior(x))
            stack.push(x, model.likelihood(z))
            stack.push(z, model.prior)
        return stack.words()

    def decode(self, words: np.ndarray, size: int) -> np.ndarray:
        """Words to `size` flat symbols, int32.

        Raises:
          UserError: what is left is not the seed.
        """
        stack, model = Stack(words), self.model
        x = np.zeros((size // self.example, self.example), np.int32)
        for i in reversed(range(len(x))):
            z = stack.pop(model.prior)
            x[i] = stack.pop(model.likelihood(z))
            stack.push(z, model.posterior(x[i]))
        if not np.array_equal(stack.words(), self._seed):
            raise UserError("the chain did not give its seed back: the numbers here are not those it was coded with.")
        return x.ravel()
