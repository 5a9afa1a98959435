"""How variational autoencoders code: their latents by bits back, in about the evidence bound's bits."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.codec.bits_back import BitsBack, gaussian_latents
from jaxgen.codec.chain import Chain
from jaxgen.codec.coded import Code
from jaxgen.codec.hierarchy import Hierarchy, LevelsModel
from jaxgen.codec.mixture_prior import MixtureModel, MixturePrior
from jaxgen.core import Array, View
from jaxgen.fields import Field
from jaxgen.likelihoods import Likelihood, bernoulli
from jaxgen.losses.levels import Gaussian
from jaxgen.methods.latent.priors import Prior


def bits_back(likelihood: Likelihood, latent_size: int, prior: Prior | None = None) -> Code | None:
    """The code of networks `encoder` and `decoder` as `vae` has them; None where x is continuous.

    A block is one chain, of which only the first example pays for its latents.

    Args:
      likelihood: p(x|z).
      latent_size: length of z.
      prior: of z; None is standard normal.
    """
    if (symbols := _symbols(likelihood)) is None:
        return None
    (takes, values), mixture = symbols, None if prior is None else prior.components

    def coder(view: View, event: tuple[int, ...], batch: int) -> Chain:
        @jax.jit
        def posterior(x: Array) -> tuple[Array, Array]:
            mean, log_variance = view("encoder", x)
            return mean[0], log_variance[0]

        @jax.jit
        def probabilities(z: Array) -> Array:
            return _probabilities(likelihood, values, view("decoder", z))

        def infer(symbols: np.ndarray) -> Any:
            return posterior(values[symbols].reshape(1, *event))

        def generate(z: np.ndarray) -> np.ndarray:
            return np.asarray(probabilities(np.float32(z[None])), np.float64)

        if mixture is None:
            return BitsBack(gaussian_latents(infer, generate, latent_size), math.prod(event))
        logits, means, log_variances = (np.asarray(a, np.float64) for a in jax.jit(functools.partial(mixture, view))())
        return MixturePrior(MixtureModel(logits, means, log_variances, infer, generate), math.prod(event))

    name = "bits-back" if prior is None else "bits-back of a mixture"
    return Code(name, "image", takes, coder, batch=10_000, most=1 << 16)


def bits_back_of_levels(likelihood: Likelihood, shapes: list[tuple[int, ...]]) -> Code | None:
    """The code of networks `encoder` and `decoder` as `hierarchical_vae` has them; None where x is continuous.

    Args:
      likelihood: p(x|z).
      shapes: of the levels of z, from the top down.
    """
    if (symbols := _symbols(likelihood)) is None:
        return None
    takes, values = symbols

    def coder(view: View, event: tuple[int, ...], batch: int) -> Hierarchy:
        def level(evidence: Any, above: list[Array]) -> tuple[Gaussian, Gaussian | None]:
            """Prior and posterior of the level below those given."""
            passed: list[tuple[Gaussian, Gaussian | None]] = []

            def sample(prior: Gaussian, posterior: Gaussian | None = None) -> Array:
                passed.append((prior, posterior))
                below = len(passed) > len(above)  # whose values do not matter: nothing that depends on them is returned
                return prior.mean if below else above[len(passed) - 1].reshape(prior.mean.shape)

            view("decoder", evidence, count=1, sample=sample)
            return passed[len(above)]

        # A level's prior is a program of its own, which both ways run: the posterior's computes it to other last bits.
        prior = jax.jit(lambda above: _flat(level(None, above)[0]))
        posterior = jax.jit(lambda evidence, above: _flat(level(evidence, above)[1]))
        evidence = jax.jit(lambda x: view("encoder", x))

        @jax.jit
        def probabilities(z: list[Array]) -> Array:
            left = iter(z)
            outputs = view("decoder", None, count=1, sample=lambda prior, _: next(left).reshape(prior.mean.shape))
            return _probabilities(likelihood, values, outputs)

        model = LevelsModel(
            tuple(math.prod(shape) for shape in shapes),
            lambda above: prior(list(above)),
            lambda symbols: evidence(values[symbols].reshape(1, *event)),
            lambda evidence, above: posterior(evidence, list(above)),
            lambda z: np.asarray(probabilities(list(z)), np.float64),
        )
        return Hierarchy(model, math.prod(event))

    return Code("bits-back of levels", "image", takes, coder, batch=10_000, most=1 << 16)


def _symbols(likelihood: Likelihood) -> tuple[Field, np.ndarray] | None:
    """What x is, and its levels' values; None where it has no levels."""
    takes = Field(0, 1, 2) if likelihood is bernoulli else likelihood.takes
    if takes.levels is None or takes.low is None or takes.high is None:
        return None
    return takes, np.linspace(takes.low, takes.high, takes.levels, dtype=np.float32)


def _flat(normal: Gaussian | None) -> tuple[Array, Array]:
    assert normal is not None
    return normal.mean.ravel(), normal.log_variance.ravel()


def _probabilities(likelihood: Likelihood, values: np.ndarray, outputs: Array) -> Array:
    """Every element's at every level, as if it were an example of its own: `[elements, levels]`."""
    each = [output.reshape(-1, 1) for output in jnp.unstack(outputs, axis=-1)]
    columns = [likelihood.log_prob(jnp.full_like(each[0], value), *each) for value in values]
    return jnp.exp(jnp.stack(columns, axis=-1))
