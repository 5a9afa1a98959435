"""How a flow of dequantized images codes: by local bits back, in about the bits of its own bound."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.codec.coded import Code
from jaxgen.codec.local_bits_back import LocalBitsBack, LocalFlow
from jaxgen.core import Array, View
from jaxgen.errors import UserError
from jaxgen.fields import image

_LARGEST = 1024  # numbers in an image, each of which is a pass and a row of a matrix


def local_bits_back(levels: int) -> Code:
    """The code of a network `flow` as `image_flow` has it, of uniform noise and no classes.

    All is computed in float64 but what the module's own `dtype` narrows.
    """

    def coder(view: View, event: tuple[int, ...], batch: int) -> LocalBitsBack:
        size = math.prod(event)
        if size > _LARGEST:
            raise UserError(
                f"images have {size} numbers; a flow compresses at most {_LARGEST}, by as many passes each."
            )
        with jax.enable_x64(True):
            wide = dataclasses.replace(view, params=_wide(view.params), variables=_wide(view.variables))

        def base(x: Array) -> Array:
            return wide("flow", x.reshape(1, *event), method="inverse_and_log_det")[0].ravel()

        @jax.jit
        def to_base(x: Array) -> tuple[Array, Array]:
            of_logits = jax.jacfwd(base)(x) * x * (1 - x)
            return base(x), jnp.linalg.qr(of_logits.T, mode="r").T

        @jax.jit
        def to_data(z: Array) -> Array:
            return wide("flow", z.reshape(1, *event), method="forward_and_log_det")[0].ravel()

        return LocalBitsBack(LocalFlow(_in_float64(to_base), _in_float64(to_data)), size, levels)

    return Code("local bits-back", "image", image(levels), coder, batch=10_000, most=1 << 16)


def _in_float64(f: Callable[..., Any]) -> Callable[..., Any]:
    def computed(x: np.ndarray) -> Any:
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, f(x))

    return computed


def _wide(arrays: Any) -> Any:
    return jax.tree.map(lambda a: a.astype(jnp.float64) if jnp.issubdtype(a.dtype, jnp.floating) else a, arrays)
