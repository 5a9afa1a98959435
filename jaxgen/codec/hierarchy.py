"""Coding with levels of Gaussian latents, by bits back through all of them.

Townsend, Bird, Kunze & Barber, 2020, "HiLLoC: Lossless Image Compression with Hierarchical Latent Variable Models",
where the posterior, too, goes from the top down: levels are drawn one after another, each bin's place depending on
those above. What Bit-Swap (Kingma, Abbeel & Ho, 2019) saves of the first example's bits needs one that goes up.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxgen.codec.bits_back import EqualMass
from jaxgen.codec.chain import Chain
from jaxgen.codec.entropy import Stack

Normal = tuple[np.ndarray, np.ndarray]  # means and log-variances, `[latents]` each
Above = Sequence[np.ndarray]  # levels of z from the top down, float32 `[latents]` each


class LevelsModel(NamedTuple):
    """A model of levels of latents.

    Attributes:
      sizes: latents in each level, from the top down.
      prior: `above -> p(z_l | z above)`, of the level that comes after those given.
      evidence: `symbols [example] ->` what `posterior` takes of them.
      posterior: `(evidence, above) -> q(z_l | z above, x)`.
      likelihood: `all levels -> p(x|z)` `[example, levels of a symbol]`.
    """

    sizes: tuple[int, ...]
    prior: Callable[[Above], Normal]
    evidence: Callable[[np.ndarray], Any]
    posterior: Callable[[Any, Above], Normal]
    likelihood: Callable[[Above], np.ndarray]


class Hierarchy(Chain):
    """Codes blocks of examples; every level's z is cut into bins of equal mass under its prior given those above.

    Args:
      model: the levels' model.
      example: symbols in an example.
      bits: of a bin's number.
    """

    def __init__(self, model: LevelsModel, example: int, *, bits: int = 12):
        super().__init__(example, 2 * sum(model.sizes) * bits)  # at most: see `BitsBack`
        self._model, self._bins = model, EqualMass(bits)

    def push(self, stack: Stack, x: np.ndarray) -> None:
        model, evidence = self._model, self._model.evidence(x)
        drawn, z = [], []
        for _ in model.sizes:
            prior = model.prior(z)
            drawn.append(stack.pop(self._posterior(prior, model.posterior(evidence, z))))
            z.append(self._place(prior, drawn[-1]))
        stack.push(x, model.likelihood(z))
        for bins, size in reversed(list(zip(drawn, model.sizes, strict=True))):
            stack.push(bins, self._bins.uniform(size))

    def pop(self, stack: Stack) -> np.ndarray:
        model, priors, drawn, z = self._model, [], [], []
        for size in model.sizes:
            priors.append(model.prior(z))
            drawn.append(stack.pop(self._bins.uniform(size)))
            z.append(self._place(priors[-1], drawn[-1]))
        x = stack.pop(model.likelihood(z))
        evidence = model.evidence(x)
        for level in reversed(range(len(z))):
            posterior = model.posterior(evidence, z[:level])
            stack.push(drawn[level], self._posterior(priors[level], posterior))
        return x

    def _place(self, prior: Normal, bins: np.ndarray) -> np.ndarray:
        mean, log_variance = (np.asarray(a, np.float64) for a in prior)
        return (mean + np.exp(log_variance / 2) * self._bins.medians[bins]).astype(np.float32)

    def _posterior(self, prior: Normal, posterior: Normal) -> np.ndarray:
        """Of the bins: shifting and scaling both by the prior makes its bins those of a standard normal."""
        (p_mean, p_log), (q_mean, q_log) = ((np.asarray(a, np.float64) for a in pair) for pair in (prior, posterior))
        return self._bins.masses((q_mean - p_mean) * np.exp(-p_log / 2), q_log - p_log)
