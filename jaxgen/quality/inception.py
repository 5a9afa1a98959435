"""The feature space of the FID, the KID and the inception score: Inception-v3 with weights from a file.

The file is an .npz of the arrays of PyTorch's versions of TensorFlow's release of 2015-12-05, under their names there
(`Mixed_5b.branch1x1.conv.weight`). From pytorch-fid's or torch-fidelity's .pth:

    weights = torch.load("pt_inception-2015-12-05-6726825d.pth", weights_only=True)
    numpy.savez("inception.npz", **{name: x.numpy() for name, x in weights.items()})

With random weights the network's outputs are torch-fidelity 0.4's, up to float32's rounding. The released weights have
not been tried: whether a file holds them is for its owner to know, so its SHA-256 stands beside every number.
"""

import functools
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgen.errors import UserError
from jaxgen.models.inception import Inception
from jaxgen.quality.extractor import Extractor

Array = jax.Array

_EPSILON = 1e-3  # of the release's batch normalization
_REMEDY = "jaxgen/quality/inception.py says how to make one"


def inception(file: Path) -> Extractor:
    """The feature space of the weights in a file.

    Images of one channel become grey ones. All are rounded to 256 levels first, as if they had been stored.

    Raises:
      UserError: the file cannot be read, or lacks an array or has one of another shape.
    """
    params = inception_params(_read(file))
    mark = hashlib.sha256(file.read_bytes()).hexdigest()[:12]

    def apply(params: Any, images: Array) -> tuple[Array, Array]:
        if images.shape[3] not in (1, 3):
            raise UserError(f"features is 'inception' but images have {images.shape[3]} channels; it takes 1 or 3.")
        levels = jnp.clip(jnp.round((images + 1) * 127.5), 0, 255)
        outputs: Any = Inception().apply({"params": params}, jnp.broadcast_to(levels, (*images.shape[:3], 3)))
        return outputs[0], jax.nn.log_softmax(outputs[1])

    return Extractor(f"inception (weights of {file.name}, SHA-256 {mark}...)", apply, params)


def inception_params(weights: Mapping[str, np.ndarray]) -> Any:
    """The network's parameters of PyTorch's arrays: `[out, in, height, width]` kernels, batch normalization folded.

    Raises:
      UserError: an array is missing or of another shape.
    """
    return unflatten_dict({path: _param(path, shape, weights) for path, shape in _shapes().items()})


@functools.cache
def _shapes() -> dict[tuple[str, ...], tuple[int, ...]]:
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    variables: Any = jax.eval_shape(Inception().init, jax.random.key(0), image)
    found: dict[Any, Any] = flatten_dict(variables["params"])
    return {path: x.shape for path, x in found.items()}


def _param(path: tuple[str, ...], shape: tuple[int, ...], weights: Mapping[str, np.ndarray]) -> np.ndarray:
    *layer, name = path

    def array(*names: str) -> np.ndarray:
        key = ".".join([*layer, *names])
        if key not in weights:
            raise UserError(f"features is 'inception' but its file has no array {key!r}; {_REMEDY}.")
        return np.asarray(weights[key], np.float32)

    if name == "kernel":
        kernel = array("weight")
        value = kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel.T
    else:
        scale = array("bn", "weight") / np.sqrt(array("bn", "running_var") + _EPSILON)
        value = scale if name == "scale" else array("bn", "bias") - array("bn", "running_mean") * scale
    if value.shape != shape:
        here = ".".join(layer)
        raise UserError(f"features is 'inception' but its file has {here} of another shape, {value.shape}; {_REMEDY}.")
    return value


def _read(file: Path) -> dict[str, np.ndarray]:
    if not file.is_file():
        raise UserError(f"features names {file}, which does not exist; {_REMEDY}.")
    try:
        with np.load(file) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError) as error:
        raise UserError(f"features names {file}, which is no whole .npz file; {_REMEDY}.") from error
