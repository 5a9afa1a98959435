"""How long a step takes at least: each of a chip's parts at its published peak, and all of them at once.

Williams, Waterman & Patterson 2009, "Roofline"; for collectives on a torus, Austin et al. 2025, "How to Scale Your
Model", chapter 3. These are predictions: a lower bound that assumes perfect overlap and no latency.
Products of float32 matrices count at the bfloat16 peak, as a TPU multiplies them in one bfloat16 pass unless a higher
precision is asked for.
"""

import dataclasses
from collections.abc import Iterable, Sequence

from jax.sharding import Mesh

from jaxgen.aot.collectives import Collective
from jaxgen.aot.topology import Topology
from jaxgen.chips import Chip, Torus


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Seconds of one step.

    Attributes:
      compute: of the matrix products.
      memory: of the HBM's traffic.
      interconnect: of the collectives within slices, one after the other.
      network: of those between slices; None where the network's rate is not published.
    """

    compute: float
    memory: float
    interconnect: float
    network: float | None

    @property
    def step(self) -> float:
        """The longest of them."""
        return max(self._parts.values())

    @property
    def bound(self) -> str:
        """Which one that is."""
        return max(self._parts, key=self._parts.__getitem__)

    @property
    def mfu_ceiling(self) -> float:
        """The share of the chips' peak FLOP/s that the step can use at most (model FLOPs utilization)."""
        return self.compute / self.step

    @property
    def _parts(self) -> dict[str, float]:
        return {field: value for field, value in dataclasses.asdict(self).items() if value is not None}


def roofline(
    chip: Chip, topology: Topology, mesh: Mesh, flops: float, traffic: float, communication: Iterable[Collective]
) -> Roofline:
    """The step of a chip that does `flops` operations and moves `traffic` bytes of its HBM."""
    assert chip.torus is not None
    inside, between = 0.0, 0.0
    for collective in communication:
        if collective.group:
            inside += collective.count * collective.sent / _rate(collective.group, chip.torus, topology, mesh)
        else:
            between += collective.count * collective.sent
    network = between / chip.torus.network_rate if chip.torus.network_rate else None
    return Roofline(flops / chip.flops, traffic / chip.memory_rate, inside, network if between else 0.0)


def _rate(group: Sequence[int], torus: Torus, topology: Topology, mesh: Mesh) -> float:
    """Bytes a second that a chip can send through the ports of the dimensions its group spans.

    It uses both ports of a dimension that closes to a ring, and one of a line, at whose ends the other is missing.
    """
    coordinates = zip(*(mesh.devices.flat[place].coords for place in group), strict=True)
    spanned = [extent for extent, along in zip(topology.shape, coordinates, strict=False) if len(set(along)) > 1]
    return torus.port_rate * sum(2 if extent % torus.ring == 0 else 1 for extent in spanned)
