"""`jaxgen sample RUN`: samples as a picture or as arrays."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import tyro

from jaxgen.commands.arguments import parse
from jaxgen.commands.runs import MeshOptions, Run
from jaxgen.errors import UserError
from jaxgen.report.grid import save_samples
from jaxgen.training import process
from jaxgen.training.evaluate import sampler
from jaxgen.training.sharding import shardings_of

_CHUNK = 256  # samples drawn in one compiled call


@dataclasses.dataclass(frozen=True)
class Options:
    """Samples of a run's newest checkpoint, with averaged weights where they are kept."""

    run: tyro.conf.Positional[Path]
    """A folder that `jaxgen train` wrote."""
    count: int = 64
    """How many."""
    seed: int = 0
    """Of the noise they are drawn from."""
    out: Path = Path("samples.png")
    """A .png picture, or an .npz with `samples`, float32 [count, height, width, channels] in [-1, 1]."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    options = parse(Options, args, "jaxgen sample")
    if options.count < 1:
        raise UserError(f"count is {options.count}; it must be at least 1.")
    if options.seed < 0:
        raise UserError(f"seed is {options.seed}; it must not be negative.")
    if options.out.suffix.lower() not in (".png", ".npz"):
        raise UserError(f"out is {options.out}; its name must end in .png or .npz.")
    if not options.out.parent.is_dir():
        raise UserError(f"out is {options.out}, but folder {options.out.parent} does not exist; make it first.")
    process.configure()
    run = Run.open(options.run, options.mesh.make())
    chunk = min(options.count, _CHUNK)
    draw = sampler(run.experiment.method, run.mesh, shardings_of(run.state), chunk)
    key = jax.random.key(options.seed)
    chunks = [draw(run.state, jax.random.fold_in(key, i)) for i in range(-(-options.count // chunk))]
    samples = np.concatenate(jax.device_get(chunks))[: options.count]
    if options.out.suffix.lower() == ".npz":
        np.savez_compressed(options.out, samples=samples)
    else:
        save_samples(options.out, samples)
    print(f"Wrote {options.count} samples of step {int(run.state.step)} to {options.out}")
