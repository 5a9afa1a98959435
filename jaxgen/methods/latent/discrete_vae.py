"""Variational learning of latents that are bits, by whichever gradient estimator: encoder and decoder climb one bound.

Mnih and Gregor, 2014, "Neural Variational Inference and Learning in Belief Networks", and what followed it: see
`jaxgen.losses.estimators`. The networks are those of `jaxgen.models.latent.sbn`, of any depth.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View
from jaxgen.losses.ancestral import Sample
from jaxgen.losses.estimators import Estimator
from jaxgen.methods.latent import belief_network


def discrete_vae(
    generative: Net,
    recognition: Net,
    estimator: Estimator,
    *,
    baseline: Net | None = None,
    evaluation_draws: int = 50,
    chunk: int = 10,
) -> Method:
    """A belief network trained on the batch field `image`, 0 or 1, by the gradient of a bound.

    Args:
      generative: module of `(lead, sample) -> pixels' logits [*lead, ...]`, that of p(x, z).
      recognition: module of `(x, sample)`, that of q(z|x).
      estimator: of the bound's gradient, its settings bound: `functools.partial(estimators.vimco, draws=5)`.
      baseline: module of `x [batch, size] -> [batch, 1]`, what to expect of the bound: with `score_function` NVIL.
      evaluation_draws: k of the held-out importance-weighted bound `iw_nats`, a multiple of `chunk`.
      chunk: how many of those are computed at once.
    """
    nets = {"generative": generative, "recognition": recognition}
    nets |= {} if baseline is None else {"baseline": baseline}

    def flat(x: Array) -> Array:
        return x.reshape(x.shape[0], -1)

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        x = batch["image"]

        def log_joint(sample: Sample) -> Array:
            layers: list[Array] = []

            def remember(logits: Array) -> Array:
                layers.append(sample(logits))
                return layers[-1]

            view("recognition", x, sample=remember)
            return belief_network.log_joint(view, x, layers)

        if baseline is None:
            return -jnp.mean(estimator(key, log_joint)), Aux()
        expected = view("baseline", flat(x))[:, 0]
        return -jnp.mean(estimator(key, log_joint, baseline=expected)), Aux()

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        variables = dict(belief_network.init(modules, key, batch))
        if baseline is not None:
            variables["baseline"] = linen.init(modules["baseline"], jax.random.fold_in(key, 1), flat(batch["image"]))
        return variables

    phases = (Phase("bound", tuple(nets), loss),)
    return belief_network.belief_network("discrete VAE", nets, phases, evaluation_draws, chunk, init)
