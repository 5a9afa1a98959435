"""Bytes on a disk: files of models beside those of general coders and of picture formats, of the same images.

`python benchmarks/compression.py` trains what is missing, compresses the held-out digits and prints a Markdown table;
`--data mnist` does the same of MNIST. What is trained already is not trained again.
"""

import bz2
import gzip
import io
import json
import lzma
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
import PIL.Image
import tyro

from jaxgen.codec import fingerprint
from jaxgen.codec.bits_back import BitsBack, LatentModel
from jaxgen.codec.container import Header
from jaxgen.codec.files import compress
from jaxgen.data.lookup import named
from jaxgen.losses import mixture

MODELS = {  # experiment -> options of `jaxgen train`
    "gated_pixelcnn": (),
    "pixelcnn_pp": (),
    "pixelsnail": (),
    "image_transformer": (),
    "idf": (),
    "realnvp": (),
    "glow": (),
    "vae": ("--likelihood", "discretized_logistic"),
    "hierarchical_vae": (),
    "structured_vae": (),
}
GENERAL: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip -9": lambda data: gzip.compress(data, 9),
    "bzip2 -9": lambda data: bz2.compress(data, 9),
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
}
PICTURES: Mapping[str, Mapping[str, Any]] = {
    "PNG": {"format": "PNG", "optimize": True},
    "WebP, lossless": {"format": "WEBP", "lossless": True, "quality": 100, "method": 6},
}


def general(images: np.ndarray) -> dict[str, int]:
    """Bytes that general coders make of all images `[count, height, width, channels]`, one byte a symbol, in a row."""
    return {name: len(coder(images.tobytes())) for name, coder in GENERAL.items()}


def pictures(images: np.ndarray) -> dict[str, int]:
    """Bytes of lossless pictures: a file an image, and all side by side in one."""
    sizes = {}
    for name, settings in PICTURES.items():
        sizes[f"{name}, a file an image"] = sum(len(_saved(image, settings)) for image in images)
        sizes[f"{name}, all in one"] = len(_saved(_mosaic(images), settings))
    return sizes


def _mosaic(images: np.ndarray) -> np.ndarray:
    """All images in one, as near to a square as their number allows without a gap."""
    count, height, width, channels = images.shape
    rows = max(n for n in range(1, math.isqrt(count) + 1) if count % n == 0)
    tiles = images.reshape(rows, count // rows, height, width, channels).swapaxes(1, 2)
    return tiles.reshape(rows * height, -1, channels)


def _saved(image: np.ndarray, settings: Mapping[str, Any]) -> bytes:
    """A picture's file, seen to hold the image."""
    file = io.BytesIO()
    PIL.Image.fromarray(image if image.shape[-1] == 3 else image[..., 0]).save(file, **settings)
    with PIL.Image.open(io.BytesIO(file.getvalue())) as opened:
        found = np.asarray(opened.convert("RGB" if image.shape[-1] == 3 else "L")).reshape(image.shape)
    if not np.array_equal(found, image):
        raise ValueError(f"{settings['format']} did not keep the image")
    return file.getvalue()


def mixture_of_ten(train: np.ndarray, test: np.ndarray, levels: int, file: Path) -> tuple[int, float]:
    """Bytes of a file of exact bits-back, and the bits a symbol of its model: ten components of independent pixels.

    They are fitted by 60 steps of expectation-maximization, a tenth more of each level than was seen.

    Args:
      train: what they are fitted to, `[examples, ...]`.
      test: what is written.
      levels: values of a symbol.
      file: what is written to.
    """
    train, x = (images.reshape(len(images), -1).astype(np.int32) for images in (train, test))
    shares = np.random.default_rng(0).dirichlet(np.full(10, 0.1), len(train))
    for _ in range(60):
        fitted = mixture.categorical_m_step(train, shares, levels=levels, pseudo_count=0.1)
        shares = np.asarray(mixture.responsibilities(mixture.categorical_log_joint(train, fitted)))
    log_prob = np.asarray(mixture.log_prob(mixture.categorical_log_joint(x, fitted)), np.float64)
    size, pixels = x.shape[1], np.arange(x.shape[1])
    table, log_weights = (np.asarray(jax.nn.log_softmax(a), np.float64) for a in (fitted.level_logits, fitted.logits))

    def posterior(symbols: np.ndarray) -> np.ndarray:
        log_p = log_weights + table[:, pixels, symbols].sum(-1)
        return np.exp(log_p - log_p.max())[None]

    model = LatentModel(np.exp(log_weights)[None], posterior, lambda z: np.exp(table[z[0]]))
    weights, program = fingerprint.of_weights(fitted), fingerprint.of_program()
    header = Header("bits-back", "array", weights, test.shape[1:], levels, len(x), x.size, program)
    return compress(file, header, BitsBack(model, size), x.ravel()), -log_prob.sum() / x.size / math.log(2)


def compressed(name: str, data: str, out: Path) -> tuple[int, float, float]:
    """Bytes of a model's file, header included, the bits a symbol that the model itself expects, and seconds to write.

    Every block is decoded again before it is written, which the seconds include.
    """
    folder, file = out / f"{name}_{data}", out / f"{name}_{data}.jxg"
    _jaxgen("train", name, "--data", data, *MODELS[name], "--run-dir", str(folder))
    start = time.monotonic()
    _jaxgen("compress", str(folder), "--from", "test", "--out", str(file))
    seconds = time.monotonic() - start
    found = json.loads((folder / "eval.json").read_text())["figures"]
    return file.stat().st_size, found["bits_per_dim"]["mean"], seconds


def _jaxgen(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "jaxgen", *args], check=True, stdout=sys.stderr)


def main(data: Literal["digits", "mnist"] = "digits", out: Path = Path("runs/benchmark_compression")) -> None:
    """Measures.

    Args:
      data: whose held-out images.
      out: folder of the runs and files.
    """
    out.mkdir(parents=True, exist_ok=True)
    data_set = named(data)
    test = data_set.test
    images = test[np.arange(len(test))]["image"]
    symbols = images.size

    def row(name: str, size: int, expected: str = "", seconds: str = "") -> None:
        print(f"| {name} | {size:,} | {8 * size / symbols:.4f} | {expected} | {seconds} |", flush=True)

    print(f"{len(images)} images of {data}, {symbols:,} symbols; bits of a file, header included, for each symbol.\n")
    print("| coder | bytes | bits a symbol | the model's own | seconds |\n|---|---|---|---|---|")
    for name, size in {**general(images), **pictures(images)}.items():
        row(name, size)
    start, train = time.monotonic(), data_set.train[np.arange(len(data_set.train))]["image"]
    levels = data_set.fields["image"].levels
    assert levels is not None
    size, bits = mixture_of_ten(train, images, levels, out / f"mixture_{data}.jxg")
    row("mixture of ten, exact bits-back", size, f"{bits:.4f}", f"{time.monotonic() - start:.0f}")
    for name in MODELS:
        size, bits, seconds = compressed(name, data, out)
        row(f"`{name}`", size, f"{bits:.4f}", f"{seconds:.0f}")


if __name__ == "__main__":
    tyro.cli(main)
