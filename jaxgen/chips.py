"""What accelerators can do at most, as their makers publish it.

TPUs: docs.cloud.google.com/tpu/docs/v4, /v5e, /v5p and /v6e, read in 2026; a port's rate is the pod's all-reduce
bandwidth (v5p: the chip's bidirectional bandwidth, halved) divided by its chips and their ports. NVIDIA: data sheets of
the A100, H100 and H200, SXM modules, without sparsity.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Torus:
    """How TPU chips are connected: each to its neighbours along two or three dimensions.

    Attributes:
      dimensions: 2 or 3; a chip has two ports along each.
      port_rate: bytes a second that one port sends.
      ring: a dimension whose extent is a multiple of this closes to a ring.
      network_rate: bytes a second of a chip's share of the data-center network between slices; None: not published.
    """

    dimensions: int
    port_rate: float
    ring: int
    network_rate: float | None


@dataclasses.dataclass(frozen=True)
class Chip:
    """Peaks of one chip.

    Attributes:
      name: as people call it.
      kinds: what JAX calls it (`device_kind`).
      flops: a second, in bfloat16 matrix products.
      memory_bytes: capacity of its HBM.
      memory_rate: bytes a second between HBM and the chip.
      torus: its connections; None for GPUs.
    """

    name: str
    kinds: tuple[str, ...]
    flops: float
    memory_bytes: int
    memory_rate: float
    torus: Torus | None = None


_GIB = 2**30

CHIPS = (
    Chip("v4", ("TPU v4",), 275e12, 32 * _GIB, 1200e9, Torus(3, 45e9, ring=4, network_rate=None)),
    Chip("v5e", ("TPU v5 lite", "TPU v5e"), 197e12, 16 * _GIB, 819e9, Torus(2, 50e9, ring=16, network_rate=3.1e9)),
    Chip("v5p", ("TPU v5", "TPU v5p"), 459e12, 95 * _GIB, 2765e9, Torus(3, 100e9, ring=4, network_rate=6.2e9)),
    Chip("v6e", ("TPU v6 lite", "TPU v6e"), 918e12, 32 * _GIB, 1640e9, Torus(2, 100e9, ring=16, network_rate=12.5e9)),
    Chip("A100 40GB", ("NVIDIA A100-SXM4-40GB",), 312e12, 40 * 10**9, 1555e9),
    Chip("A100 80GB", ("NVIDIA A100-SXM4-80GB",), 312e12, 80 * 10**9, 2039e9),
    Chip("H100", ("NVIDIA H100 80GB HBM3",), 989e12, 80 * 10**9, 3350e9),
    Chip("H200", ("NVIDIA H200",), 989e12, 141 * 10**9, 4800e9),
)


def chip_of(device_kind: str) -> Chip | None:
    """The chip that JAX calls so; None where its peaks are not known here, as of CPUs."""
    return next((chip for chip in CHIPS if device_kind in chip.kinds), None)
