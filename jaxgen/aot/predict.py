"""What a training step will need and take on devices that are not at hand, from compiling it for them."""

import dataclasses
import importlib.metadata
import math
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import jax

from jaxgen.aot.collectives import Collective, collectives
from jaxgen.aot.compiled import Compiled, Memory
from jaxgen.aot.explain import Moved, explain
from jaxgen.aot.hlo import Program
from jaxgen.aot.roofline import Roofline, roofline
from jaxgen.aot.topology import Topology
from jaxgen.aot.traffic import moves
from jaxgen.errors import UserError
from jaxgen.training.flops import flops_by_kind
from jaxgen.training.sharding import batch_shards
from jaxgen.training.trainer import Trainer

LARGEST = 5  # movers of memory traffic that are named
_GIB = 2**30
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A step on a topology. Everything is of one device and one step, loops counted in full.

    Attributes:
      topology: the devices.
      mesh: axis -> devices along it.
      images: examples of the step over all devices.
      compile_seconds: on this machine, tracing included.
      memory: bytes.
      flops: operations in matrix products and convolutions by kind, taken to be split evenly.
      traffic: bytes between HBM and the chip by what moves them, the largest first; None where it could not be read.
      communication: the collectives; None where they could not be read.
      roofline: seconds; None where the chip's peaks are not known.
      unread: a sentence for each thing that could not be read.
      kept: whether an earlier call had compiled the same program.
    """

    topology: Topology
    mesh: dict[str, int]
    images: int
    compile_seconds: float
    memory: Memory
    flops: dict[str, float]
    traffic: list[Moved] | None
    communication: list[Collective] | None
    roofline: Roofline | None
    unread: tuple[str, ...] = ()
    kept: bool = False

    @property
    def moved(self) -> float | None:
        """Bytes between HBM and the chip."""
        return None if self.traffic is None else sum(each.bytes for each in self.traffic)

    @property
    def images_per_second(self) -> tuple[float, float] | None:
        """Over all devices, at least and at most."""
        if self.roofline is None:
            return None
        return (self.images / self.roofline.most if self.roofline.most else 0.0), self.images / self.roofline.least

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        traffic = self.traffic and [{**dataclasses.asdict(each), "remedy": each.remedy} for each in self.traffic]
        return {
            **dataclasses.asdict(self),
            "topology": str(self.topology),
            "compiler": self.topology.compiler,
            "devices": self.topology.size,
            "memory": {**dataclasses.asdict(self.memory), "total": self.memory.total},
            "capacity": self.topology.chip.memory_bytes if self.topology.chip else None,
            "flops": sum(self.flops.values()),
            "flops_by_kind": self.flops,
            "traffic": self.moved,
            "largest_traffic": traffic and traffic[:LARGEST],
            "roofline": self.roofline
            and {
                **dataclasses.asdict(self.roofline),
                "least": self.roofline.least,
                "most": self.roofline.most,
                "bound": self.roofline.bound,
                "mfu": self.roofline.mfu,
            },
            "images_per_second": self.images_per_second,
        }


def predict(trainer: Trainer, topology: Topology) -> Prediction:
    """Compiles the trainer's step for its mesh of the topology's devices; nothing runs and no data is read.

    Raises:
      UserError: the batch cannot be split over the mesh, the step does not fit into the devices' memory, or the
        compiler is older than what it is given.
    """
    per_call, mesh = trainer.schedule.steps_per_call, trainer.mesh
    batch_size, shards = jax.tree.leaves(trainer.batch)[0].shape[0], batch_shards(mesh)
    if batch_size % shards:
        raise UserError(
            f"batch_size {batch_size} cannot be split evenly over the mesh's {shards} data shards; "
            f"use a multiple of {shards}."
        )
    start = time.perf_counter()
    traced = trainer.trace()
    try:
        compiled = Compiled.of(traced, mesh, topology)
    except jax.errors.JaxRuntimeError as error:
        if "no such field" in str(error):  # of a kernel's settings, which a later version has more of
            raise UserError(
                f"{topology.compiler} is too old for the programs that jaxlib {importlib.metadata.version('jaxlib')} "
                'writes; `pip install -e ".[tpu]"` brings the one that goes with it.'
            ) from error
        if not str(error).startswith("RESOURCE_EXHAUSTED"):
            raise
        raise UserError(_does_not_fit(str(error), trainer, topology)) from error
    seconds = time.perf_counter() - start
    unread: list[str] = []

    def read(what: str, function: Callable[..., T], *args: Any) -> T | None:
        """The text is written for people and changes without notice: what is new in it must not cost the rest."""
        try:
            return None if None in args else function(*args)
        except (ValueError, LookupError, StopIteration) as error:
            unread.append(f"{what} could not be read from this compiler's program: {error}.")
            return None

    program = read("Instructions", Program.parse, compiled.text)
    talk = read("Collectives", collectives, program, mesh, topology.slices)
    moved = read("Memory traffic", explain, program, [phase.name for phase in trainer.method.phases])
    starts = read("Operations", lambda program: sum(times for _, times, _ in moves(program)), program)
    communication = talk and [dataclasses.replace(each, count=each.count / per_call) for each in talk]
    traffic = moved and [dataclasses.replace(each, bytes=each.bytes / per_call) for each in moved]
    flops = {kind: count / per_call / mesh.size for kind, count in flops_by_kind(traced.jaxpr).items()}
    bytes_moved = None if traffic is None else sum(each.bytes for each in traffic)
    times = topology.chip and roofline(
        topology.chip, topology, mesh, flops, bytes_moved, communication, (starts or 0) / per_call
    )
    return Prediction(
        topology=topology,
        mesh=dict(mesh.shape),
        images=trainer.images_per_step,
        compile_seconds=seconds,
        memory=compiled.memory,
        flops=flops,
        traffic=traffic,
        communication=communication,
        roofline=times,
        unread=tuple(unread),
        kept=compiled.kept,
    )


def _does_not_fit(message: str, trainer: Trainer, topology: Topology) -> str:
    """The compiler's complaint as one sentence with the remedy; it names what it needs and what there is."""
    sizes = re.findall(r"\b(\d+(?:\.\d+)?)([KMGT])\b", message)
    if len(sizes) < 2:
        return f"the step does not fit into the memory of {topology}, where the compiler says: {message}"
    needed, available = (float(number) * 1024.0 ** ("KMGT".index(unit) - 2) for number, unit in sizes[:2])
    state, batch = _state_bytes(trainer) / _GIB, jax.tree.leaves(trainer.batch)[0].shape[0]
    fitting = math.floor(batch * max(0.0, available - state) / needed / trainer.mesh.size) * trainer.mesh.size
    smaller = f"lower batch_size from {batch} to about {fitting}" if fitting else f"lower batch_size, now {batch}"
    return (
        f"the step does not fit into the memory of {topology}: it needs {needed:.2f} GiB a chip, and has "
        f"{available:.2f}: {needed - available:.2f} too much; the state takes {state:.2f} GiB a chip, which a larger "
        f"mesh.fsdp (now {trainer.mesh.shape['fsdp']}) divides; for the rest {smaller}, spread it over more chips, "
        "or keep less for the gradient with --memory, where the experiment has it."
    )


def _state_bytes(trainer: Trainer) -> int:
    """Of one device."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(trainer.abstract_state())
    )
