"""What accelerators can do at most, as their makers publish it.

TPUs: docs.cloud.google.com/tpu/docs/v4, /v5e, /v5p, /v6e and /tpu7x, read in 2026; a port's rate is the pod's
all-reduce bandwidth (v5p, TPU7x: the chip's bidirectional bandwidth, halved) divided by its chips and their ports.
NVIDIA: data sheets of the boards, without sparsity.
"""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Torus:
    """How TPU chips are connected: each to its neighbours along two or three dimensions.

    Attributes:
      dimensions: 2 or 3; a chip has two ports along each.
      port_rate: bytes a second that one port sends, for each of the devices that share it.
      network_rate: bytes a second of a device's share of the data-center network between slices; None: not published.
      devices: of JAX in a chip.
      inner_rate: bytes a second that a device sends to the other of its chip.
    """

    dimensions: int
    port_rate: float
    network_rate: float | None
    devices: int = 1
    inner_rate: float = 0.0

    def rings(self, shape: tuple[int, ...]) -> tuple[bool, ...]:
        """Which dimensions of a slice close to a ring.

        Of two-dimensional slices those of 16; three-dimensional ones close in all where they are made of whole cubes of
        4x4x4, and else in none.
        """
        if self.dimensions == 2:
            return tuple(extent % 16 == 0 for extent in shape)
        return (all(extent % 4 == 0 for extent in shape),) * len(shape)


@dataclasses.dataclass(frozen=True)
class Chip:
    """Peaks of one device: a chip, or of TPU7x one of the two in it.

    Attributes:
      name: as people call it.
      kinds: what JAX calls it (`device_kind`).
      peaks: operations a second in matrix products and convolutions, by kind: the operands' type, for
        float32 followed by the precision asked for, if any.
      memory_bytes: capacity of its HBM.
      memory_rate: bytes a second between HBM and the chip.
      torus: its connections; None for GPUs.
    """

    name: str
    kinds: tuple[str, ...]
    peaks: Mapping[str, float]
    memory_bytes: int
    memory_rate: float
    torus: Torus | None = None

    def seconds(self, flops: Mapping[str, float]) -> float | None:
        """Of operations, by kind, at their peaks; None where one is not published."""
        if not flops.keys() <= self.peaks.keys():
            return None
        return sum(count / self.peaks[kind] for kind, count in flops.items())


_GIB = 2**30


def _tpu(bfloat16: float, float8: float | None = None) -> dict[str, float]:
    """A TPU multiplies float32 in one bfloat16 pass, in 3 with `Precision.HIGH` and in 6 with `HIGHEST`."""
    passes = {"float32": 1, "float32 high": 3, "float32 highest": 6}
    return {"bfloat16": bfloat16, "float8": float8 or bfloat16} | {name: bfloat16 / n for name, n in passes.items()}


def _nvidia(bfloat16: float, tf32: float, float32: float, float8: float | None = None) -> dict[str, float]:
    """Tensor cores multiply float32 as TF32 but with `Precision.HIGHEST`."""
    peaks = {"bfloat16": bfloat16, "float16": bfloat16, "float32": tf32, "float32 high": tf32}
    return peaks | {"float32 highest": float32} | ({"float8": float8} if float8 else {})


def _volta(float16: float, float32: float) -> dict[str, float]:
    return {"float16": float16} | dict.fromkeys(("float32", "float32 high", "float32 highest"), float32)


_A100 = _nvidia(312e12, 156e12, 19.5e12)
_H100 = _nvidia(989e12, 494.5e12, 67e12, 1979e12)
# Published of a chip, whose two devices have half each, but for the link between them: six times one of the torus.
_TPU7X = Torus(3, 100e9 / 2, 12.5e9 / 2, devices=2, inner_rate=6 * 100e9)

CHIPS = (
    Chip("v4", ("TPU v4",), _tpu(275e12), 32 * _GIB, 1200e9, Torus(3, 44.8e9, None)),
    Chip("v5e", ("TPU v5 lite", "TPU v5e"), _tpu(197e12), 16 * _GIB, 819e9, Torus(2, 50e9, 3.125e9)),
    Chip("v5p", ("TPU v5", "TPU v5p"), _tpu(459e12), 95 * _GIB, 2765e9, Torus(3, 100e9, 6.25e9)),
    Chip("v6e", ("TPU v6 lite", "TPU v6e"), _tpu(918e12), 32 * _GIB, 1638e9, Torus(2, 100e9, 12.5e9)),
    Chip("tpu7x", ("TPU7x",), _tpu(2307e12 / 2, 4614e12 / 2), 96 * _GIB, 7380e9 / 2, _TPU7X),
    Chip("V100", ("Tesla V100-SXM2-16GB",), _volta(125e12, 15.7e12), 16 * _GIB, 900e9),
    Chip("V100 32GB", ("Tesla V100-SXM2-32GB",), _volta(125e12, 15.7e12), 32 * _GIB, 900e9),
    Chip("V100 PCIe", ("Tesla V100-PCIE-16GB",), _volta(112e12, 14e12), 16 * _GIB, 900e9),
    Chip("A100 40GB", ("NVIDIA A100-SXM4-40GB",), _A100, 40 * _GIB, 1555e9),
    Chip("A100 80GB", ("NVIDIA A100-SXM4-80GB",), _A100, 80 * _GIB, 2039e9),
    Chip("A100 PCIe 40GB", ("NVIDIA A100-PCIE-40GB",), _A100, 40 * _GIB, 1555e9),
    Chip("A100 PCIe 80GB", ("NVIDIA A100 80GB PCIe",), _A100, 80 * _GIB, 1935e9),
    Chip("L40S", ("NVIDIA L40S",), _nvidia(362e12, 183e12, 91.6e12, 733e12), 48 * _GIB, 864e9),
    Chip("H100", ("NVIDIA H100 80GB HBM3",), _H100, 80 * _GIB, 3350e9),
    Chip("H100 PCIe", ("NVIDIA H100 PCIe",), _nvidia(756e12, 378e12, 51e12, 1513e12), 80 * _GIB, 2000e9),
    Chip("H100 NVL", ("NVIDIA H100 NVL",), _nvidia(835e12, 417e12, 60e12, 1671e12), 94 * _GIB, 3900e9),
    Chip("H200", ("NVIDIA H200",), _H100, 140 * _GIB, 4800e9),
    Chip("GH200", ("NVIDIA GH200 480GB",), _H100, 96 * _GIB, 4000e9),
    Chip("GH200 144GB", ("NVIDIA GH200 144G HBM3e",), _H100, 144 * 10**9, 4800e9),
    Chip("B200", ("NVIDIA B200",), _nvidia(2250e12, 1125e12, 75e12, 4500e12), 180 * 10**9, 8000e9),
)


def chip_of(device_kind: str) -> Chip | None:
    """The chip that JAX calls so; None where its peaks are not known here, as of CPUs."""
    return next((chip for chip in CHIPS if device_kind in chip.kinds), None)
