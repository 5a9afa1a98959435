"""Normalizing flows by maximum likelihood: exact log-densities through the change of variables.

Dinh et al., 2017, "Density Estimation using Real NVP", eq. 2-3; uniform dequantization as in Theis et al., 2016,
"A Note on the Evaluation of Generative Models", section 3.1; variational dequantization as in Ho et al., 2019,
"Flow++", section 3.1.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.codec.coded import CodedMethod
from jaxgen.core import Apply, Array, Aux, Batch, Latents, Method, Module, Net, Phase, View, Watch
from jaxgen.fields import Field, image, label
from jaxgen.losses.flow import bits_per_dim, dequantize, fill_cells, log_likelihood
from jaxgen.methods.fits import check
from jaxgen.methods.flow.local_bits_back import local_bits_back
from jaxgen.methods.nulls import density_nulls

INVERSION_LIMIT = 1e-3  # a quarter of a cell of 256-level images in [0, 1)


def flow(net: Net, *, event_shape: tuple[int, ...]) -> Method:
    """A flow on the real-valued batch field `x` `[batch, *event_shape]`; its figures are nats.

    Args:
      net: a bijector whose base has the data's shape.
      event_shape: shape of an example.
    """

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        training = view.training(key)
        return -jnp.mean(_log_likelihood(training, batch["x"])), Aux(variables=training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        check("event_shape", event_shape, "the field 'x'", batch["x"].shape[1:])
        return {"flow": linen.init(modules["flow"], key, batch["x"], method="inverse_and_log_det")}

    def encode(view: View, batch: Batch) -> Array:
        return _to_base(view, batch["x"])[0]

    def log_prob(view: View, batch: Batch, key: Array) -> Array:
        return _log_likelihood(view, batch["x"])

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"log_likelihood_nats": log_prob(view, batch, key)}

    latents = Latents(_prior(event_shape), lambda view, z, key: _to_data(view, z), encode)
    phases, nulls = (Phase("likelihood", ("flow",), loss),), density_nulls("x", Field())
    return Method(
        "Flow", {"flow": net}, phases, init, latents, evaluate, takes={"x": Field()}, log_prob=log_prob, nulls=nulls
    )


def image_flow(
    net: Net,
    *,
    event_shape: tuple[int, ...],
    levels: int = 256,
    dequantizer: Net | None = None,
    classes: int | None = None,
    watch_inversion: bool = False,
) -> Method:
    """A flow on the batch field `image`, integers in {0, ..., levels-1} dequantized to [0, 1); its figure is bits/dim.

    The figure is an upper bound on the discrete model's bits, from one draw of the noise.

    Args:
      net: a bijector whose base has the data's shape.
      event_shape: `(height, width, channels)`.
      levels: how many values a pixel takes.
      dequantizer: a conditional bijector that makes of uniform noise v the place u of the pixels x, its condition, in
        their cells, all `[batch, *event_shape]`, x being the cells' middles in [0, 1]; trained with the flow, it
        tightens the bound. None is u = v.
      classes: how many values the batch field `label` (int `[batch]`) has in a conditional flow, whose two directions
        take labels as a second argument: those of the batch, in sampling uniform ones. None for no condition.
      watch_inversion: log the largest |x - f(f⁻¹(x))| of a batch as `flow/inversion_error`, and say when it is above
        `INVERSION_LIMIT`: gradients that are rebuilt from the inverse are no better than it.
    """
    nets = {"flow": net} if dequantizer is None else {"flow": net, "dequantizer": dequantizer}
    dequantized = _uniformly if dequantizer is None else _by_network

    def condition(fields: Mapping[str, Any]) -> tuple[Array, ...]:
        return () if classes is None else (fields["label"],)

    def latents_of(z: Array, *label: Array) -> dict[str, Array]:
        return {"z": z} if classes is None else {"z": z, "label": label[0]}

    def loss(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        keys = jax.random.split(key)
        training = view.training(keys[1])
        x, log_det = dequantized(training, batch["image"], keys[0], levels)
        nats = _log_likelihood(training, x, *condition(batch)) + log_det
        return jnp.mean(bits_per_dim(nats, event_shape, levels)), Aux(variables=training.moved)

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        check("event_shape", event_shape, "the field 'image'", batch["image"].shape[1:])
        keys = jax.random.split(key, 4)
        x = dequantize(batch["image"], keys[0], levels)
        networks = {"flow": linen.init(modules["flow"], keys[1], x, *condition(batch), method="inverse_and_log_det")}
        if dequantizer is not None:
            v = _open_uniform(keys[2], x.shape)
            networks["dequantizer"] = linen.init(
                modules["dequantizer"], keys[3], v, _middles(batch["image"], levels), method="forward_and_log_det"
            )
        return networks

    def prior(key: Array, count: int, batch: Batch | None) -> dict[str, Array]:
        label = jax.random.randint(jax.random.fold_in(key, 1), (count,), 0, classes or 1)
        return latents_of(_prior(event_shape)(key, count, batch), label)

    def decode(view: View, latents: Mapping[str, Array], key: Array) -> Array:
        """Images in [-1, 1], where the middle of a level's cell is that level."""
        cells = levels * _to_data(view, latents["z"], *condition(latents)) - 0.5
        return jnp.clip(2 * cells / (levels - 1) - 1, -1, 1)

    def encode(view: View, batch: Batch) -> dict[str, Array]:
        """Of the middles of the levels' cells."""
        z, _ = _to_base(view, _middles(batch["image"], levels), *condition(batch))
        return latents_of(z, *condition(batch))

    def density(view: View, batch: Batch, key: Array) -> Array:
        """Of the dequantized image in [0, 1), nats."""
        x, log_det = dequantized(view, batch["image"], key, levels)
        return _log_likelihood(view, x, *condition(batch)) + log_det

    def log_prob(view: View, batch: Batch, key: Array) -> Array:
        return density(view, batch, key) - math.prod(event_shape) * math.log(levels)  # of a cell, `levels` to the unit

    def evaluate(view: View, batch: Batch, key: Array) -> Mapping[str, Array]:
        return {"bits_per_dim": bits_per_dim(density(view, batch, key), event_shape, levels)}

    def inversion_error(view: View, batch: Batch, key: Array) -> Array:
        x, _ = dequantized(view, batch["image"], key, levels)
        z, _ = _to_base(view, x, *condition(batch))
        return jnp.max(jnp.abs(_to_data(view, z, *condition(batch)) - x))

    advice = "gradients rebuilt from inverses are off by as much: lower learning_rate, or train with --memory remat"
    watch = Watch("flow/inversion_error", inversion_error, INVERSION_LIMIT, advice) if watch_inversion else None
    latents = Latents(prior, decode, encode)
    phases = (Phase("likelihood", tuple(nets), loss),)
    takes = {"image": image(levels)} | ({} if classes is None else {"label": label(classes)})
    return CodedMethod(
        "Flow",
        nets,
        phases,
        init,
        latents,
        evaluate,
        watch,
        takes=takes,
        log_prob=log_prob,
        nulls=density_nulls("image", image(levels)),
        code=None if nets.keys() != {"flow"} or classes is not None else local_bits_back(levels),
    )


def _uniformly(apply: Apply, images: Array, key: Array, levels: int) -> tuple[Array, Array | float]:
    """Images in [0, 1) and the log-density that their noise is short of, nats."""
    return dequantize(images, key, levels), 0.0


def _by_network(apply: Apply, images: Array, key: Array, levels: int) -> tuple[Array, Array | float]:
    v = _open_uniform(key, images.shape)
    u, log_det = apply("dequantizer", v, _middles(images, levels), method="forward_and_log_det")
    return fill_cells(images, u, levels), log_det


def _open_uniform(key: Array, shape: tuple[int, ...]) -> Array:
    """Uniform on (0, 1), neither end included, where logits are infinite."""
    return jax.random.uniform(key, shape, minval=jnp.finfo(jnp.float32).eps)


def _middles(images: Array, levels: int) -> Array:
    return (images + 0.5) / levels


def _log_likelihood(apply: Apply, x: Array, *condition: Array) -> Array:
    return log_likelihood(*_to_base(apply, x, *condition))


def _prior(shape: tuple[int, ...]) -> Callable[[Array, int, Batch | None], Array]:
    return lambda key, count, batch: jax.random.normal(key, (count, *shape))


def _to_base(apply: Apply, x: Array, *condition: Array) -> tuple[Array, Array]:
    return apply("flow", x, *condition, method="inverse_and_log_det")


def _to_data(apply: Apply, z: Array, *condition: Array) -> Array:
    return apply("flow", z, *condition, method="forward_and_log_det")[0]
