"""What a training step will need and take on devices that are not at hand, from compiling it for them."""

import contextlib
import dataclasses
import math
import re
import time
from collections.abc import Iterator
from typing import Any

import jax

from jaxgen.aot.collectives import Collective, collectives
from jaxgen.aot.hlo import Program
from jaxgen.aot.roofline import Roofline, roofline
from jaxgen.aot.topology import Topology
from jaxgen.aot.traffic import memory_traffic
from jaxgen.errors import UserError
from jaxgen.training.flops import count_flops
from jaxgen.training.trainer import Trainer

_GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of one device's memory, as the compiler has planned it.

    Attributes:
      arguments: state, batch and key.
      temporaries: what lives only during the step.
      outputs: the new state and metrics.
      donated: outputs that take the place of arguments.
      code: the program itself.
    """

    arguments: int
    temporaries: int
    outputs: int
    donated: int
    code: int

    @property
    def total(self) -> int:
        """All of it at once."""
        return self.arguments + self.temporaries + self.outputs - self.donated + self.code


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A step on a topology. Everything is of one device and one step, loops counted in full.

    Attributes:
      topology: the devices.
      mesh: axis -> devices along it.
      images: examples of the step over all devices.
      compile_seconds: on this machine, tracing included.
      memory: bytes.
      flops: operations in matrix products and convolutions, taken to be split evenly.
      traffic: bytes between HBM and the chip.
      communication: the collectives.
      roofline: seconds; None where the chip's peaks are not known.
    """

    topology: Topology
    mesh: dict[str, int]
    images: int
    compile_seconds: float
    memory: Memory
    flops: float
    traffic: float
    communication: list[Collective]
    roofline: Roofline | None

    @property
    def images_per_second(self) -> float | None:
        """Over all devices, at best."""
        return self.images / self.roofline.step if self.roofline else None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **dataclasses.asdict(self),
            "topology": str(self.topology),
            "devices": self.topology.size,
            "memory": {**dataclasses.asdict(self.memory), "total": self.memory.total},
            "capacity": self.topology.chip.memory_bytes if self.topology.chip else None,
            "roofline": self.roofline
            and {
                **dataclasses.asdict(self.roofline),
                "step": self.roofline.step,
                "bound": self.roofline.bound,
                "mfu_ceiling": self.roofline.mfu_ceiling,
            },
            "images_per_second": self.images_per_second,
        }


def predict(trainer: Trainer, topology: Topology) -> Prediction:
    """Compiles the trainer's step for its mesh of the topology's devices; nothing runs and no data is read.

    Raises:
      UserError: the batch cannot be split over the mesh, or the step does not fit into the devices' memory.
    """
    per_call, mesh = trainer.schedule.steps_per_call, trainer.mesh
    batch_size, shards = jax.tree.leaves(trainer.batch)[0].shape[0], mesh.shape["data"] * mesh.shape["fsdp"]
    if batch_size % shards:
        raise UserError(
            f"batch_size {batch_size} cannot be split evenly over the mesh's {shards} data shards; "
            f"use a multiple of {shards}."
        )
    start = time.perf_counter()
    traced = trainer.trace()
    try:
        with _no_compilation_cache():
            compiled = traced.lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if not str(error).startswith("RESOURCE_EXHAUSTED"):
            raise
        raise UserError(_does_not_fit(str(error), trainer, topology)) from error
    seconds = time.perf_counter() - start
    planned: Any = compiled.memory_analysis()
    program = Program.parse(compiled.as_text() or "")
    communication = [
        dataclasses.replace(collective, count=collective.count / per_call)
        for collective in collectives(program, mesh, topology.slices)
    ]
    flops = count_flops(traced.jaxpr) / per_call / mesh.size
    traffic = memory_traffic(program) / per_call
    return Prediction(
        topology=topology,
        mesh=dict(mesh.shape),
        images=trainer.images_per_step,
        compile_seconds=seconds,
        memory=Memory(
            arguments=planned.argument_size_in_bytes,
            temporaries=planned.temp_size_in_bytes,
            outputs=planned.output_size_in_bytes,
            donated=planned.alias_size_in_bytes,
            code=planned.generated_code_size_in_bytes,
        ),
        flops=flops,
        traffic=traffic,
        communication=communication,
        roofline=roofline(topology.chip, topology, mesh, flops, traffic, communication) if topology.chip else None,
    )


@contextlib.contextmanager
def _no_compilation_cache() -> Iterator[None]:
    """A program for devices that are not there cannot be read back: JAX warns of each that it finds in its cache."""
    before: Any = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)


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
