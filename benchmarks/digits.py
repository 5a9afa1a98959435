"""How well GANs draw digits, judged by a support vector machine that was fitted to the real ones.

`python benchmarks/digits.py` trains a DCGAN's networks by five rules with seeds 0, 1 and 2, draws 1,000 samples of each
and prints a Markdown table. What is trained already is not trained again.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import tyro
from scipy.stats import entropy
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC

from jaxgen.data.embedded import digits

SAMPLES = 1000
CLASSES = np.arange(SAMPLES) % 10  # what a conditional model is asked for
GAMES = {  # and options of `jaxgen sample`
    "dcgan": (),
    "sngan": (),
    "wgan_clip": (),
    "wgan_gp": (),
    "cgan": ("--classes", "0,1,2,3,4,5,6,7,8,9"),
}


def judge() -> CalibratedClassifierCV:
    """Class probabilities of images `[count, 64]` with levels from 0 to 16, by the training digits."""
    train = digits().train[np.arange(len(digits().train))]
    svm = CalibratedClassifierCV(SVC(gamma=0.001, C=10), ensemble=False)  # pyright: ignore[reportArgumentType]
    return svm.fit(train["image"].reshape(-1, 64), train["label"])


def draw(name: str, seed: int, out: Path, *options: str) -> np.ndarray:
    """Samples `[SAMPLES, 64]` of a trained experiment, in levels: the mean of each block of 2x2 pixels."""
    folder, file = out / f"{name}-{seed}", out / f"{name}-{seed}.npz"
    jaxgen("train", name, "--data", "digits", "--seed", str(seed), "--run-dir", str(folder))
    jaxgen("sample", str(folder), "--count", str(SAMPLES), "--out", str(file), *options)
    return 8 * (np.load(file)["samples"].reshape(SAMPLES, 8, 2, 8, 2).mean((2, 4)).reshape(SAMPLES, 64) + 1)


def jaxgen(*args: str) -> None:
    """Runs a command in a process of its own."""
    subprocess.run([sys.executable, "-m", "jaxgen", *args], check=True, stdout=sys.stderr)


def figures(probabilities: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Classes found, their entropy in nats, mean probability of the likeliest, and share of the class asked for."""
    found = probabilities.argmax(1)
    shares = np.bincount(found, minlength=10) / len(found)
    right = np.mean(found == asked)
    return np.array([np.count_nonzero(shares), entropy(shares), np.mean(probabilities.max(1)), right])


def main(seeds: int = 3, out: Path = Path("runs/benchmark_digits")) -> None:
    """Measures.

    Args:
      seeds: how many, from 0; at least 2.
      out: folder of the runs.
    """
    out.mkdir(parents=True, exist_ok=True)
    svm, test = judge(), digits().test[np.arange(len(digits().test))]
    print("| digits | classes | entropy, nats | top-class probability | class asked for |\n|---|---|---|---|---|")
    for name, options in GAMES.items():
        drawn = [draw(name, seed, out, *options) for seed in range(seeds)]
        rows = [figures(svm.predict_proba(images), CLASSES) for images in drawn]
        means, deviations = np.mean(rows, 0), np.std(rows, 0, ddof=1)
        cells = [f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in zip(means, deviations, strict=True)]
        print(f"| {name} | {' | '.join(cells if options else [*cells[:3], ''])} |")
    real = figures(svm.predict_proba(test["image"].reshape(-1, 64)), test["label"])
    print(f"| real, held out | {' | '.join(f'{value:.3f}' for value in real)} |")


if __name__ == "__main__":
    tyro.cli(main)
