"""The mesh and the one rule by which a state is split over it; what the compiler makes of it is `test_parallelism`."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxgen.core import NetState, TrainState
from jaxgen.errors import UserError
from jaxgen.training.sharding import batch_sharding, batch_shards, make_mesh, state_shardings


def state(**shapes):
    params = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in shapes.items()}
    net = NetState(params=params, variables={}, opt_state=({"mu": params},), ema=params)
    return TrainState(*[jax.ShapeDtypeStruct((), jnp.int32)] * 2, nets={"net": net})


def specs(mesh, patterns, **shapes):
    net = state_shardings(state(**shapes), mesh, patterns).nets["net"]
    assert net.params == net.ema == net.opt_state[0]["mu"]
    return {name: sharding.spec for name, sharding in net.params.items()}


def test_axes_are_named_and_data_takes_what_is_left():
    four = jax.devices()[:4]
    assert dict(make_mesh(devices=four).shape) == {"data": 4, "zero1": 1, "fsdp": 1, "tensor": 1}
    assert dict(make_mesh(fsdp=2, devices=four).shape) == {"data": 2, "zero1": 1, "fsdp": 2, "tensor": 1}
    assert dict(make_mesh(1, 2, 2, devices=four).shape) == {"data": 1, "zero1": 1, "fsdp": 2, "tensor": 2}
    assert dict(make_mesh(devices=four[:1]).shape) == {"data": 1, "zero1": 1, "fsdp": 1, "tensor": 1}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"fsdp": 3}, "mesh.fsdp 3 times mesh.tensor 1 does not divide 4: there are 4 devices"),
        ({"data": 2}, "mesh.data 2 times mesh.fsdp 1 times mesh.tensor 1 is 2 devices but there are 4"),
        ({"data": 8}, "is 8 devices but there are 4"),
        ({"zero1": 3}, "mesh.zero1 3 does not divide the 4 devices of mesh.data in a slice; make it 1."),
        ({"data": 0}, "mesh.data is 0; it must be at least 1."),
        ({"fsdp": -1}, "mesh.fsdp is -1; it must be at least 1."),
    ],
)  # fmt: skip
def test_a_mesh_that_does_not_fit_the_devices_is_a_sentence(sizes, message):
    with pytest.raises(UserError, match=message):
        make_mesh(**sizes, devices=jax.devices()[:4])


@dataclasses.dataclass(frozen=True)
class Chip:
    """What JAX asks of a TPU to arrange it."""

    id: int
    coords: tuple[int, ...]
    slice_index: int
    device_kind: str
    platform: str = "tpu"
    core_on_chip: int = 0
    process_index: int = 0


def torus(kind, shape, slices=1):
    places = [(number, place) for number in range(slices) for place in np.ndindex(*shape)]
    return [Chip(index, place, number, kind) for index, (number, place) in enumerate(places)]


TORI = [
    ("TPU v5 lite", (4, 4, 1), 1),
    ("TPU v5 lite", (16, 16, 1), 1),
    ("TPU v5", (4, 4, 4), 1),
    ("TPU v5", (2, 4, 4), 1),
    ("TPU v6 lite", (4, 4, 1), 1),
    ("TPU v5 lite", (4, 4, 1), 2),
    ("TPU v5", (4, 4, 4), 2),
    ("TPU v6 lite", (2, 4, 1), 4),
]


@pytest.mark.parametrize(("kind", "shape", "slices"), TORI)
def test_every_divisor_of_a_slice_makes_a_mesh_whose_inner_axes_stay_in_a_slice(kind, shape, slices):
    chips = torus(kind, shape, slices)
    size = math.prod(shape)
    for fsdp in (n for n in range(1, size + 1) if size % n == 0):
        for tensor in (n for n in (1, 2) if size % (fsdp * n) == 0):
            mesh = make_mesh(fsdp=fsdp, tensor=tensor, devices=chips)
            assert mesh.devices.shape == (len(chips) // fsdp // tensor, 1, fsdp, tensor)
            assert {chip.id for chip in mesh.devices.flat} == set(range(len(chips)))
            for row in mesh.devices:
                assert len({chip.slice_index for chip in row.flat}) == 1
    if size > 8:  # a dimension of the torus stays one; a host's 8 chips JAX arranges as a ring of its own
        row = make_mesh(fsdp=max(shape), devices=chips).devices[0, 0, :, 0]
        assert sum(len({chip.coords[axis] for chip in row}) > 1 for axis in range(3)) == 1


@pytest.mark.parametrize(("kind", "shape", "slices"), TORI)
def test_the_update_is_shared_by_half_of_a_slice_where_nothing_else_splits_it(kind, shape, slices):
    chips, size = torus(kind, shape, slices), math.prod(shape)
    picked = make_mesh(zero1=None, devices=chips)
    assert dict(picked.shape) == {"data": 2 * slices, "zero1": size // 2, "fsdp": 1, "tensor": 1}
    for replica in picked.devices:
        assert len({chip.slice_index for chip in replica.flat}) == 1
    assert make_mesh(zero1=None, tensor=2, devices=chips).shape["zero1"] == size // 2  # of its data, all
    assert make_mesh(zero1=None, fsdp=2, devices=chips).shape["zero1"] == 1
    assert make_mesh(devices=chips).shape["zero1"] == 1
    assert make_mesh(zero1=None, devices=chips[:1]).shape["zero1"] == 1
    assert make_mesh(zero1=None).shape["zero1"] == 1  # no TPUs


def test_what_only_the_update_reads_is_split_over_zero1_beside_fsdp():
    shapes = {"wide": (128, 256), "odd": (129, 130), "uneven": (128, 130), "small": (4,)}

    def found(leaf, **axes):
        mesh = make_mesh(**axes, devices=jax.devices()[:4])
        net = state_shardings(state(**shapes), mesh, {}).nets["net"]
        assert net.ema == net.opt_state[0]["mu"]
        return [(net.params if leaf == "params" else net.ema)[name].spec for name in shapes]

    assert found("params", zero1=4) == [P()] * 4
    assert found("ema", zero1=4) == [P(None, "zero1"), P(), P("zero1"), P()]
    assert found("ema", zero1=2) == [P(None, "zero1")] * 3 + [P()]
    assert found("params", zero1=2, fsdp=2) == [P(None, "fsdp")] * 3 + [P()]
    # A part of what fsdp gives a device, or no part: along another axis it would have to be moved.
    assert found("ema", zero1=2, fsdp=2) == [P(None, ("fsdp", "zero1"))] + [P(None, "fsdp")] * 2 + [P()]


@pytest.mark.parametrize(
    ("axes", "shards"), [({}, 4), ({"zero1": 4}, 4), ({"zero1": 2, "fsdp": 2}, 4), ({"fsdp": 2, "tensor": 2}, 2)]
)
def test_a_batch_is_split_over_every_axis_but_tensor(axes, shards):
    mesh = make_mesh(**axes, devices=jax.devices()[:4])
    assert batch_shards(mesh) == shards
    assert batch_sharding(mesh, 2).shard_shape((3, 2, 8, 5)) == (3, 2, 8 // shards, 5)


@pytest.mark.parametrize(
    ("slices", "sizes", "message"),
    [
        (2, {"fsdp": 32}, "mesh.data 1 is not a multiple of the 2 slices .* mesh.fsdp .* 1, 2, 4, 8 or 16"),
        (2, {"data": 1, "fsdp": 16, "tensor": 2}, "make mesh.fsdp times mesh.tensor 1, 2, 4, 8 or 16"),
        (2, {"fsdp": 3}, "does not divide 32: there are 32 devices; make it 1, 2, 4, 8 or 16"),
        (1, {"fsdp": 5}, "does not divide 16: there are 16 devices; make it 1, 2, 4, 8 or 16"),
    ],
)
def test_what_does_not_fit_a_torus_is_a_sentence_with_the_sizes_that_do(slices, sizes, message):
    with pytest.raises(UserError, match=message):
        make_mesh(**sizes, devices=torus("TPU v5 lite", (4, 4, 1), slices))


def test_large_arrays_are_split_along_their_largest_axis_that_divides():
    mesh = make_mesh(fsdp=4, devices=jax.devices()[:4])
    assert specs(
        mesh,
        {},
        kernel=(4, 4, 128, 64),
        second_largest=(4, 4, 130, 64),
        equals=(128, 128),
        indivisible=(129, 131),
        small=(127, 128),
        vector=(2**14,),
        scalar=(),
    ) == {
        "kernel": P(None, None, "fsdp"),
        "second_largest": P(None, None, None, "fsdp"),
        "equals": P(None, "fsdp"),
        "indivisible": P(),
        "small": P(),
        "vector": P("fsdp"),
        "scalar": P(),
    }
    assert specs(make_mesh(devices=jax.devices()[:4]), {}, kernel=(4, 4, 128, 64)) == {"kernel": P()}


def test_a_pattern_replaces_the_rule_for_parameters_averages_and_optimizer_alike():
    mesh = make_mesh(fsdp=2, tensor=2, devices=jax.devices()[:4])
    patterns = {"wide$": P("fsdp", "tensor"), "net/.*small": P("fsdp"), "^nets": P()}
    found = specs(mesh, patterns, wide=(128, 256), small=(4,), other=(128, 256))
    assert found == {"wide": P("fsdp", "tensor"), "small": P("fsdp"), "other": P()}
    placed = jax.device_put(np.zeros((128, 256)), jax.NamedSharding(mesh, found["wide"]))
    assert {shard.data.shape for shard in placed.addressable_shards} == {(64, 128)}


def test_a_pattern_of_tensor_alone_leaves_the_other_axes_to_the_rule_and_without_tensor_all():
    shapes, patterns = {"wide": (128, 256), "small": (4, 8)}, {"wide|small": P(None, "tensor")}
    devices = jax.devices()[:4]
    assert specs(make_mesh(fsdp=2, tensor=2, devices=devices), patterns, **shapes) == {
        "wide": P("fsdp", "tensor"),
        "small": P(None, "tensor"),
    }
    assert specs(make_mesh(fsdp=4, devices=devices), patterns, **shapes) == {"wide": P(None, "fsdp"), "small": P()}


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"kernle": P("fsdp")}, "sharding pattern 'kernle' matches no array of the state; correct or remove it."),
        ({"bias": P(None, "fsdp")}, r"gives nets/net/params/bias 2 axes but it has 1; narrow the pattern"),
        ({"kernel": P("model")}, "names axis 'model'; there are data, zero1, fsdp, tensor"),
        ({"kernel": P(("fsdp", "tensor"))}, r"splits nets/net/params/kernel, \[6, 8\], into 4 along an axis of 6"),
        ({}, "mesh.tensor is 2 but the experiment splits no array over tensor; leave it at 1"),
    ],
)
def test_a_pattern_that_does_not_fit_is_a_sentence(patterns, message):
    mesh = make_mesh(fsdp=2, tensor=2, devices=jax.devices()[:4])
    with pytest.raises(UserError, match=message):
        state_shardings(state(kernel=(6, 8), bias=(8,)), mesh, patterns)
