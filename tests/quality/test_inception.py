"""The FID's network against outputs that torch-fidelity 0.4.0 gave for the same random weights and images."""

import hashlib
import zlib

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jaxgen.errors import UserError
from jaxgen.models.inception import Inception, resize
from jaxgen.quality.inception import inception

# Of `FeatureExtractorInceptionV3`'s state, every "name shape" that is not a scalar, sorted, a line each.
NAMES = "d84f693f2abd7fea61cb31c87d3b2f268bf707c1bae1db219afdad3363959cb0"
# Its "2048" and "logits_unbiased" with `random_array` for weights, of two images, every 256th and every 126th.
FEATURES = [
    [0.0065883, 1.1791049, 0.4884625, 0.2215620, 1.0383484, 0.4866618, 0.0198976, 0.0053668],
    [0.0034455, 1.1915597, 0.5090690, 0.2022914, 1.0236331, 0.5173157, 0.0267569, 0.0055698],
]
LOGITS = [
    [1.1967582, 1.3675240, 0.1441303, -1.6141005, -3.9679520, -0.4729373, -0.6443703, -0.1074744],
    [1.1695478, 1.3974075, 0.0477039, -1.6948260, -4.0394287, -0.4449222, -0.6554004, -0.1667455],
]
IMAGES = np.random.RandomState(0).randint(0, 256, (2, 32, 40, 3)).astype(np.uint8)


def random_array(name, shape):
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("running_var"):
        return x**2 + 0.5
    if name.endswith("bn.weight"):
        return 1 + 0.1 * x
    return x * np.float32(np.sqrt(2 / np.prod(shape[1:]))) if len(shape) > 1 else 0.1 * x


@pytest.fixture(scope="module")
def shapes():
    """PyTorch's names and shapes of the network's arrays."""
    params = jax.eval_shape(Inception().init, jax.random.key(0), IMAGES[:1].astype(np.float32))["params"]
    found = {"fc.bias": (1008,)}
    for (*layer, name), x in flatten_dict(params).items():
        if name == "kernel":
            found[".".join([*layer, "weight"])] = tuple(
                np.array(x.shape)[[3, 2, 0, 1] if len(x.shape) == 4 else [1, 0]]
            )
        else:
            found |= {".".join([*layer, "bn", n]): x.shape for n in ("weight", "bias", "running_mean", "running_var")}
    return {name: tuple(int(n) for n in shape) for name, shape in found.items()}


@pytest.fixture(scope="module")
def file(shapes, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.npz"
    np.savez(path, **{name: random_array(name, shape) for name, shape in shapes.items()})
    return path


def test_names_and_shapes_are_those_of_the_file(shapes):
    lines = "\n".join(sorted(f"{name} {shape}" for name, shape in shapes.items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == NAMES


@pytest.mark.slow
def test_features_and_logits_are_torch_fidelity_s(file):
    extractor = inception(file)
    call = jax.jit(extractor.apply, compiler_options={"xla_backend_optimization_level": 0})
    features, log_probs = call(extractor.params, IMAGES / np.float32(127.5) - 1)
    assert features.shape == (2, 2048)
    assert log_probs.shape == (2, 1008)
    np.testing.assert_allclose(features[:, ::256], FEATURES, atol=2e-5)
    np.testing.assert_allclose(features.mean(1), [1.152436, 1.158194], atol=1e-5)
    np.testing.assert_allclose(np.diff(log_probs[:, ::126]), np.diff(LOGITS), atol=1e-4)
    np.testing.assert_allclose(log_probs.std(1), [2.774868, 2.788867], atol=1e-4)
    assert hashlib.sha256(file.read_bytes()).hexdigest()[:12] in extractor.name


def test_resizing_is_tensorflow_1_s():
    """Of 2 pixels made 4, the new ones are halfway to the next, and the last, which has none, is repeated."""
    x = np.array([0.0, 8.0]).reshape(1, 1, 2, 1)
    np.testing.assert_allclose(resize(x, 4)[0, 0, :, 0], [0, 4, 8, 8])
    np.testing.assert_allclose(resize(np.arange(6.0).reshape(1, 1, 6, 1), 4)[0, 0, :, 0], [0, 1.5, 3, 4.5])
    np.testing.assert_array_equal(resize(IMAGES[:, :, :32].astype(np.float32), 32), IMAGES[:, :, :32])


def test_a_file_that_is_not_the_network_s_is_one_sentence(file, tmp_path):
    broken = {
        "missing": ({}, "has no array 'Conv2d_1a_3x3.conv.weight'; jaxgen/quality/inception.py says"),
        "shape": ({"Conv2d_1a_3x3.conv.weight": np.zeros((32, 1, 3, 3))}, "Conv2d_1a_3x3.conv of another shape"),
    }
    for name, (arrays, message) in broken.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(UserError, match=message):
            inception(tmp_path / f"{name}.npz")
    np.savez(tmp_path / "pickled.npz", a=np.array([{}], object))
    (tmp_path / "cut.npz").write_bytes(file.read_bytes()[:1000])
    for name in ("pickled", "cut"):
        with pytest.raises(UserError, match="is no whole .npz file; jaxgen/quality/inception.py says how to make one"):
            inception(tmp_path / f"{name}.npz")
