"""Variational autoencoders of several levels of latents, inferred as they are drawn: from the top down.

Sonderby et al., 2016, "Ladder Variational Autoencoders"; Child, 2021, "Very Deep VAEs". The networks are those of
`jaxgen.models.latent.ladder` and `jaxgen.models.latent.vdvae`.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.codec.coded import CodedMethod
from jaxgen.core import Apply, Array, Aux, Batch, Evidence, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.likelihoods import Likelihood
from jaxgen.losses import variational
from jaxgen.losses.levels import Levels
from jaxgen.methods.fits import check
from jaxgen.methods.latent.bits_back import bits_back_of_levels
from jaxgen.methods.latent.bound_figures import bound_figures
from jaxgen.methods.nulls import density_nulls


def hierarchical_vae(
    encoder: Net, decoder: Net, likelihood: Likelihood, *, beta: Weight = 1.0, free_bits: Weight = 0.0
) -> Method:
    """A VAE of levels on the batch field `image` `[batch, height, width, channels]`.

    Args:
      encoder: module of `images -> evidence`, whatever the decoder makes posteriors of.
      decoder: module of `(evidence, count, sample) -> [count, height, width, channels, outputs]`, evidence None for
        samples of the prior, which calls `sample(prior, posterior)` for each level and has their shapes as `levels`.
      likelihood: p(x|z), on the values the images have.
      beta: weight of the divergence in training, or a schedule of it. Held-out figures have none.
      free_bits: nats that each level may have for nothing in training.
    """

    module: Any = decoder.module
    shapes: list[tuple[int, ...]] = module.levels

    def noise(key: Array, count: int) -> list[Array]:
        keys = jax.random.split(key, len(shapes))
        return [jax.random.normal(k, (count, *shape)) for k, shape in zip(keys, shapes, strict=True)]

    def infer(apply: Apply, images: Array, key: Array) -> tuple[Array, Levels]:
        """log p(x | z), `[batch]`, and the levels of z."""
        levels = Levels(noise(key, images.shape[0]))
        evidence = apply("encoder", images)
        outputs = apply("decoder", evidence, count=images.shape[0], sample=levels)
        return likelihood.log_prob(images, *jnp.unstack(outputs, axis=-1)), levels

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        log_likelihood, levels = infer(training, batch["image"], key)
        kl = jnp.stack(levels.kl, 1)
        metrics = {"log_likelihood": jnp.mean(log_likelihood), "kl": jnp.mean(jnp.sum(kl, 1))}
        paid = variational.free_bits(kl, minimum=view.weight(free_bits)) if free_bits else jnp.sum(kl, 1)
        return -jnp.mean(variational.elbo(log_likelihood, view.weight(beta) * paid)), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        keys, count = jax.random.split(key, 3), batch["image"].shape[0]
        variables = linen.init(modules["encoder"], keys[0], batch["image"])
        evidence = linen.evaluate(modules["encoder"], variables, (batch["image"],), {})
        first, again = (Levels(noise(keys[2], count)) for _ in range(2))
        decoder = linen.init(modules["decoder"], keys[1], evidence, count=count, sample=first)
        made = linen.shapes(modules["decoder"], decoder, evidence, count=count, sample=again).shape[1:]
        parameters = (*batch["image"].shape[1:], likelihood.outputs)
        check("the shape of the likelihood's parameters", parameters, type(modules["decoder"]).__name__, made)
        return {"encoder": variables, "decoder": decoder}

    def draw(key: Array, count: int, batch: Batch | None) -> list[Array]:
        return noise(key, count)

    def decode(view: View, drawn: list[Array], key: Array) -> Array:
        outputs = view("decoder", None, count=drawn[0].shape[0], sample=Levels(drawn))
        return likelihood.mean(*jnp.unstack(outputs, axis=-1))

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        log_likelihood, levels = infer(view, batch["image"], key)
        figures = bound_figures(log_likelihood, sum(levels.kl, jnp.zeros(())), batch["image"])
        by_level = {f"kl_nats_{number}": kl for number, kl in enumerate(levels.kl, start=1)}  # from the top
        return {**figures, **by_level}

    def log_weight(view: View, batch: Batch, key: Array) -> Array:
        log_likelihood, levels = infer(view, batch["image"], key)
        return log_likelihood - sum(levels.log_ratios, jnp.zeros(()))

    return CodedMethod(
        name="hierarchical VAE",
        nets={"encoder": encoder, "decoder": decoder},
        phases=(Phase("elbo", ("encoder", "decoder"), loss),),
        init=init,
        latents=Latents(draw, decode),
        evaluate=evaluate,
        code=bits_back_of_levels(likelihood, shapes),
        takes={"image": likelihood.images},
        nulls=density_nulls("image", likelihood.takes),
        evidence=Evidence(log_weight),
    )
