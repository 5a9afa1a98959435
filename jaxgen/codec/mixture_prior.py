"""Coding with Gaussian latents whose prior is a mixture: by bits back twice, the component's from its exact posterior.

Of z, drawn as with any prior, the component is drawn next by p(k|z), whose bits come back too: z then costs -log p(z)
under the whole mixture, and not that of the component it was said to be of.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxgen.codec.bits_back import masses
from jaxgen.codec.chain import Chain
from jaxgen.codec.entropy import Stack


class MixtureModel(NamedTuple):
    """A model of latents under a mixture of Gaussians.

    Attributes:
      log_weights: of the components, `[components]`.
      means: `[components, latents]`.
      log_variances: `[components, latents]`.
      infer: `symbols [example] -> (mean, log-variance)` of q(z|x), `[latents]` each.
      generate: `z [latents] -> p(x|z)` `[example, levels]`.
    """

    log_weights: np.ndarray
    means: np.ndarray
    log_variances: np.ndarray
    infer: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    generate: Callable[[np.ndarray], np.ndarray]


class MixturePrior(Chain):
    """Codes blocks of examples; each latent is cut into bins of equal mass under its own prior, that of the mixture.

    Args:
      model: the latents' model.
      example: symbols in an example.
      bits: of a bin's number.
    """

    def __init__(self, model: MixtureModel, example: int, *, bits: int = 10):
        from scipy.special import ndtr  # imported late: a VAE that is trained needs none

        components, latents = model.means.shape
        super().__init__(example, 2 * (latents * bits + np.log2(components)))  # at most: see `BitsBack`
        self._model = model
        weights = np.exp(model.log_weights - model.log_weights.max())
        self._weights = (weights / weights.sum())[None]
        deviations = np.exp(model.log_variances / 2)

        def mass_below(at: np.ndarray) -> np.ndarray:
            """Of every component, for places `[latents, places]`."""
            return ndtr((at - model.means[..., None]) / deviations[..., None])

        def places(shares: np.ndarray) -> np.ndarray:
            """Below which the prior has these shares of its mass, by bisection."""
            low = np.repeat((model.means - 10 * deviations).min(0)[:, None], len(shares), axis=1)
            high = np.repeat((model.means + 10 * deviations).max(0)[:, None], len(shares), axis=1)
            for _ in range(60):
                middle = (low + high) / 2
                below = np.einsum("k,klp->lp", self._weights[0], mass_below(middle)) < shares
                low, high = np.where(below, middle, low), np.where(below, high, middle)
            return low

        count = 1 << bits
        inner = places(np.arange(1, count) / count)
        self._edges = np.pad(inner, ((0, 0), (1, 1)), constant_values=((0, 0), (-np.inf, np.inf)))
        self._medians = places((np.arange(count) + 0.5) / count)
        self._masses = np.diff(mass_below(self._edges), axis=-1)

    def push(self, stack: Stack, x: np.ndarray) -> None:
        bins = stack.pop(self._posterior(x))
        stack.push(x, self._model.generate(self._place(bins)))
        component = stack.pop(self._component(bins))
        stack.push(bins, self._masses[component[0]])
        stack.push(component, self._weights)

    def pop(self, stack: Stack) -> np.ndarray:
        component = stack.pop(self._weights)
        bins = stack.pop(self._masses[component[0]])
        stack.push(component, self._component(bins))
        x = stack.pop(self._model.generate(self._place(bins)))
        stack.push(bins, self._posterior(x))
        return x

    def _place(self, bins: np.ndarray) -> np.ndarray:
        return self._medians[np.arange(len(bins)), bins]

    def _posterior(self, x: np.ndarray) -> np.ndarray:
        """Of bins, given x: `[latents, bins]`."""
        return masses(self._edges, *self._model.infer(x))

    def _component(self, bins: np.ndarray) -> np.ndarray:
        """Exact, of the components given all bins: `[1, components]`."""
        of_bins = self._masses[:, np.arange(len(bins)), bins]
        log_p = np.log(self._weights[0]) + np.sum(np.log(np.maximum(of_bins, 1e-300)), -1)
        return np.exp(log_p - log_p.max())[None]
