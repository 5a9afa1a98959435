"""The options of every command: what `--help` shows needs neither JAX nor an experiment."""

import dataclasses
import os
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from jaxgen.commands.arguments import numbers, parse, parse_experiment, positive
from jaxgen.errors import UserError
from jaxgen.settings import check_seed

if TYPE_CHECKING:
    from jax.sharding import Mesh

STEPS = 100  # timed by `bench` unless --steps says otherwise; a multiple of all the steps_per_call there are


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Where prepared data sets are."""

    data_dir: Path | None = None
    """Folder of prepared TFDS sets (default: $TFDS_DATA_DIR, else ~/tensorflow_datasets)."""

    def apply(self) -> None:
        """Makes the folder known to the experiments' sources.

        Raises:
          UserError: it does not exist, or holds pictures, which it would leave unseen.
        """
        if self.data_dir is not None:
            if not self.data_dir.is_dir():
                problem = "is not a folder" if self.data_dir.exists() else "does not exist"
                raise UserError(f"data_dir {self.data_dir} {problem}; name the folder of prepared TFDS sets.")
            _check_prepared(self.data_dir)
            os.environ["TFDS_DATA_DIR"] = str(self.data_dir)


def _check_prepared(folder: Path) -> None:
    """Refuses pictures where prepared sets, whose versions each have a `dataset_info.json`, should be."""
    if any(any(folder.glob(f"{version}/dataset_info.json")) for version in ("*/*", "*/*/*")):
        return
    from jaxgen.data.pictures import SUFFIXES  # with NumPy

    within = (path for depth in ("*", "*/*") for path in folder.glob(depth))
    picture = next((path for path in within if path.suffix.lower() in SUFFIXES), None)
    if picture is not None:
        raise UserError(
            f"data_dir is {folder}, which holds pictures, such as {picture.name}, and no prepared TFDS sets; train on "
            f"them by `--data {folder}`."
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Which process of how many this is."""

    distributed: Literal["auto", "off"] = "auto"
    """Find the other processes by asking the cluster (Cloud TPU, GKE, SLURM, Open MPI), or train alone."""
    coordinator: str | None = None
    """HOST:PORT where process 0 listens, on any other cluster; with the next two."""
    num_processes: int | None = None
    """How many processes there are."""
    process_id: int | None = None
    """Which one this is, from 0."""
    join_timeout: int = 300
    """Seconds to wait for the other processes."""

    def join(self) -> None:
        """Joins the other processes, if there are any.

        Raises:
          UserError: the options do not fit together, or the others cannot be reached.
        """
        if self.distributed == "off" and self.coordinator is not None:
            raise UserError("distributed is off, and coordinator names other processes; leave one of them out.")
        if self.join_timeout < 1:
            raise UserError(f"join_timeout is {self.join_timeout}; it must be at least 1.")
        from jaxgen.training import distributed  # with JAX, as below

        distributed.join(
            self.coordinator,
            self.num_processes,
            self.process_id,
            detect=self.distributed == "auto",
            timeout=self.join_timeout,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshOptions:
    """How the devices are arranged."""

    data: int | None = None
    """Devices along `data`, each with its share of the batch (default: all that the other axes leave)."""
    fsdp: int = 1
    """Devices along `fsdp`, each with its share of the batch and of the parameters."""
    tensor: int = 1
    """Devices along `tensor`, for experiments that split arrays over it."""
    zero1: Literal["auto", "off"] = "auto"
    """Split optimizer state and averages over half of a TPU slice, where fsdp is 1, or leave them whole."""

    def make(self, devices: Sequence[Any] | None = None) -> "Mesh":
        """The mesh, of all devices unless some are given.

        Raises:
          UserError: it does not fit the devices.
        """
        from jaxgen.training.sharding import make_mesh

        zero1 = None if self.zero1 == "auto" else 1
        return make_mesh(self.data, self.fsdp, self.tensor, zero1=zero1, devices=devices)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """By which features samples are compared with data, and how many."""

    features: str | None = None
    """Also draw samples and compare them with held-out images: by `pixels`, by a `classifier` that is trained on the
    data's own training split when first used, or by `inception:FILE.npz`, as the FID does (default: draw none, which is
    quicker)."""
    samples: int = 10_000
    """How many to draw for that."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train(DataOptions, LaunchOptions):
    """Where the run goes and how it is driven."""

    run_dir: Path | None = None
    """The run's folder (default: runs/EXPERIMENT/DATA/NAME, where NAME tells what differs from the data's preset);
    with --seeds, the folder of the runs' folders."""
    seeds: str = ""
    """Train a run for each of these seeds, as in 0,1,2, one after the other; a table of all their figures ends it."""
    fresh: bool = False
    """Delete what an earlier run left in the folder and start over."""
    init_from: Path | None = None
    """A run whose networks of the same names give this one's their first parameters, averaged where it kept averages;
    it is read before the first step, and may be deleted then."""
    checkpoint_every: int | None = None
    """Steps between checkpoints (default: the experiment's)."""
    steps_per_call: int | None = None
    """Steps compiled into one dispatch (default: the experiment's); with convolutions on a CPU this takes minutes."""
    on_nonfinite: Literal["stop", "rollback"] = "stop"
    """When a metric becomes NaN or infinite: stop, or go back to the last checkpoint and skip the batches used since
    (at most 3 times in a run)."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate(DataOptions, FeatureOptions):
    """Held-out figures of a run's newest checkpoint, or of its best, with averaged weights where they are kept."""

    run: tyro.conf.Positional[Path]
    """A folder that `jaxgen train` wrote."""
    draws: int | None = None
    """Also bound log p(x) of latent-variable models by that many draws an example, e.g. 5000 (default: do not)."""
    ais: int | None = None
    """And by annealed chains of that many temperatures, e.g. 1000, which bound the model's own data from both sides."""
    refine: int | None = None
    """And by a Gaussian q(z|x) that so many steps refine for each of some examples, e.g. 500: the amortization gap."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compare(DataOptions):
    """Runs beside one another: settings that differ, figures, curves, and samples by the same noise.

    Of runs that differ by their seed alone, figures have their mean and standard deviation.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders that `jaxgen train` wrote, two or more."""
    out: Path = Path("compare.html")
    """The page: one file, which needs no network."""
    count: int = 16
    """Samples of each run; 0 draws none, and then no experiment is run."""
    seed: int = 0
    """Of the samples' noise."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)

    def check(self) -> None:
        """Refuses what cannot be compared.

        Raises:
          UserError: says what.
        """
        if not 2 <= len({folder.resolve() for folder in self.runs}) == len(self.runs) <= len(string.ascii_uppercase):
            raise UserError(f"2 to 26 different runs are compared, and {len(self.runs)} named here; name others.")
        if self.count < 0:
            raise UserError(f"count is {self.count}; it must be at least 0.")
        check_seed(self.seed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample(DataOptions):
    """Samples of a run's newest checkpoint, or of its best, with averaged weights where they are kept.

    At most one of temperature, truncation, interpolate, arithmetic and neighbors makes rows of related ones.
    """

    run: tyro.conf.Positional[Path]
    """A folder that `jaxgen train` wrote."""
    count: int = 64
    """How many, filled up to whole rows; with --from or --neighbors, of pairs."""
    seed: int = 0
    """Of the noise they are drawn from."""
    out: Path = Path("samples.png")
    """A .png picture, which of clips plays; of a model of text a .txt, of sound a .wav; or an .npz with `samples`,
    float32 [count, height, width, channels] in [-1, 1]; in the run's `drawings` folder, a picture becomes part of the
    report."""
    rate: int = 8000
    """Samples a second of a .wav; the notes' is 8,000."""
    temperature: str = ""
    """What latents are multiplied by, one or several: 0.5,0.7,1 draws a row of three for each latent."""
    truncation: str = ""
    """Where the normal distribution of latents is cut off, one or several: 2,1,0.5,0.04; of a StyleGAN2, the share psi
    of w's distance from its mean that is kept: 1,0.7,0.5."""
    interpolate: int | None = None
    """So many steps from one latent to another, in a row."""
    arithmetic: str = ""
    """Classes, as in 8-3+5: a row goes from 8, first the mean latent of the class and then single examples, in the
    direction of the mean latent of 5 less that of 3."""
    classes: str = ""
    """Draw from these classes in turn, where the model knows classes: 0,1,2."""
    neighbors: bool = False
    """Put the nearest training image beside each sample."""
    examples: Annotated[str, tyro.conf.arg(name="from")] = ""
    """Show examples beside what the model makes of them, its translation or reconstruction: `test`, `train`, or an .npz
    with the fields of a batch."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)

    def check(self) -> None:
        """Refuses what no run could draw.

        Raises:
          UserError: it does.
        """
        if self.count < 1:
            raise UserError(f"count is {self.count}; it must be at least 1.")
        check_seed(self.seed)
        if self.out.suffix.lower() not in (".png", ".npz", ".txt", ".wav"):
            raise UserError(f"out is {self.out}; its name must end in .png, .npz, .txt or .wav.")
        if not 1 <= self.rate < 2**31:
            raise UserError(f"rate is {self.rate}; it must be at least 1.")
        if self.out.is_dir():
            raise UserError(f"out is {self.out}, which is a folder; name a file.")
        if not self.out.parent.is_dir() and self.out.parent != self.run / "drawings":
            raise UserError(f"out is {self.out}, but folder {self.out.parent} does not exist; make it first.")
        if self.interpolate is not None and self.interpolate < 2:
            raise UserError(f"interpolate is {self.interpolate}; it must be at least 2.")
        if self.arithmetic and not re.fullmatch(r"\d+([+-]\d+)+", self.arithmetic):
            raise UserError(f"arithmetic is {self.arithmetic!r}; write classes with + and - between, as in 8-3+5.")
        positive("temperature", self.temperature)
        positive("truncation", self.truncation)
        numbers("classes", self.classes)
        names = ("temperature", "truncation", "interpolate", "arithmetic", "neighbors", "examples")
        given = ["--from" if name == "examples" else f"--{name}" for name in names if getattr(self, name)]
        if len(given) > 1:
            raise UserError(f"{given[0]} and {given[1]} both say what a row is; give one of them.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export(DataOptions):
    """Functions and averaged weights of a run's newest checkpoint, or of its best, for cpu, cuda and tpu."""

    run: tyro.conf.Positional[Path]
    """A folder that `jaxgen train` wrote."""
    out: Path
    """A folder, which is made."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compress(DataOptions):
    """Compresses with a run's newest or best model, with averaged weights where they are kept.

    A file's bytes with a model of bytes, an .npy of examples with any other. It decodes with the same weights on the
    same kind of machine, and is refused elsewhere.
    """

    run: tyro.conf.Positional[Path]
    """A folder that `jaxgen train` wrote."""
    file: tyro.conf.Positional[Path | None] = None
    """What to compress (default: examples of the data set)."""
    examples: Annotated[Literal["", "train", "test"], tyro.conf.arg(name="from")] = ""
    """Which of the data set's examples are compressed, where no file is named (default: test)."""
    out: Path = Path("compressed.jxg")
    """What to write."""
    batch: int | None = None
    """Examples in a block, coded side by side or as one chain (default: what the method asks for)."""
    verify: bool = True
    """Decode every block before it is written."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decompress(DataOptions):
    """Decompresses a file with the run that it was compressed with."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    file: tyro.conf.Positional[Path]
    """What `jaxgen compress` wrote."""
    out: Path
    """What to write: the file's bytes, or an .npy of the examples' symbols, [count, *event]."""
    try_anyway: bool = False
    """Decode on another machine or version too, and let the checksums judge."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bench(DataOptions):
    """How the measurement is made and shown; --steps is how many steps are timed."""

    json: bool = False
    """Print one JSON object, or of a sweep one a line, instead of a table."""
    steps_per_call: int | None = None
    """Steps compiled into one dispatch (default: the experiment's)."""
    profile: Path | None = None
    """Folder for a trace of one more round, which TensorBoard and Perfetto open."""
    sweep: str = ""
    """Numbers of devices, as in 1,2,4: the same batch on the first one, two and four of them."""
    against: Path | None = None
    """A file of what --json printed before: how many times as fast is this, and is that beyond the spread?"""
    stage: str = ""
    """Which stage of an experiment that has several (default: the last)."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compile:
    """The chips, and how they are arranged."""

    topology: str = ""
    """A slice such as v5e:16x16 or v6e:8x8 (two dimensions), v4:4x4x4 or v5p:8x8x4 (three), or cpu:8."""
    num_slices: int = 1
    """How many such slices, connected by the data-center network."""
    sweep: str = ""
    """Numbers of chips, as in 16,64,256: how the step scales with the batch per chip of --topology."""
    explain: bool = False
    """Print what moves the most memory, by phase, network and operation, and what would lower it."""
    json: bool = False
    """Print one JSON object, or of a sweep one a line, instead of tables."""
    stage: str = ""
    """Which stage of an experiment that has several (default: the last)."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures(DataOptions):
    """The figures that the field is taught by: those there are finished runs of, and those that can be made here.

    The same command goes on where it was stopped; the page is written anew after each figure.
    """

    only: tuple[str, ...] = ()
    """These figures alone, on a page of their own."""
    quick: bool = False
    """Make no more than what takes two cores some minutes; the others show what finished runs there are."""
    runs: Path = Path("runs")
    """Where finished runs are looked for."""
    out: Path = Path("figures")
    """The folder of the page, its numbers as JSON, and the runs that were trained for it."""


_OF_EXPERIMENTS = {"train": Train, "bench": Bench, "compile": Compile}
_OF_RUNS = {
    "eval": Evaluate,
    "compare": Compare,
    "sample": Sample,
    "export": Export,
    "compress": Compress,
    "decompress": Decompress,
    "figures": Figures,
}


def show_help(command: str, args: Sequence[str]) -> None:
    """Ends the process with the help that is asked for among a command's arguments, and loads what that needs only.

    Raises:
      UserError: an argument before it does not fit, or an experiment of that name is not there.
    """
    if command in _OF_EXPERIMENTS:
        defaults = {"steps": STEPS} if command == "bench" else {}
        parse_experiment(_OF_EXPERIMENTS[command], args, f"jaxgen {command}", **defaults)
    elif command in _OF_RUNS:
        parse(_OF_RUNS[command], args, f"jaxgen {command}")
