"""A PixelCNN in integers: the same probabilities on every machine, to the last bit.

Weights and what layers multiply are int8, sums int32, which are the same in any order; the softmax is a table of
integers. Ballé, Johnston & Minnen, 2019, "Integer Networks for Data Compression with Latent-Variable Models". Every
function takes its array library, so that JAX on any device and NumPy run one text.
"""

import decimal
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_UNIT = 2**-10  # of the residual stream, in float's numbers: int32 leaves room for 2^21
_LOGIT = 2**-8  # of logits, in nats


class Layer(NamedTuple):
    """Integers of a matrix product: `(inputs @ kernel * multiplier) >> shift`, rounded, and the bias.

    Attributes:
      kernel: int8 `[inputs, features]`, zero where a weight is masked.
      multiplier: int32 `[features]`, so small that no product overflows.
      shift: int32 `[]`.
      bias: int32 `[features]`, in units of the output.
      divisor: int32 `[]`, what the residual stream is divided by to be int8.
    """

    kernel: Any
    multiplier: Any
    shift: Any
    bias: Any
    divisor: Any


class IntegerPixelCNN(NamedTuple):
    """All that a file depends on: int arrays, to be saved beside it and hashed.

    Attributes:
      layers: as of `jaxgen.models.autoregressive.pixelcnn.PixelCNN`, first to last.
      inputs: int8 `[levels, 2]`, a symbol's value and the one beside it.
      exponential: int32, e^(-k / 256) in 2^-20, never 0, falling.
      size: side of the kernels, int32 `[]`.
    """

    layers: tuple[Layer, ...]
    inputs: Any
    exponential: Any
    size: Any


def _table() -> np.ndarray:
    """By decimal arithmetic, which is the same everywhere; a processor's exp is not."""
    context = decimal.Context(prec=40)
    entries = [int(context.exp(decimal.Decimal(-k) / 256) * 2**20) for k in range(14 * 256)]
    return np.maximum(np.array(entries, np.int32), 1)


def quantize(params: Any, levels: int, size: int, x: np.ndarray) -> IntegerPixelCNN:
    """Integers of a trained network.

    Args:
      params: of a `PixelCNN` of images of one channel.
      levels: of a symbol.
      size: side of its kernels.
      x: symbols `[batch, height, width]`, such as training data: what values layers have.
    """
    weights = [{k: np.array(v, np.float64) for k, v in params[f"MaskedDense_{i}"].items()} for i in range(len(params))]
    weights[0]["kernel"][-2:] = 0  # a pixel does not see itself
    values = np.stack([np.round(np.linspace(-127, 127, levels)), np.full(levels, 127)], -1).astype(np.int8)
    before, reach = _before(size)
    y, layers = values[x] / 127, []
    for index, weight in enumerate(weights):
        kernel, last = weight["kernel"], len(weights) - 1
        divisor = 1 if index == 0 else max(1, int(np.ceil(y.max() / _UNIT / 127)))
        offsets = before if index < last - 1 else []
        seen = _neighbours(y if index == 0 else np.maximum(y, 0), [*offsets, (0, 0)], reach, np)
        out = seen @ kernel + weight["bias"]
        y = y + out if 0 < index < last - 1 else out
        layers.append(
            _integers(kernel, weight["bias"], 1 / 127 if index == 0 else divisor * _UNIT, index == last, divisor)
        )
    return IntegerPixelCNN(tuple(layers), values, _table(), np.int32(size))


def _integers(kernel: np.ndarray, bias: np.ndarray, of_input: float, is_last: bool, divisor: int) -> Layer:
    unit = _LOGIT if is_last else _UNIT
    ratio = np.maximum(np.abs(kernel).max(0), 1e-9) / 127 * of_input / unit  # of a sum's unit to the output's
    room = 2**30 / (127 * 127 * len(kernel))  # a multiplier beyond would overflow int32 with the largest sum
    shift = int(np.clip(np.floor(np.log2(room / ratio.max())), 1, 24))
    multiplier = np.maximum(np.round(ratio * 2**shift), 1)
    step = multiplier / 2**shift * unit / of_input  # of a weight, after rounding
    rounded = np.clip(np.round(kernel / step), -127, 127).astype(np.int8)
    return Layer(
        rounded, multiplier.astype(np.int32), np.int32(shift), np.round(bias / unit).astype(np.int32), np.int32(divisor)
    )


def _before(size: int) -> tuple[list[tuple[int, int]], int]:
    """The offsets of what a kernel sees but the pixel itself, in the float network's order; and its reach."""
    reach = size // 2
    return [(dy, dx) for dy in range(-reach, 1) for dx in range(-reach, reach + 1) if (dy, dx) < (0, 0)], reach


def _multiply(x: Any, layer: Layer, xp: Any) -> Any:
    if xp is np:
        total = x.astype(np.int32) @ layer.kernel.astype(np.int32)
    else:
        total = jax.lax.dot_general(
            x, layer.kernel, (((x.ndim - 1,), (0,)), ((), ())), preferred_element_type=jnp.int32
        )
    return ((total * layer.multiplier + (1 << (layer.shift - 1))) >> layer.shift) + layer.bias


def _neighbours(x: Any, offsets: list[tuple[int, int]], reach: int, xp: Any) -> Any:
    height, width = x.shape[1:3]
    padded = xp.pad(x, ((0, 0), (reach, 0), (reach, reach), (0, 0)))
    return xp.concatenate(
        [padded[:, reach + dy : reach + dy + height, reach + dx : reach + dx + width] for dy, dx in offsets], axis=-1
    )


def frequencies(model: IntegerPixelCNN, x: Any, xp: Any = jnp) -> Any:
    """How likely every level of every pixel is: int32 `[batch, height, width, levels]`, at least 1, of no fixed sum.

    Args:
      model: its integers.
      x: symbols `[batch, height, width]`.
      xp: `jax.numpy` or `numpy`.
    """
    before, reach = _before(int(model.size))

    def small(y: Any, layer: Layer) -> Any:
        return xp.clip((y + layer.divisor // 2) // layer.divisor, 0, 127).astype(xp.int8)

    first, *hidden, mix, head = model.layers
    inputs = xp.asarray(model.inputs)[x]
    y = _multiply(_neighbours(inputs, [*before, (0, 0)], reach, xp), first, xp)
    for layer in hidden:
        y = y + _multiply(_neighbours(small(y, layer), [*before, (0, 0)], reach, xp), layer, xp)
    y = _multiply(small(y, mix), mix, xp)
    logits = _multiply(small(y, head), head, xp)
    below = xp.max(logits, axis=-1, keepdims=True) - logits
    table = xp.asarray(model.exponential)
    return table[xp.minimum(below, len(table) - 1)]


def step(model: IntegerPixelCNN, x: Any, position: Any, previous: Any, xp: Any = jnp) -> tuple[Any, Any]:
    """One pixel's frequencies, `[batch, levels]`, as `jaxgen.codec.direct.Direct` takes them; x is its cache."""
    batch, height, width = x.shape
    here = xp.arange(height * width) == position - 1
    x = xp.where(here, previous[:, None], x.reshape(batch, -1)).astype(xp.int32).reshape(x.shape)
    pmf = frequencies(model, x, xp).reshape(batch, height * width, -1)
    return x, pmf[:, position]
