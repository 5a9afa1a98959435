"""Devices to compile for that need not be at hand: TPU slices, known to XLA's TPU compiler, and CPU devices."""

import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import math
import re
from typing import Any

import jax
from jax.experimental import topologies

from jaxgen import no_tpu
from jaxgen.chips import CHIPS, Chip
from jaxgen.errors import UserError

_CORES_AS_ONE = {"v4": {"chip_config_name": "megacore"}}  # its two cores are one device, as v5p's are without saying


@dataclasses.dataclass(frozen=True)
class Topology:
    """Devices as they are connected.

    Attributes:
      kind: "cpu" or the TPU generation, e.g. "v5e".
      shape: chips along each dimension of the torus; of CPU devices, how many.
      slices: how many such tori, connected by the data-center network.
    """

    kind: str
    shape: tuple[int, ...]
    slices: int = 1

    @classmethod
    def parse(cls, name: str, slices: int = 1) -> "Topology":
        """The topology of a name such as "v5e:16x16", "v5p:8x8x4" or "cpu:8".

        Raises:
          UserError: there is no such kind, or no such shape of that kind.
        """
        match = re.fullmatch(r"(\w+):(\d+(?:x\d+)*)", name)
        if match is None:
            raise UserError(f"topology is {name!r}; write it as v5e:16x16, v5p:8x8x4 or cpu:8.")
        kind, shape = match[1], tuple(map(int, match[2].split("x")))
        known = ["cpu", *(chip.name for chip in CHIPS if chip.torus)]
        if kind not in known:
            raise UserError(f"topology {name}: there is no {kind!r}; choose one of {', '.join(known)}.")
        topology = cls(kind, shape, slices)
        if len(shape) != topology.dimensions or 0 in shape:
            example = "x".join("4" * topology.dimensions)
            raise UserError(f"topology {name}: {kind} has {topology.dimensions} dimensions, as in {kind}:{example}.")
        if slices < 1 or (slices > 1 and kind == "cpu"):
            raise UserError(f"num_slices is {slices}; it must be at least 1, and 1 on cpu.")
        return topology

    @property
    def chip(self) -> Chip | None:
        """The chip's peaks; None on CPU."""
        return next((chip for chip in CHIPS if chip.name == self.kind), None)

    @property
    def dimensions(self) -> int:
        """Of the torus."""
        return self.chip.torus.dimensions if self.chip and self.chip.torus else 1

    @property
    def size(self) -> int:
        """Devices in all slices: chips, or of TPU7x two of each."""
        each = self.chip.torus.devices if self.chip and self.chip.torus else 1
        return math.prod(self.shape) * self.slices * each

    @property
    def compiler(self) -> str:
        """The compiler for it, and which: what it plans differs from version to version."""
        name = "jaxlib" if self.kind == "cpu" else "libtpu"
        return f"{name} {importlib.metadata.version(name)}"

    def resized(self, chips: int) -> "Topology":
        """As many chips of the same kind in as many slices, each slice as near to a square or cube as can be.

        Raises:
          UserError: the slices would not be equal.
        """
        if chips < 1 or chips % self.slices:
            raise UserError(f"sweep holds {chips}; it must be a positive multiple of num_slices {self.slices}.")
        return dataclasses.replace(self, shape=_squarest(chips // self.slices, self.dimensions))

    def devices(self) -> list[Any]:
        """The devices, those of a TPU only to compile for. CPU devices are faked: ask before JAX is first used.

        Raises:
          UserError: the TPU compiler is not installed, or refuses the shape.
        """
        return self._cpus() if self.kind == "cpu" else self._tpus()

    def _cpus(self) -> list[Any]:
        with contextlib.suppress(RuntimeError):  # JAX has its devices already, which may be enough
            jax.config.update("jax_num_cpu_devices", self.size)
        devices = jax.devices("cpu")
        if len(devices) < self.size:
            raise UserError(f"topology {self}: this process has {len(devices)} CPU devices; ask for no more of them.")
        return devices[: self.size]

    def _tpus(self) -> list[Any]:
        if importlib.util.find_spec("libtpu") is None:
            raise UserError(
                f'topology {self} needs XLA\'s compiler for TPUs (libtpu): `pip install -e ".[tpu]"` brings it.'
            )
        no_tpu.answer()
        shape = "x".join(map(str, self.shape))
        options: dict[str, Any] = dict(_CORES_AS_ONE.get(self.kind, {}))
        if self.slices > 1:
            options["num_slices"] = self.slices
        try:
            description = topologies.get_topology_desc(f"{self.kind}:{shape}", "tpu", **options)
        except jax.errors.JaxRuntimeError as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise UserError(
                f"topology {self}: the TPU compiler refuses it ({reason}); choose another shape."
            ) from error
        return description.devices

    def __str__(self) -> str:
        name = f"{self.kind}:{'x'.join(map(str, self.shape))}"
        return name if self.slices == 1 else f"{self.slices} slices of {name}"


def _squarest(count: int, dimensions: int) -> tuple[int, ...]:
    """`dimensions` factors of `count`, as equal as can be."""
    if dimensions == 1:
        return (count,)
    first = next(n for n in range(round(count ** (1 / dimensions)), 0, -1) if count % n == 0)
    factors = first, *_squarest(count // first, dimensions - 1)
    return tuple(sorted(factors, key=lambda n: (n == 1, n)))  # 2x2x1, as the smallest slices are called
