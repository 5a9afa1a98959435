"""The experiments' figures: trains what is missing of a table's rows and seeds, and writes down what it reached.

`TFDS_DATA_DIR=FOLDER python benchmarks/figures.py` does all tables; `mnist_latent --minutes 60` after it, one of them
for about an hour. Shakespeare's plays, `tinyshakespeare.txt`, are looked for in the current folder. A finished run is a
line of `experiments/figures.jsonl`, from which this prints the tables and `jaxgen list` its figures; what was
interrupted goes on where it was. First seed 0 of every row, then the next; rows are in order of worth. `--show` trains
nothing; `--write` puts the tables into README.md beside this file.
"""

import dataclasses
import datetime
import hashlib
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import tyro

from jaxgen import measured
from jaxgen.measured import Measured
from jaxgen.report.comparison import Recorded
from jaxgen.report.directions import titled

ROOT = Path(__file__).parent.parent
MEASURED, README = ROOT / "experiments" / "figures.jsonl", ROOT / "benchmarks" / "README.md"


@dataclasses.dataclass(frozen=True)
class Row:
    """An experiment on a data set, with the options that differ from its preset.

    Attributes:
      experiment: its name.
      data: the data set.
      figures: what is published of it, by the names of `eval.json`; the first is the one that rows are compared by.
      options: of `jaxgen train`.
      evaluated: options of `jaxgen eval`; empty where training's own evaluation has the figures.
      only: whether the experiment knows no other data, and has no such option.
    """

    experiment: str
    data: str
    figures: tuple[str, ...]
    options: str = ""
    evaluated: str = ""
    only: bool = False

    @property
    def command(self) -> str:
        """What follows `jaxgen train`."""
        data = "" if self.only else f"--data {self.data}"
        return " ".join(filter(None, (self.experiment, data, self.options)))

    @property
    def setting(self) -> tuple[str, str, str, str]:
        """As in `Measured`."""
        return self.experiment, self.data, self.options, self.evaluated


_SHORT = "--steps 3000 --batch-size 100"
_BOUNDS = ("iw_nats", "negative_elbo_nats")
_BITS = ("bits_per_dim",)
_CLUSTERS = ("bits_per_dim", "clusters", "clusters_purity", "clusters_information")
_ACCURACY = ("target_accuracy", "source_accuracy")
_GRAMMAR = ("grammar_valid", "grammar_length_distance", "grammar_operator_distance", "grammar_distinct")
_NEIGHBORS = ("neighbor_accuracy", "two_sample_accuracy", "two_sample_accuracy_of_reconstructions")
_MOTION = ("motion_velocity_error", "motion_speed", "motion_appearance_error")
_PEOPLE = tuple(f"people_{name}" for name in ("miou", "masked_l1", "place_error", "colour_error", "ssim"))
_PLAYS = "tinyshakespeare.txt"
_REWRITTEN = ("rewritten_attributes", "rewritten_content", "rewritten_grammatical")
_SAMPLES = ("frechet_distance", "precision", "recall")
_COPYING = (*_SAMPLES, "data_copying")
_FEW = "--few 1000 --width 16 --steps 3000"
_EVALUATED = "--features classifier --samples 1000"

TABLES: Mapping[str, tuple[str, tuple[Row, ...]]] = {  # name -> title and rows
    "digits_likelihood": (
        "Scikit-learn's digits, 8x8 pixels of 17 levels: held-out bits a dimension, of latent-variable models a "
        "bound, and of the conditional one given the class, whose own log2(10) bits are not among them.",
        (
            Row("vae", "digits", _BITS),
            Row("structured_vae", "digits", _BITS, "--prior normal"),
            Row("structured_vae", "digits", _CLUSTERS, "--prior mixture --components 16"),
            Row("tree_vae", "digits", _CLUSTERS),
            Row("structured_vae", "digits", _CLUSTERS),
            Row("hierarchical_vae", "digits", _BITS),
            Row("vq_vae", "digits", (*_BITS, "rate_nats", "codes_perplexity")),
            Row("vq_vae", "digits", (*_BITS, "rate_nats", "codes_perplexity"), "--quantizer rounding"),
            Row("realnvp", "digits", _BITS),
            Row("glow", "digits", _BITS),
            Row("tarflow", "digits", _BITS),
            Row("jet", "digits", _BITS),
            Row("idf", "digits", _BITS),
            Row("gated_pixelcnn", "digits", _BITS),
            Row("pixelcnn_pp", "digits", _BITS),
            Row("pixelsnail", "digits", _BITS),
            Row("image_transformer", "digits", _BITS),
            Row("conditional_vae", "digits", _BITS),
        ),
    ),
    "mnist_latent": (
        "MNIST, statically binarized by our own draw, 3,000 batches of 100: bounds of a 50-draw importance-weighted "
        "estimate and of one draw, on the test images. The published figures are of models trained a hundred times "
        "longer: IWAE with 50 draws 84.8 nats (Burda et al., 2016).",
        (
            Row("iwae", "mnist", _BOUNDS, f"{_SHORT} --draws 1"),
            Row("iwae", "mnist", _BOUNDS, f"{_SHORT} --draws 5"),
            Row("iwae", "mnist", _BOUNDS, f"{_SHORT} --draws 50"),
            Row("iwae", "mnist", _BOUNDS, f"{_SHORT} --draws 50 --doubly-reparametrized"),
            Row("sbn", "mnist", _BOUNDS, f"{_SHORT} --learn wake_sleep"),
            Row("sbn", "mnist", _BOUNDS, f"{_SHORT} --learn reweighted"),
            Row("sbn", "mnist", _BOUNDS, f"{_SHORT} --learn vimco"),
        ),
    ),
    "mnist_priors": (
        "MNIST, statically binarized by our own draw, 3,000 batches of 100: the prior alone differs.",
        (
            Row("structured_vae", "mnist", ("negative_elbo_nats", "kl_nats"), "--steps 3000 --prior normal"),
            Row("structured_vae", "mnist", ("negative_elbo_nats", "kl_nats"), "--steps 3000 --prior mixture"),
            Row("structured_vae", "mnist", ("negative_elbo_nats", "kl_nats"), "--steps 3000 --prior vamp"),
        ),
    ),
    "mnist_pixels": (
        "MNIST, statically binarized by our own draw: nats of a test image, pixel by pixel, without a bound.",
        (
            Row("gated_pixelcnn", "mnist", ("nats",)),
            Row("pixelsnail", "mnist", ("nats",)),
        ),
    ),
    "mnist_flows": (
        "MNIST of 256 levels: held-out bits a dimension of flows that see dequantized pixels, a bound.",
        (
            Row("glow", "mnist", _BITS),
            Row("tarflow", "mnist", _BITS),
            Row("jet", "mnist", _BITS),
        ),
    ),
    "text": (
        "Shakespeare's plays, 1,115,394 characters of which the last tenth is held out: bits a character, in windows "
        "side by side whose first characters have little context. nanoGPT's page has 1.88 nats (2.71 bits) for the "
        "transformer's preset here, and 1.47 nats (2.12 bits) for the larger one after 2.5 times as many batches.",
        (
            Row("lstm", _PLAYS, _BITS),
            Row("transformer", _PLAYS, _BITS),
            Row(
                "transformer",
                _PLAYS,
                _BITS,
                "--steps 2000 --batch-size 64 --length 256 --width 384 --layers 6 --heads 6 --dropout 0.2 "
                "--dtype bfloat16",
            ),
        ),
    ),
    "translation": (
        "Digits translated into what a planted map makes of them, without a pair to learn from; absolute errors of "
        "images in [-1, 1] to the truth, and of the image itself.",
        (
            Row("cyclegan", "digits", ("error_a", "identity_error_a", "cycle_a")),
            Row("cyclegan", "digits", ("error_a", "error_b", "cycle_a"), "--change colour"),
            Row("cyclegan", "digits", ("error_a", "identity_error_a", "cycle_a"), "--change rotate"),
            Row("pix2pix", "digits", ("l1", "gradient_energy", "gradient_energy_of_targets")),
            Row("cyclegan", "mnist", ("error_a", "identity_error_a", "cycle_a")),
            Row("cyclegan", "mnist", ("error_a", "error_b", "cycle_a"), "--change colour"),
        ),
    ),
    "imitation": (
        "Imitation of 4 episodes of an expert, or as many as asked for: mean return of 100 episodes of 200 steps.",
        (
            Row("cloning", "pendulum", ("return",), "--trajectories 1"),
            Row("gail", "pendulum", ("return",), "--trajectories 1"),
            Row("cloning", "pendulum", ("return",)),
            Row("gail", "pendulum", ("return",)),
            Row("cloning", "pendulum", ("return",), "--trajectories 10"),
            Row("gail", "pendulum", ("return",), "--trajectories 10"),
            Row("cloning", "cartpole", ("return",)),
            Row("gail", "cartpole", ("return",)),
        ),
    ),
    "inference": (
        "What encoders and codes recover.",
        (
            Row("bigan", "digits", ("reconstruction", "random_reconstruction", *_NEIGHBORS)),
            Row("infogan", "digits", ("matched_accuracy", "information_category_nats")),
            Row("infogan", "mnist", ("matched_accuracy", "information_category_nats")),
        ),
    ),
    "adaptation": (
        "A labelled source, an unlabelled target, their test accuracies: without adaptation, with it, and where the "
        "target has the labels. Digits over photographs are patches of scikit-learn's two, not MNIST-M.",
        (
            Row("dann", "mnist", _ACCURACY, "--strength 0"),
            Row("dann", "mnist", _ACCURACY),
            Row("dann", "mnist", ("target_accuracy",), "--seen target"),
            Row("vrada", "oscillators", _ACCURACY, "--strength 0", only=True),
            Row("vrada", "oscillators", _ACCURACY, only=True),
        ),
    ),
    "sequences": (
        "Sequences of symbols by a game.",
        (
            Row("gumbel", "arithmetic", _GRAMMAR, only=True),
            Row("seqgan", "lstm_oracle", ("oracle_nats", "nats_per_symbol"), only=True),
            Row("controlled_text", "attribute_grammar", _REWRITTEN, only=True),
        ),
    ),
    "people": (
        "People in another pose, 200 held-out pairs of 32x32 pixels judged by the colours that each person wears: "
        "intersection over union of ground, skin, shirt and trousers; the absolute error on the person, pixels in "
        "[-1, 1]; how far garments' centres are from where they should be, pixels; the error of their colours; and "
        "structural similarity, which hardly tells a person from the mean of all.",
        (
            Row("people", "figures", _PEOPLE, "--steps 3200"),
            Row("people", "figures", _PEOPLE, "--constraint fixed"),
            Row("people", "figures", _PEOPLE, "--constraint learned"),
        ),
    ),
    "video": (
        "Clips of a ball between walls, whose law of motion is known: how far the velocities of three frames differ "
        "where no wall is near, pixels a frame.",
        (
            Row("dvdgan", "ball", _MOTION),
            Row("dvdgan", "ball", _MOTION, "--critics spatial"),
            Row("dvdgan", "ball", _MOTION, "--critics temporal"),
        ),
    ),
    "digits_samples": (
        "Digits: 1,000 samples beside the held-out ones by a classifier's features.",
        (
            Row("dcgan", "digits", _SAMPLES, evaluated=_EVALUATED),
            Row("r3gan", "digits", _SAMPLES, evaluated=_EVALUATED),
            Row("stylegan2", "digits", _SAMPLES, evaluated=_EVALUATED),
            Row("progan", "digits", _SAMPLES, evaluated=_EVALUATED),
            Row("vae_gan", "digits", (*_SAMPLES, "reconstruction", "random_reconstruction"), evaluated=_EVALUATED),
            Row("sagan", "digits", (*_SAMPLES, "conditional_accuracy"), evaluated=_EVALUATED),
            Row("acgan", "digits", (*_SAMPLES, "conditional_accuracy"), evaluated=_EVALUATED),
        ),
    ),
    "mnist_samples": (
        "MNIST: 1,000 samples beside the held-out ones by a classifier's features.",
        (
            Row("dcgan", "mnist", _SAMPLES, "--width 16 --steps 3000", _EVALUATED),
            Row("stylegan2", "mnist", _SAMPLES, "--width 16 --steps 3000", _EVALUATED),
            Row("r3gan", "mnist", _SAMPLES, "--width 16 --steps 3000", _EVALUATED),
            Row("progan", "mnist", _SAMPLES, "--width 16 --steps 3000", _EVALUATED),
            Row("progan", "mnist", _SAMPLES, "--width 16 --steps 3000 --smallest 32", _EVALUATED),
            Row("vae_gan", "mnist", _SAMPLES, "--width 16 --steps 3000", _EVALUATED),
        ),
    ),
    "few_images": (
        "1,000 images of MNIST alone: a critic whose images are distorted never, with one probability, or as often as "
        "keeps it from being too sure; data copying is ½ where samples are as far from the images learned from as "
        "held-out ones are.",
        (
            Row("stylegan2", "mnist", _COPYING, _FEW, _EVALUATED),
            Row("stylegan2", "mnist", _COPYING, f"{_FEW} --augment adaptive", _EVALUATED),
            Row("stylegan2", "mnist", _COPYING, f"{_FEW} --augment fixed --probability 0.3", _EVALUATED),
        ),
    ),
}


def run(row: Row, seed: int, out: Path) -> Measured:
    """Trains and evaluates one seed of a row, in a folder of its own.

    Raises:
      SystemExit: the run has no figure of a name.
    """
    folder = out / re.sub(r"[^\w=.-]+", "_", " ".join((row.experiment, row.data, row.options, f"seed={seed}"))).strip(
        "_"
    )
    begun, before = folder.exists(), _processor_seconds()
    _jaxgen("train", *shlex.split(row.command), "--seed", str(seed), "--run-dir", str(folder))
    if row.evaluated:
        _jaxgen("eval", str(folder), *shlex.split(row.evaluated))
    recorded = Recorded.read(folder)
    settings = {name: text for name, text in recorded.settings.items() if name != "seed"}
    missing = [name for name in row.figures if (name, "") not in recorded.figures]
    if missing:
        known = ", ".join(dict.fromkeys(name for name, _ in recorded.figures))
        raise SystemExit(f"{folder} has no figure {missing[0]}; it has {known}")
    return Measured(
        experiment=row.experiment,
        data=row.data,
        options=row.options,
        evaluated=row.evaluated,
        seed=seed,
        figures=measured.picked(recorded.figures, row.figures),
        steps=recorded.evaluation["step"],
        seconds=None if begun else round(_processor_seconds() - before, 1),
        config=hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8],
        commit=subprocess.run(
            ["git", "rev-parse", "--short=9", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip(),
        machine=f"{recorded.settings['device']}, {_cores()}, jax {recorded.settings['jax']}",
        date=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
    )


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cores() -> str:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{count} core" if count == 1 else f"{count} cores"


def _jaxgen(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "jaxgen", *args], check=True, stdout=2)  # standard error


def table(rows: Sequence[Row], runs: Mapping[tuple[str, str, str, str], list[Measured]]) -> str:
    """Rows of Markdown: a row without a run says so, and the first figure stands beside the row's above, in pairs."""
    above: Sequence[Measured] = []
    lines = ["| experiment | figures | null controls | less the row above | seeds |", "|---|---|---|---|---|"]
    for row in rows:
        found = runs.get(row.setting, [])
        if not found:
            lines.append(f"| `{row.command}` | not yet run | | | 0 of {measured.SEEDS} |")
        else:
            names = list(found[0].figures)
            values = [f"{titled(name)} {measured.value([run.figures[name][''] for run in found])}" for name in names]
            cells = "; ".join(values), _controls(found, names), _difference(found, above)
            lines.append(
                f"| `{row.command}` | {' | '.join(cells)} | {measured.count(found)}, {measured.seconds(found)} |"
            )
        above = found
    return "\n".join(lines)


def _controls(found: Sequence[Measured], names: Sequence[str]) -> str:
    """What null controls got: of the first figure, and with their names of the others."""
    texts = {name: ", ".join(f"{null} {x}" for null, x in measured.controls(found, name).items()) for name in names}
    first, *others = names
    return "; ".join(filter(None, [texts[first], *(f"{name}: {texts[name]}" for name in others if texts[name])]))


def _difference(found: Sequence[Measured], above: Sequence[Measured]) -> str:
    """Of the first figure, between runs of the same data and seed; nothing where there are no two such pairs."""
    name = next(iter(found[0].figures))
    like = [each for each in above if name in each.figures and each.data == found[0].data]
    others = {each.seed: each.figures[name][""] for each in like}
    pairs = [each.figures[name][""] - others[each.seed] for each in found if each.seed in others]
    return measured.value(pairs) if len(pairs) > 1 else ""


def page(text: str, runs: Mapping[tuple[str, str, str, str], list[Measured]]) -> str:
    """The text with each table between its two marks `<!-- figures NAME -->` and `<!-- end -->` as it is now."""

    def current(mark: re.Match[str]) -> str:
        title, rows = TABLES[mark[1]]
        return f"<!-- figures {mark[1]} -->\n\n{title}\n\n{table(rows, runs)}\n\n<!-- end -->"

    return re.sub(r"<!-- figures (\w+) -->.*?<!-- end -->", current, text, flags=re.DOTALL)


def main(
    tables: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    seeds: int = measured.SEEDS,
    minutes: float = float("inf"),
    show: bool = False,
    write: bool = False,
    out: Path = Path("runs/figures"),
) -> None:
    """Measures.

    Args:
      tables: names of tables; all, where none is given.
      seeds: how many of each row, from 0.
      minutes: no run is begun after so many.
      show: train nothing.
      write: put the tables into README.md.
      out: folder of the runs.
    """
    chosen = {name: TABLES[name] for name in tables or TABLES}
    end = time.monotonic() + 60 * minutes
    for seed in range(0 if show else seeds):
        for _, rows in chosen.values():
            for row in rows:
                done = {each.seed for each in measured.by_setting(measured.read(MEASURED)).get(row.setting, [])}
                if seed in done or time.monotonic() > end:
                    continue
                found = run(row, seed, out)
                with MEASURED.open("a") as file:
                    file.write(measured.line(found) + "\n")
    runs = measured.by_setting(measured.read(MEASURED))
    for title, rows in chosen.values():
        print(f"{title}\n\n{table(rows, runs)}\n")
    if write:
        README.write_text(page(README.read_text(), runs))


if __name__ == "__main__":
    tyro.cli(main)
