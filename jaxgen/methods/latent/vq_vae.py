"""VQ-VAE: an autoencoder whose code is discrete, and in a second stage a prior that has learned the codes.

van den Oord et al., 2017, "Neural Discrete Representation Learning", eq. 3, the codebook moved by averages (appendix
A.1); Mentzer et al., 2024, "Finite Scalar Quantization", where rounding takes the codebook's place.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import linen, sampling
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Weight
from jaxgen.likelihoods import Likelihood
from jaxgen.methods.fits import check, check_decoder, check_output
from jaxgen.methods.latent.codes import USES
from jaxgen.methods.nulls import density_nulls


def vq_vae(encoder: Net, quantizer: Net, decoder: Net, likelihood: Likelihood, *, beta: Weight = 0.25) -> Method:
    """The first stage, on the batch field `image`.

    Args:
      encoder: module of `images -> z [batch, ..., size]`.
      quantizer: module of `z -> Quantized`, as in `jaxgen.layers.vector_quantizer`; its `Net` declares the stream
        "restart" if its codes start again. It may be frozen: what it learns, it learns by averages.
      decoder: module of `z -> [batch, *event, outputs]`.
      likelihood: p(x|z).
      beta: of the commitment, which keeps the encoder near the codes.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training, images = view.training(key), batch["image"]
        quantized = training("quantizer", training("encoder", images))
        log_likelihood = likelihood.log_prob(images, *jnp.unstack(training("decoder", quantized.z), axis=-1))
        metrics = {"log_likelihood": jnp.mean(log_likelihood), "commitment": jnp.mean(quantized.commitment)}
        return jnp.mean(view.weight(beta) * quantized.commitment - log_likelihood), Aux(metrics, training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        """A codebook begins at the batch's own vectors."""
        keys, images = jax.random.split(key, 3), batch["image"]
        variables = {"encoder": linen.init(modules["encoder"], keys[0], images)}
        z = linen.evaluate(modules["encoder"], variables["encoder"], (images,), {})
        variables["quantizer"] = linen.init(modules["quantizer"], keys[1], z)
        z = linen.evaluate(modules["quantizer"], variables["quantizer"], (z,), {}).z
        variables["decoder"] = linen.init(modules["decoder"], keys[2], z)
        check_decoder(likelihood, images, modules["decoder"], variables["decoder"], z)
        return variables

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        images = batch["image"]
        quantized = view("quantizer", view("encoder", images))
        nats = -likelihood.log_prob(images, *jnp.unstack(view("decoder", quantized.z), axis=-1))
        return {"distortion_nats": nats, "distortion_bits_per_dim": nats / np.prod(images.shape[1:]) / np.log(2)}

    nets = {"encoder": encoder, "quantizer": quantizer, "decoder": decoder}
    phases = (Phase("reconstruction", ("encoder", "decoder"), loss),)
    takes = {"image": likelihood.images}
    return Method("VQ-VAE", nets, phases, init, None, evaluate, evaluations=(USES,), takes=takes)


def code_prior(
    encoder: Net, quantizer: Net, decoder: Net, prior: Net, likelihood: Likelihood, *, event: tuple[int, ...]
) -> Method:
    """The second stage: an autoregressive model learns the codes that the first stage's networks, now still, give.

    Args:
      encoder: as of `vq_vae`; it and the next two are carried over by name.
      quantizer: as of `vq_vae`; its module has so many `codes`.
      decoder: as of `vq_vae`.
      prior: an `AutoregressiveModel` of the codes, as many levels, with one more axis of length 1, for channels.
      likelihood: p(x|z).
      event: shape of an image's codes, such as (4, 4, 1).
    """
    first = vq_vae(encoder, quantizer, decoder, likelihood)
    bottleneck: Any = quantizer.module

    def codes_of(apply: Apply, images: Array) -> Array:
        return apply("quantizer", apply("encoder", images)).codes[..., None]

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        log_prior, moved = view.train("prior", codes_of(view, batch["image"]), key=key, method="log_prob")
        return -jnp.mean(log_prior), Aux(variables={"prior": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        variables = dict(first.init(modules, key, batch))
        codes = codes_of(lambda name, x: linen.evaluate(modules[name], variables[name], (x,), {}), batch["image"])
        check("event", event, type(modules["encoder"]).__name__, codes.shape[1:])
        variables["prior"] = linen.init(modules["prior"], jax.random.fold_in(key, 3), codes)
        check_output("event by codes", (*event, bottleneck.codes), modules["prior"], variables["prior"], codes)
        return variables

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        """Rate and distortion together bound -log p(x): all of q lies on one code."""
        rate = -view("prior", codes_of(view, batch["image"]), method="log_prob")
        distortion = first.evaluate(view, batch, key)["distortion_nats"]
        scale = np.prod(batch["image"].shape[1:]) * np.log(2)
        return {"rate_nats": rate, "distortion_nats": distortion, "bits_per_dim": (rate + distortion) / scale}

    def decode(view: View, keys: Array, key: Array) -> Array:
        noise = jax.vmap(lambda key: jax.random.gumbel(key, (int(np.prod(event)), bottleneck.codes)))(keys)

        def logits(x: Array) -> Array:
            return view("prior", x.reshape(-1, *event)).reshape(*x.shape, -1)

        codes = sampling.jacobi(logits, noise)[0].reshape(-1, *event)[..., 0]
        z = view("quantizer", codes, method="look_up")
        return likelihood.mean(*jnp.unstack(view("decoder", z), axis=-1))

    return dataclasses.replace(
        first,
        name="VQ-VAE's prior",
        nets={**first.nets, "prior": prior},
        phases=(Phase("prior", ("prior",), loss),),
        init=init,
        latents=Latents(lambda key, count, batch: jax.random.split(key, count), decode),
        evaluate=evaluate,
        nulls=density_nulls("image", likelihood.takes),
    )
