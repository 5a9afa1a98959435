"""Bytes on a disk: files of models beside those of general coders and of picture formats, of the same images.

`python benchmarks/bytes_on_disk.py` trains what is missing, compresses the held-out digits and prints a Markdown table;
`--data mnist` does the same of MNIST's 256 levels, `--data binary` of its pixels drawn as 0 and 1. What is trained
already is not trained again.
"""

import bz2
import dataclasses
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
from jaxgen.codec.chain import Chain
from jaxgen.codec.coded import code_of
from jaxgen.codec.container import Header
from jaxgen.codec.files import BlockCoder, compress, decompress
from jaxgen.commands.compress import open_run
from jaxgen.data.lookup import named
from jaxgen.data.transforms import binarize
from jaxgen.losses import mixture
from jaxgen.training import process

Kind = Literal["digits", "mnist", "binary"]
VAE = ("--likelihood", "discretized_logistic")
MODELS: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {  # experiment -> options of `jaxgen train`
    "digits": {
        "gated_pixelcnn": (),
        "pixelcnn_pp": (),
        "pixelsnail": (),
        "image_transformer": (),
        "idf": (),
        "realnvp": (),
        "glow": (),
        "vae": VAE,
        "hierarchical_vae": (),
        "structured_vae": (),
    },
    "mnist": {"gated_pixelcnn": ("--no-binary",), "vae": VAE},
    "binary": {"gated_pixelcnn": (), "vae": ()},
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


@dataclasses.dataclass(frozen=True)
class Written:
    """A model's file.

    Attributes:
      bytes: of it, header included.
      paid: bits a symbol without the header, and without what a chain's first example borrowed of the seed.
      model: bits a symbol that the model itself expects.
      encoded, decoded: examples a second, when all is compiled.
    """

    bytes: int
    paid: float
    model: float
    encoded: float
    decoded: float


class _Counting:
    """A coder that adds up the bits that its symbols took."""

    def __init__(self, coder: BlockCoder):
        self.coder, self.bits = coder, 0

    def encode(self, symbols: np.ndarray) -> np.ndarray:
        words = self.coder.encode(symbols)
        self.bits += self.coder.paid(words) if isinstance(self.coder, Chain) else 32 * len(words)
        return words

    def decode(self, words: np.ndarray, size: int) -> np.ndarray:
        return self.coder.decode(words, size)


def written(folder: Path, file: Path) -> Written:
    """Compresses a run's held-out examples, and sees that they come back.

    Raises:
      ValueError: they do not.
    """
    run, view = open_run(folder)
    code, source = code_of(run.method), run.stage.data.test
    event = source.spec[code.field].shape
    symbols = code.symbols(source[np.arange(len(source))][code.field]).ravel()
    batch, weights = min(code.batch, len(source)), fingerprint.of_weights(view.params)
    program = fingerprint.of_program()
    header = Header(code.name, "array", weights, event, code.levels, batch, symbols.size, program)
    coder = _Counting(code.open(view, event, batch))
    first = symbols[: header.block_size(0)]
    coder.decode(coder.coder.encode(first), len(first))  # compiles
    start = time.monotonic()
    size = compress(file, header, coder, symbols, verify=False)
    middle = time.monotonic()
    back = np.concatenate(list(decompress(file, lambda header: (weights, coder))))
    seconds = middle - start, time.monotonic() - middle
    if not np.array_equal(back, symbols):
        raise ValueError(f"{file} holds other symbols than were compressed")
    bits = json.loads((folder / "eval.json").read_text())["figures"]["bits_per_dim"]["mean"]
    return Written(size, coder.bits / symbols.size, bits, *(len(source) / s for s in seconds))


def _jaxgen(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "jaxgen", *args], check=True, stdout=sys.stderr)


def main(
    data: Kind = "digits",
    out: Path = Path("runs/benchmark_compression"),
    models: tuple[str, ...] = (),
    json_file: Path | None = None,
) -> None:
    """Measures.

    Args:
      data: whose held-out images.
      out: folder of the runs and files.
      models: experiments; all that the data has, where none is named.
      json_file: for every number.
    """
    process.configure()
    out.mkdir(parents=True, exist_ok=True)
    name = "mnist" if data == "binary" else data
    data_set = named(name)
    levels = data_set.fields["image"].levels
    assert levels is not None
    if data == "binary":
        data_set, levels = data_set.map_once(binarize(levels)), 2
    images = data_set.test[np.arange(len(data_set.test))]["image"]
    print(f"{len(images)} images, {images.size:,} symbols; bits of a file, header included, for each symbol.\n")
    print("| coder | bytes | bits a symbol | of symbols alone | the model's own | images/s, to and fro |")
    print("|---|---|---|---|---|---|", flush=True)
    rows = []

    def row(coder: str, size: int, found: Written | None = None) -> None:
        bits = 8 * size / images.size
        rows.append(
            {"coder": coder, "bytes": size, "bits_a_symbol": bits, **(dataclasses.asdict(found) if found else {})}
        )
        if json_file is not None:
            json_file.write_text(json.dumps(rows, indent=1) + "\n")
        cells = f"{found.paid:.4f} | {found.model:.4f} | {found.encoded:.0f}, {found.decoded:.0f}" if found else "| |"
        print(f"| {coder} | {size:,} | {bits:.4f} | {cells} |", flush=True)

    raw = np.packbits(images) if data == "binary" else images
    for coder, size in general(raw).items():
        row(coder, size)
    if data == "digits":
        for coder, size in pictures(images).items():
            row(coder, size)
        train = data_set.train[np.arange(len(data_set.train))]["image"]
        size, bits = mixture_of_ten(train, images, levels, out / "mixture_digits.jxg")
        row(f"mixture of ten, exact bits-back (the model's own: {bits:.4f})", size)
    for model in models or MODELS[data]:
        folder = out / f"{model}_{data}"
        _jaxgen("train", model, "--data", name, *MODELS[data][model], "--run-dir", str(folder))
        found = written(folder, out / f"{model}_{data}.jxg")
        row(f"`{model}`", found.bytes, found)


if __name__ == "__main__":
    tyro.cli(main)
