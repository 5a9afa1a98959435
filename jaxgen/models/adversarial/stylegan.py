"""StyleGAN and StyleGAN2: a mapping network, a synthesis network that a style drives layer by layer, a discriminator.

Karras et al. 2019, "A Style-Based Generator Architecture", and 2020, "Analyzing and Improving the Image Quality of
StyleGAN". The configurations of the latter's table 1 are compositions: A has `layer=AdaptiveLayer`, B `ModulatedLayer`;
C and D are the method's (lazy penalties, path length); up to D the image is that of the last layer alone (`skip=False`)
and the discriminator plain (`residual=False`); E has both; F more features. None of them grows here.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import ArrayLike

from jaxgen.layers import fir
from jaxgen.layers.equalized import EqualizedConv, EqualizedDense, pixel_norm
from jaxgen.layers.instance_norm import AdaptiveInstanceNorm
from jaxgen.layers.minibatch import append_standard_deviation
from jaxgen.layers.modulated import ModulatedConv, Noise


class ModulatedLayer(nn.Module):
    """`sqrt(2) * rectifier(modulated convolution + noise + bias)`: Karras et al. 2020, figure 2 (d)."""

    features: int
    up: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        """`[batch, height, width, channels]` and `[batch, n]` to `[batch, height', width', features]`."""
        x = ModulatedConv(self.features, up=self.up, dtype=self.dtype, name="conv")(x, w)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        x = Noise(name="noise")(x) + bias.astype(x.dtype)
        return math.sqrt(2) * nn.leaky_relu(x, 0.2)


class AdaptiveLayer(nn.Module):
    """AdaIN of a rectified convolution with noise, whose map is doubled before by the filter: Karras et al. 2019."""

    features: int
    up: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        """`[batch, height, width, channels]` and `[batch, n]` to `[batch, height', width', features]`."""
        x = fir.double(x) if self.up else x
        x = EqualizedConv(self.features, (3, 3), use_bias=False, dtype=self.dtype, name="conv")(x)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)
        x = nn.leaky_relu(Noise(name="noise")(x) + bias.astype(x.dtype), 0.2)
        return AdaptiveInstanceNorm(self.dtype, name="style")(x, w)


class Mapping(nn.Module):
    """Latents z `[batch, latent]`, and labels where there are any, to w `[batch, features]`.

    Attributes:
      features: of w.
      layers: rectified ones.
      classes: how many labels; None for no condition.
      decay: of the running mean of w, in the collection "average".
      multiplier: of the learning rate.
    """

    features: int = 512
    layers: int = 8
    classes: int | None = None
    decay: float = 0.995
    multiplier: float = 0.01

    @nn.compact
    def __call__(self, z: jax.Array, *label: jax.Array, track: bool = False, truncation: ArrayLike = 1.0) -> jax.Array:
        """w; `track` moves the mean, where its collection is mutable; `truncation` draws w towards it, to it at 0."""
        x = pixel_norm(z)
        if self.classes is not None:
            embedded = EqualizedDense(self.features, gain=1.0, name="label")(jax.nn.one_hot(label[0], self.classes))
            x = jnp.concatenate([x, pixel_norm(embedded)], -1)
        for index in range(self.layers):
            dense = EqualizedDense(self.features, multiplier=self.multiplier, name=f"dense_{index}")
            x = nn.leaky_relu(dense(x), 0.2)
        mean = self.variable("average", "w", jnp.zeros, (self.features,))
        if track and self.is_mutable_collection("average") and not self.is_initializing():
            now = jax.lax.stop_gradient(jnp.mean(x, 0))
            mean.value = self.decay * mean.value + (1 - self.decay) * now
        share = jnp.asarray(truncation, x.dtype)
        return share * x + (1 - share) * mean.value


class Synthesis(nn.Module):
    """Styles `[batch, 2 * len(features), n]` to images; the attributes are those of `Generator`."""

    features: tuple[int, ...]
    channels: int = 1
    layer: Callable[..., nn.Module] = ModulatedLayer
    skip: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, styles: jax.Array) -> jax.Array:
        first, *larger = self.features
        constant = self.param("constant", nn.initializers.normal(1.0), (4, 4, first), jnp.float32)
        x = jnp.broadcast_to(constant, (styles.shape[0], *constant.shape)).astype(self.dtype or constant.dtype)
        x = self.layer(first, dtype=self.dtype, name="layer_4_b")(x, styles[:, 0])
        size, image = 4, self._to_rgb(4, x, styles[:, 1]) if self.skip else None
        for index, features in enumerate(larger):
            size *= 2
            x = self.layer(features, up=True, dtype=self.dtype, name=f"layer_{size}_a")(x, styles[:, 2 * index + 1])
            x = self.layer(features, dtype=self.dtype, name=f"layer_{size}_b")(x, styles[:, 2 * index + 2])
            if image is not None:
                image = fir.double(image) + self._to_rgb(size, x, styles[:, 2 * index + 3])
        return self._to_rgb(size, x, styles[:, -1]) if image is None else image

    def _to_rgb(self, size: int, x: jax.Array, w: jax.Array) -> jax.Array:
        """The image so far; its style is that of the next layer."""
        image = ModulatedConv(self.channels, 1, demodulate=False, dtype=self.dtype, name=f"rgb_{size}")(x, w)
        bias = self.param(f"rgb_{size}_bias", nn.initializers.zeros, (self.channels,), jnp.float32)
        return image + bias.astype(image.dtype)


class Generator(nn.Module):
    """Latents to images `[batch, size, size, channels]`, by way of w and of one style a layer.

    Streams: "noise" for the layers' noise and "mixing" for styles. Where one is not given, the noise is a fixed picture
    (the collection "constants"), and no styles are mixed.

    Attributes:
      features: channels of the maps of 4, 8, ..., size pixels.
      channels: of the image.
      mapping: from z, and a label, to w.
      layer: makes styled layers of `(features, up, dtype, name)`.
      skip: whether the image is a sum of those of all sizes, or that of the last.
      mixing: how often, in training, the finer layers from a random one on take the style of another z.
      dtype: of the synthesis; parameters, and the mapping, stay float32.
    """

    features: tuple[int, ...]
    channels: int = 1
    mapping: nn.Module = Mapping()
    layer: Callable[..., nn.Module] = ModulatedLayer
    skip: bool = True
    mixing: float = 0.9
    dtype: Any = None

    def setup(self) -> None:
        self.paint = Synthesis(self.features, self.channels, self.layer, self.skip, self.dtype)

    def __call__(self, z: jax.Array, *label: jax.Array, train: bool, truncation: ArrayLike = 1.0) -> jax.Array:
        """Generates; `train` moves the mean of w and mixes styles."""
        return self.synthesis(self.styles(z, *label, train=train, truncation=truncation))

    def styles(self, z: jax.Array, *label: jax.Array, train: bool, truncation: ArrayLike = 1.0) -> jax.Array:
        """One w for every layer, `[batch, 2 * len(features), n]`."""
        layers = 2 * len(self.features)
        w = self.mapping(z, *label, track=train, truncation=truncation)
        styles = jnp.repeat(w[:, None], layers, 1)
        if not (train and self.has_rng("mixing")):
            return styles
        keys = jax.random.split(self.make_rng("mixing"), 3)
        other = self.mapping(jax.random.normal(keys[0], z.shape, z.dtype), *label)
        cut = jax.random.randint(keys[1], (len(z), 1, 1), 1, layers)
        cut = jnp.where(jax.random.bernoulli(keys[2], self.mixing, cut.shape), cut, layers)
        return jnp.where(jnp.arange(layers)[:, None] < cut, styles, other[:, None])

    def synthesis(self, styles: jax.Array) -> jax.Array:
        """Images of styles, for mixing them by hand and for the length of paths."""
        return self.paint(styles)


class Discriminator(nn.Module):
    """Images `[batch, size, size, channels]` to logits `[batch]`.

    Attributes:
      features: channels of the maps of 4, 8, ..., size pixels.
      classes: how many labels, for a logit that is their embedding's product with the features; None for no condition.
      residual: whether blocks have a filtered way round.
      group: examples whose deviation the last layers see, see `append_standard_deviation`.
      dtype: of the computation; parameters stay float32.
    """

    features: tuple[int, ...]
    classes: int | None = None
    residual: bool = True
    group: int | None = 4
    dtype: Any = None

    @nn.compact
    def __call__(self, images: jax.Array, *label: jax.Array, train: bool = False) -> jax.Array:
        """Judges; `train` changes nothing."""
        x = self._conv("rgb", self.features[-1], 1)(images)
        size = 4 << (len(self.features) - 1)
        for features, smaller in zip(self.features[:0:-1], self.features[-2::-1], strict=True):
            y = self._conv(f"conv_{size}_a", features)(x)
            y = self._conv(f"conv_{size}_b", smaller, strides=(2, 2), padding="VALID")(fir.blur(y, pad=(2, 2)))
            if self.residual:
                around = EqualizedConv(smaller, (1, 1), use_bias=False, gain=1.0, dtype=self.dtype, name=f"skip_{size}")
                y = (y + around(fir.halve(x))) / math.sqrt(2)
            x, size = y, size // 2
        x = self._conv("conv_4", self.features[0])(append_standard_deviation(x, self.group)).reshape(x.shape[0], -1)
        x = nn.leaky_relu(EqualizedDense(self.features[0], dtype=self.dtype, name="hidden")(x), 0.2)
        if self.classes is None:
            return EqualizedDense(1, gain=1.0, dtype=self.dtype, name="logit")(x)[:, 0]
        embed = EqualizedDense(self.features[0], gain=math.sqrt(self.classes), name="label")
        embedded = embed(jax.nn.one_hot(label[0], self.classes)).astype(x.dtype)
        return jnp.sum(x * embedded, -1) / math.sqrt(self.features[0])

    def _conv(self, name: str, features: int, size: int = 3, **settings: Any) -> Callable[[jax.Array], jax.Array]:
        conv = EqualizedConv(features, (size, size), dtype=self.dtype, name=name, **settings)
        return lambda x: nn.leaky_relu(conv(x), 0.2)
