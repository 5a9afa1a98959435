"""Names of topologies, and the devices of those that can be had here."""

import importlib.util
import math

import jax
import pytest

from jaxgen.aot.topology import Topology
from jaxgen.chips import CHIPS, chip_of
from jaxgen.errors import UserError

NO_LIBTPU = importlib.util.find_spec("libtpu") is None


@pytest.mark.parametrize(
    ("name", "slices", "says"),
    [
        ("v5e", 1, "topology is 'v5e'; write it as v5e:16x16"),
        ("v5e:4x", 1, "topology is 'v5e:4x'"),
        ("v9:4x4", 1, "there is no 'v9'; choose one of cpu, v4, v5e, v5p, v6e, tpu7x"),
        ("H100:8", 1, "there is no 'H100'"),
        ("v5e:4x4x4", 1, "v5e has 2 dimensions, as in v5e:4x4"),
        ("v5p:0x4x4", 1, "v5p has 3 dimensions, as in v5p:4x4x4"),
        ("cpu:8", 2, "num_slices is 2"),
        ("v5e:4x4", 0, "num_slices is 0"),
        ("v5e:3x5", 1, "needs XLA's compiler" if NO_LIBTPU else "the TPU compiler refuses it"),
        ("cpu:4096", 1, "this process has 4 CPU devices"),
    ],
)
def test_what_is_no_topology_is_said_in_a_sentence(name, slices, says):
    jax.devices()  # from here on a process cannot have more
    with pytest.raises(UserError, match=says):
        Topology.parse(name, slices).devices()


def test_without_the_tpu_compiler_its_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'needs XLA\'s compiler for TPUs .* `pip install -e "\.\[tpu\]"`'):
        Topology.parse("v5e:4x4").devices()


@pytest.mark.parametrize("name", ["v5e:4x4", "v5p:4x4x4", "cpu:8"])
def test_a_sweep_keeps_the_kind_and_comes_as_near_to_a_cube_as_can_be(name):
    topology = Topology.parse(name)
    for chips in (1, 4, 8, 16, 64, 128, 256):
        resized = topology.resized(chips)
        assert resized.size == chips == math.prod(resized.shape)
        assert len(resized.shape) == topology.dimensions
    assert str(topology.resized(256)) == {"v5e:4x4": "v5e:16x16", "v5p:4x4x4": "v5p:4x8x8"}.get(name, "cpu:256")
    assert Topology.parse("v5p:4x4x4").resized(4).shape == (2, 2, 1)
    with pytest.raises(UserError, match="multiple of num_slices 2"):
        Topology.parse("v5e:4x4", 2).resized(9)


@pytest.mark.skipif(NO_LIBTPU, reason="the TPU compiler (libtpu) is not installed")
@pytest.mark.parametrize(
    ("name", "slices"), [("v4:2x2x1", 1), ("v5e:4x4", 2), ("v5p:2x2x2", 1), ("v6e:8x8", 1), ("tpu7x:2x2x1", 1)]
)
def test_a_device_is_a_chip_whose_peaks_are_known(name, slices):
    topology = Topology.parse(name, slices)
    devices = topology.devices()
    assert len(devices) == topology.size
    assert {getattr(device, "slice_index", 0) for device in devices} == set(range(slices))
    assert chip_of(devices[0].device_kind) is topology.chip
    assert tuple(max(axis) + 1 for axis in zip(*(d.coords for d in devices), strict=True))[: len(topology.shape)] == (
        topology.shape
    )


def test_no_two_chips_share_a_name():
    kinds = [kind for chip in CHIPS for kind in chip.kinds]
    assert len(set(kinds)) == len(kinds)
    assert chip_of("cpu") is None


@pytest.mark.parametrize(
    ("name", "rings"),
    [
        ("v5e:16x16", (True, True)),
        ("v5e:8x16", (False, True)),
        ("v6e:8x8", (False, False)),
        ("v4:4x4x12", (True, True, True)),
        ("v5p:4x4x4", (True, True, True)),
        ("v5p:2x4x4", (False, False, False)),
        ("v5p:2x2x4", (False, False, False)),
        ("tpu7x:4x4x8", (True, True, True)),
        ("tpu7x:2x2x1", (False, False, False)),
    ],
)
def test_only_whole_cubes_and_sixteens_close_to_rings(name, rings):
    """As Google's pages and maxtext's `accelerator_to_spec_map` have them."""
    topology = Topology.parse(name)
    assert topology.chip.torus.rings(topology.shape) == rings


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_peaks_are_of_the_size_that_chips_have_and_in_order(chip):
    float32 = [chip.peaks[kind] for kind in ("float32 highest", "float32 high", "float32")]
    half = chip.peaks.get("bfloat16", chip.peaks.get("float16"))
    assert 10e12 < float32[0] <= float32[1] <= float32[2] <= half <= chip.peaks.get("float8", half) < 5e15
    assert 15 * 2**30 < chip.memory_bytes < 200 * 2**30
    assert 0.8e12 < chip.memory_rate <= 8e12
    assert 60 < half / chip.memory_rate < 600  # FLOPs a byte


SEEN = {  # GiB that a process finds free, or the compiler plans with, on a bare device
    "v4": 30.75, "v5e": 15.75, "v6e": 31.25, "H100": 78.0, "H200": 139.0
}  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_capacities_are_what_is_seen_and_a_little_that_the_system_keeps(name):
    (chip,) = (chip for chip in CHIPS if chip.name == name)
    assert SEEN[name] <= chip.memory_bytes / 2**30 <= 1.05 * SEEN[name]


def test_a_chip_s_name_is_that_by_which_jax_knows_it():
    known = {"NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA GH200 480GB", "NVIDIA B200", "NVIDIA L40S", "TPU7x"}
    known |= {"NVIDIA A100-PCIE-40GB", "NVIDIA A100 80GB PCIe", "Tesla V100-SXM2-16GB", "NVIDIA H200"}
    assert {kind for kind in known if chip_of(kind) is None} == set()


def test_the_peak_is_that_of_the_type():
    """An H100 multiplies float32 as TF32: at half the rate of bfloat16, unless full precision is asked for."""
    h100 = chip_of("NVIDIA H100 80GB HBM3")
    assert h100.seconds({"bfloat16": 989e12}) == 1
    assert h100.seconds({"float32": 989e12}) == 2
    assert h100.seconds({"float32 highest": 67e12, "float8": 1979e12}) == 2
    assert h100.seconds({"float64": 1.0}) is None
    assert h100.seconds({}) == 0
