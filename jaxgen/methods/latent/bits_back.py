"""How a variational autoencoder codes: its latents by bits back, in about the evidence bound's bits."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.codec.bits_back import BitsBack, gaussian_latents
from jaxgen.codec.coded import Code
from jaxgen.core import Array, View
from jaxgen.fields import Field
from jaxgen.likelihoods import Likelihood, bernoulli


def bits_back(likelihood: Likelihood, latent_size: int) -> Code | None:
    """The code of networks `encoder` and `decoder` as `vae` has them; None where x is continuous.

    A block is one chain, of which only the first example pays for its latents.
    """
    takes = Field(0, 1, 2) if likelihood is bernoulli else likelihood.takes
    if takes.levels is None or takes.low is None or takes.high is None:
        return None
    values = np.linspace(takes.low, takes.high, takes.levels, dtype=np.float32)

    def coder(view: View, event: tuple[int, ...], batch: int) -> BitsBack:
        @jax.jit
        def posterior(x: Array) -> tuple[Array, Array]:
            mean, log_variance = view("encoder", x)
            return mean[0], log_variance[0]

        @jax.jit
        def probabilities(z: Array) -> Array:
            """Every element's at every level, as if it were an example of its own: `[elements, levels]`."""
            outputs = [output.reshape(-1, 1) for output in jnp.unstack(view("decoder", z), axis=-1)]
            columns = [likelihood.log_prob(jnp.full_like(outputs[0], value), *outputs) for value in values]
            return jnp.exp(jnp.stack(columns, axis=-1))

        model = gaussian_latents(
            lambda symbols: posterior(values[symbols].reshape(1, *event)),
            lambda z: np.asarray(probabilities(np.float32(z[None])), np.float64),
            latent_size,
        )
        return BitsBack(model, math.prod(event))

    return Code("bits-back", "image", takes, coder, batch=10_000, most=1 << 16)
