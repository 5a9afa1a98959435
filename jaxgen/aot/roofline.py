"""How long a step takes: at least as long as its longest part, at most as long as all of them one after the other.

Williams, Waterman & Patterson 2009, "Roofline"; for collectives on a torus, and for the two ends, Austin et al. 2025,
"How to Scale Your Model", chapters 1 and 3. These are predictions. The lower end has every part at its published peak,
perfectly overlapped, without latency; the upper end has them in turn, at what others have reached, and pays for every
message's way and every operation's start. `benchmarks/predicted_and_measured.json` holds them against published
measurements.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from jax.sharding import Mesh

from jaxgen.aot.collectives import Collective
from jaxgen.aot.topology import Topology
from jaxgen.chips import Chip

# What has been reached of the published peaks; none is known of a TPU's HBM, which counts in full.
PRODUCT_EFFICIENCY = 0.80  # 794.5 of 989 TFLOP/s on an H100 (stas00/ml-engineering); 956 of 1153.5 on TPU7x
INTERCONNECT_EFFICIENCY = 0.59  # 235.76 of 400 GB/s: 606 MB summed over v6e-256 (tpu-recipes, trillium/collectives)
NETWORK_EFFICIENCY = 0.33  # 4.113 of 12.5 GB/s: between two v6e-256 (same)
HOP = 1e-6  # seconds from a chip to its neighbour (How to Scale Your Model, chapter 3)
NETWORK_LATENCY = 123e-6  # seconds: 4 KiB summed over two hosts of 8 H100 (stas00/ml-engineering); none known of TPUs
OPERATION = 1.6e-6  # seconds of the smallest product on TPU7x (2·128³ FLOPs at 2.6 TFLOP/s)


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Seconds of one step, each part at its peak.

    Attributes:
      compute: of the matrix products; None where no peak is published for their type.
      memory: of the HBM's traffic; None where it is not known.
      interconnect: of the collectives within slices, one after the other; None where they are not known.
      network: of those between slices; None where the network's rate is not published.
      latency: of the messages' ways and the operations' starts.
    """

    compute: float | None
    memory: float | None
    interconnect: float | None
    network: float | None
    latency: float

    @property
    def least(self) -> float:
        """The longest part that is known."""
        return max(self._parts.values(), default=0.0)

    @property
    def most(self) -> float | None:
        """The sum of the parts, at the efficiencies above, and of the latencies; None where a part is not known."""
        if len(self._parts) < len(_EFFICIENCIES):
            return None
        return self.latency + sum(seconds / _EFFICIENCIES[part] for part, seconds in self._parts.items())

    @property
    def bound(self) -> str:
        """The longest part."""
        return max(self._parts, key=self._parts.__getitem__)

    @property
    def mfu(self) -> tuple[float, float]:
        """The share of the chips' peak FLOP/s that the step uses (model FLOPs utilization), at least and at most."""
        compute = self.compute or 0.0
        return (compute / self.most if self.most else 0.0), (compute / self.least if self.least else 0.0)

    @property
    def _parts(self) -> dict[str, float]:
        return {part: seconds for part in _EFFICIENCIES if (seconds := getattr(self, part)) is not None}


_EFFICIENCIES = {
    "compute": PRODUCT_EFFICIENCY,
    "memory": 1.0,
    "interconnect": INTERCONNECT_EFFICIENCY,
    "network": NETWORK_EFFICIENCY,
}


def roofline(
    chip: Chip,
    topology: Topology,
    mesh: Mesh,
    flops: Mapping[str, float],
    traffic: float | None,
    communication: Iterable[Collective] | None,
    operations: float = 0.0,
) -> Roofline:
    """The step of a device.

    Args:
      chip: its peaks.
      topology: the devices.
      mesh: how they are arranged.
      flops: by kind.
      traffic: bytes of its HBM.
      communication: the collectives that it takes part in.
      operations: how many it starts.
    """
    assert chip.torus is not None
    inside, between, latency = 0.0, 0.0, operations * OPERATION
    for collective in communication or ():
        if collective.group:
            rate, hops = _links(collective.group, chip, topology, mesh)
            ways = 2 if collective.kind == "all-reduce" else 1  # it scatters sums, then gathers them
            inside += collective.count * collective.sent / rate
            latency += collective.count * ways * hops * HOP
        else:
            between += collective.count * collective.sent
            latency += collective.count * NETWORK_LATENCY
    network = between / chip.torus.network_rate if chip.torus.network_rate else None
    known = communication is not None
    return Roofline(
        compute=chip.seconds(flops),
        memory=None if traffic is None else traffic / chip.memory_rate,
        interconnect=inside if known else None,
        network=(network if between else 0.0) if known else None,
        latency=latency,
    )


def _links(group: Sequence[int], chip: Chip, topology: Topology, mesh: Mesh) -> tuple[float, int]:
    """Bytes a second that a device can send through the ports of the dimensions its group spans, and the longest way.

    It uses both ports of a dimension that closes to a ring, and one of a line, at whose ends the other is missing.
    Where a group takes every k-th chip of a dimension, k such groups share the links.
    """
    assert chip.torus is not None
    ports, hops = 0.0, 0
    coordinates = zip(*(mesh.devices.flat[place].coords for place in group), strict=True)
    for extent, closes, along in zip(topology.shape, chip.torus.rings(topology.shape), coordinates, strict=False):
        places, span = len(set(along)), max(along) - min(along)
        if places == 1:
            continue
        if places == 2 and closes:
            span = min(span, extent - span)
        stride = span // (places - 1)
        ring = closes and places * stride == extent
        ports += (2 if ring else 1) / stride
        hops += extent // 2 if ring else span
    return (ports * chip.torus.port_rate, hops) if hops else (chip.torus.inner_rate, 1)
