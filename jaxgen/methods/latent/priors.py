"""Structured priors of latent variables, all mixtures of Gaussians: one of their own, or one of the encoder's making.

Tomczak and Welling, 2018, "VAE with a VampPrior", eq. 9: the best prior is the mean of q(z|x) over the data, of which
the mean over a few learned pseudo-inputs is what can be afforded.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Apply, Array, Latents, Net, View
from jaxgen.likelihoods import Likelihood
from jaxgen.losses import mixture, variational
from jaxgen.losses.mixture import GaussianMixture


class Prior(NamedTuple):
    """p(z), a mixture of Gaussians.

    Attributes:
      net: what it learns, the network "prior"; it is initialized with a batch of images.
      components: the mixture, by the networks "prior" and "encoder".
      learn: `(apply, z) -> None`, what moves it in training besides the bound's gradient.
    """

    net: Net
    components: Callable[[Apply], GaussianMixture]
    learn: Callable[[Apply, Array], None] = lambda apply, z: None


def gaussian_mixture(net: Net) -> Prior:
    """A mixture of its own.

    Args:
      net: module of `() -> GaussianMixture`, such as `jaxgen.models.latent.priors.MixturePrior`.
    """
    return Prior(net, lambda apply: apply("prior"))


def vamp(net: Net) -> Prior:
    """The mixture of the encoder's posteriors of learned inputs. A step costs that many more passes of the encoder.

    Args:
      net: module of `() -> (logits [K], inputs [K, ...])`, such as `jaxgen.models.latent.priors.PseudoInputs`.
    """

    def components(apply: Apply) -> GaussianMixture:
        logits, inputs = apply("prior")
        mean, log_variance, *_ = apply("encoder", inputs)
        return GaussianMixture(logits, mean, log_variance)

    return Prior(net, components)


def tree(net: Net) -> Prior:
    """The leaves of a tree of clusters, which no gradient moves: Goyal et al. 2017.

    Args:
      net: frozen module of `() -> GaussianMixture` with a method `learn(z)`, such as
        `jaxgen.models.latent.priors.TreePrior`.
    """
    return Prior(net, lambda apply: apply("prior"), lambda apply, z: apply("prior", z, method="learn"))


def log_prob(apply: Apply, prior: Prior | None, z: Array) -> Array:
    """log p(z) `[batch]` in nats, of z `[batch, latent]`; without a prior that of the standard normal."""
    if prior is None:
        return variational.gaussian_log_prob(z, 0.0, 0.0)
    return mixture.log_prob(mixture.gaussian_log_joint(z, prior.components(apply)))


def latents(prior: Prior, likelihood: Likelihood, latent_size: int) -> Latents:
    """Samples of p(x), shown as their pixels' means: keys, which choose components, and noise, which may be scaled."""

    def draw(key: Array, count: int, batch: object) -> dict[str, Array]:
        keys = jax.random.split(key)
        return {
            "component": jax.random.split(keys[0], count),
            "noise": jax.random.normal(keys[1], (count, latent_size)),
        }

    def decode(view: View, drawn: dict[str, Array], key: Array) -> Array:
        z = place(prior.components(view), drawn["component"], drawn["noise"])
        return likelihood.mean(*jnp.unstack(view("decoder", z), axis=-1))

    return Latents(draw, decode)


def place(components: GaussianMixture, keys: Array, noise: Array) -> Array:
    """Standard normal noise `[count, latent]` moved to components that keys `[count]` choose."""
    logits, means, log_variances = components
    chosen = jax.vmap(lambda key: jax.random.categorical(key, logits))(keys)
    return means[chosen] + jnp.exp(log_variances[chosen] / 2) * noise
