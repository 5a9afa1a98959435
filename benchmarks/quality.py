"""Samples of adversarial methods at equal budgets: distances, precision, recall and classes by a classifier's features.

`TFDS_DATA_DIR=FOLDER python benchmarks/quality.py` trains a DCGAN's networks on MNIST by several rules with every
seed, and prints a Markdown table; `--help` says what else. What is finished is not done again and what was
interrupted goes on, so the command may be stopped and repeated. `--experiments dcgan --data digits
--batches 200 --samples 500` is a first look.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import tyro

from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find
from jaxgen.training.run_folder import RunFolder

FIGURES = {  # name in eval.json -> title and decimals
    "frechet_distance": ("Fréchet distance", 3),
    "kernel_distance": ("kernel distance", 4),
    "precision": ("precision", 3),
    "recall": ("recall", 3),
    "density": ("density", 3),
    "coverage": ("coverage", 3),
    "classes": ("classes", 1),
    "class_kl": ("class KL, nats", 3),
    "conditional_accuracy": ("class asked for", 3),
    "data_copying": ("data copying", 3),
}


def run(
    file: ExperimentFile, data: str, seed: int, batches: int, width: int, samples: int, folder: RunFolder
) -> dict[str, Any]:
    """Trains and evaluates one seed, as far as that is not done; returns what `eval.json` says of samples."""
    fields = set(vars(file.config()))
    narrow = {"width": width} if "width" in fields else {}
    settings: dict[str, Any] = {"data": data, "seed": seed, **narrow}
    method = file.build(file.config(**settings)).method
    settings["steps"] = batches // method.batches_per_step
    options = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    found = _samples(folder, settings, samples)
    if found is None:
        jaxgen("train", str(file.path), *options, "--run-dir", str(folder.path))
        jaxgen("eval", str(folder.path), "--features", "classifier", "--samples", str(samples))
        found = _samples(folder, settings, samples)
    assert found is not None
    return found


def jaxgen(*args: str) -> None:
    """Runs a command in a process of its own."""
    subprocess.run([sys.executable, "-m", "jaxgen", *args], check=True, stdout=sys.stderr)


def _samples(folder: RunFolder, settings: dict[str, Any], count: int) -> dict[str, Any] | None:
    """What was found of samples; None where that is still to be done."""
    if not folder.eval_file.is_file() or not settings.items() <= folder.read_config()["config"].items():
        return None
    found = json.loads(folder.eval_file.read_text())
    done = found["step"] == settings["steps"] and found.get("samples", {}).get("samples") == count
    return found["samples"] if done else None


def seconds(folder: RunFolder, file: ExperimentFile, data: str, batches: int) -> float:
    """Of training, by the median speed that the run noted."""
    rows = [json.loads(line) for line in folder.metrics_file.read_text().splitlines()]
    return batches * file.config(data=data).batch_size / statistics.median(row["images_per_second"] for row in rows)


def row(name: str, found: list[dict[str, Any]], *others: str) -> str:
    """A row of the table: means, and standard deviations over seeds."""
    cells = []
    for figure, (_, decimals) in FIGURES.items():
        values = [figures[figure]["mean"] for figures in found if figure in figures]
        spread = f" ± {statistics.stdev(values):.{decimals}f}" if len(values) > 1 else ""
        cells.append(f"{statistics.mean(values):.{decimals}f}{spread}" if values else "")
    return f"| {' | '.join([name, *cells, *others])} |"


def main(
    experiments: tuple[str, ...] = ("minimax", "dcgan", "lsgan", "wgan_clip", "wgan_gp", "sngan", "cgan"),
    data: str = "mnist",
    batches: int = 3000,
    width: int = 16,
    seeds: int = 3,
    samples: int = 10_000,
    out: Path = Path("runs/quality"),
) -> None:
    """Measures.

    Args:
      experiments: their names.
      data: the data set.
      batches: of real images that each run sees; a method that takes five critic steps makes a fifth of the steps.
      width: of the networks, where an experiment has that setting.
      seeds: how many, from 0.
      samples: drawn from each run.
      out: folder of the runs.
    """
    rows, real, description = [], {}, {}
    for name in experiments:
        file = ExperimentFile.load(find(name))
        folders = [RunFolder(out / f"{name}-{data}-{batches}-{width}-{seed}") for seed in range(seeds)]
        found = [run(file, data, seed, batches, width, samples, folder) for seed, folder in enumerate(folders)]
        spent = statistics.mean(seconds(folder, file, data, batches) for folder in folders)
        rows.append(row(name, [each["figures"] for each in found], f"{spent:.0f}"))
        description, real = found[0], found[0]["training_images"]
    print(
        f"{samples} samples against {description['examples']} images of {description['split']}; {batches} batches, ",
        end="",
    )
    print(f"width {width}; features: {description['features']}.\n")
    titles = ["experiment", *(title for title, _ in FIGURES.values()), "seconds"]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    print("\n".join([*rows, row("training images", [real], "")]))


if __name__ == "__main__":
    tyro.cli(main)
