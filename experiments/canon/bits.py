"""Numbers in the place of pictures: bits a byte beside other people's, and bytes of files."""

import json
from pathlib import Path

from jaxgen import measured
from jaxgen.report.gallery import Claim, Illustration, Table

_EXPERIMENTS = Path(__file__).parent.parent
_COMPRESSED = _EXPERIMENTS.parent / "benchmarks" / "results" / "compression.json"  # of a checkout

# What papers give for CIFAR-10 or, of text, for enwik8: bits a byte, held out.
PUBLISHED = {
    "nice": ("CIFAR-10", 4.48, "Dinh et al., 2014, after van den Oord et al., 2016"),
    "realnvp": ("CIFAR-10", 3.49, "Dinh et al., 2017"),
    "glow": ("CIFAR-10", 3.35, "Kingma & Dhariwal, 2018"),
    "vq_vae": ("CIFAR-10", 4.67, "van den Oord et al., 2017"),
    "gated_pixelcnn": ("CIFAR-10", 3.03, "van den Oord et al., 2016"),
    "pixelcnn_pp": ("CIFAR-10", 2.92, "Salimans et al., 2017"),
    "pixelsnail": ("CIFAR-10", 2.85, "Chen et al., 2018"),
    "image_transformer": ("CIFAR-10", 2.90, "Parmar et al., 2018"),
    "transformer": ("enwik8", 1.06, "Al-Rfou et al., 2018"),
    "transformer_xl": ("enwik8", 0.99, "Dai et al., 2019"),
}
CONTROLS = ("5-grams", "Gaussian", "independent pixels", "untrained")  # the first that a run has stands beside it


def bits() -> Table | None:
    """Recorded runs by their presets, best first in each data set, and what the method's paper has elsewhere."""
    found = measured.by_setting(measured.read(_EXPERIMENTS / "figures.jsonl"))
    kept = {
        (data, experiment): runs
        for (experiment, data, options, _), runs in found.items()
        if not options and "bits_per_dim" in runs[0].figures
    }
    mean = {key: sum(run.figures["bits_per_dim"][""] for run in runs) / len(runs) for key, runs in kept.items()}
    rows, numbers = [], {}
    for data, experiment in sorted(kept, key=lambda key: (key[0], mean[key])):
        runs = kept[data, experiment]
        controls = measured.controls(runs, "bits_per_dim")
        control = next((name for name in CONTROLS if name in controls), None)
        there, value, source = PUBLISHED.get(experiment, ("", None, ""))
        rows.append(
            (
                experiment,
                data,
                f"{measured.value([run.figures['bits_per_dim'][''] for run in runs])} ({measured.count(runs)})",
                "" if control is None else f"{control} {controls[control]}",
                "" if value is None else f"{value:.2f} on {there}",
                source,
            )
        )
        numbers[f"{experiment} on {data}", ""] = mean[data, experiment]
        if control is not None:
            numbers[f"{experiment} on {data}", "control"] = float(controls[control].replace(",", ""))
    if not rows:
        return None
    dates = sorted(run.date for runs in kept.values() for run in runs)
    head = ("experiment", "data", "bits a byte", "held against", "published", "by")
    return Table(head, rows, numbers, f"recorded runs of {dates[0][:10]} to {dates[-1][:10]}")


def compressed() -> Table | None:
    """Bytes that coders make of the held-out digits; None where the benchmark's results are not, as in a wheel."""
    if not _COMPRESSED.is_file():
        return None
    rows = json.loads(_COMPRESSED.read_text())["rows"]
    numbers = {(row["coder"], ""): float(row["bytes"]) for row in rows}
    numbers |= {(row["coder"], "model"): row["model_bits_per_pixel"] for row in rows if "model_bits_per_pixel" in row}
    numbers |= {
        (row["coder"], "file"): row["symbols_alone_bits_per_pixel"]
        for row in rows
        if "symbols_alone_bits_per_pixel" in row
    }
    texts = [
        (
            row["coder"].replace("`", ""),
            f"{row['bytes']:,}",
            f"{row['bits_per_pixel']:.3f}",
            f"{row['model_bits_per_pixel']:.3f}" if "model_bits_per_pixel" in row else "",
        )
        for row in sorted(rows, key=lambda row: row["bytes"])
    ]
    return Table(("coder", "bytes", "bits a pixel", "model's own bits"), texts, numbers, "files of 2026-11-27")


FIGURES = (
    Illustration(
        name="bits",
        family="bits and bytes",
        title="Bits a byte, beside what papers have",
        text="What one byte of held-out data costs under each model, of the same data from the fewest on. Papers have "
        "other data and a thousand times the computing: theirs show the order of methods, not a score to beat.",
        alt="A table of experiments, their data, bits a byte, what these are held against, and published numbers.",
        table=bits,
        command="python benchmarks/figures.py",
        claims=(
            Claim("a Gated PixelCNN's bits on digits", "gated_pixelcnn on digits", most=1.85),
            Claim("a Glow's", "glow on digits", most=2.05),
            Claim("a VAE's", "vae on digits", 1.9, 2.05),
            Claim("a Gaussian's", "vae on digits", least=2.9, of="control"),
        ),
    ),
    Illustration(
        name="compression",
        family="bits and bytes",
        title="Likelihood is file size",
        text="An entropy coder turns each model into files of the held-out digits, and what it writes is within half a "
        "per cent of the model's own bits, but for a header. The general coders know nothing of digits.",
        alt="A table of coders, the bytes of their files, bits a pixel and the models' own bits.",
        table=compressed,
        command="python benchmarks/compression.py",
        claims=(
            Claim("bytes by a Gated PixelCNN, header and all", "`gated_pixelcnn`", most=6000),
            Claim("by a VAE and bits back", "`vae`, bits back", most=6500),
            Claim("by bzip2, the best that knows nothing", "bzip2 -9", least=8000),
            Claim("the Gated PixelCNN's own bits a pixel", "`gated_pixelcnn`", 1.8, 1.82, of="model"),
            Claim("those of its file without the header", "`gated_pixelcnn`", 1.8, 1.82, of="file"),
        ),
    ),
)
