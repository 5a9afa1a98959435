"""Collectives counted in real compiled programs whose communication is known."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxgen.aot.collectives import _group, collectives
from jaxgen.aot.hlo import Instruction, Program
from jaxgen.training.sharding import make_mesh

MESH = make_mesh(data=2, fsdp=2, devices=jax.devices()[:4])


def found(function, shape, spec=P(), out=P()):
    mapped = jax.shard_map(function, mesh=MESH, in_specs=spec, out_specs=out, check_vma=False)
    text = jax.jit(mapped).lower(jax.ShapeDtypeStruct(shape, jnp.float32)).compile().as_text()
    return collectives(Program.parse(text), MESH)


def test_a_sum_over_one_axis_in_a_loop_counts_at_every_turn():
    def loop(x):
        return jax.lax.scan(lambda x, _: (jnp.sin(jax.lax.psum(x, "fsdp")), None), x, None, length=3)[0]

    (only,) = found(loop, (5, 7))
    assert (only.kind, only.axes, only.count, only.bytes) == ("all-reduce", ("fsdp",), 3, 5 * 7 * 4)
    assert only.group == (0, 1)
    assert only.sent == only.bytes  # twice the half that the other has


@pytest.mark.parametrize(
    ("function", "kind", "axes", "size", "sent"),
    [
        (lambda x: jax.lax.psum(x, ("data", "fsdp")), "all-reduce", ("data", "fsdp"), 128, 128 * 2 * 3 / 4),
        (lambda x: jax.lax.all_gather(x, "data"), "all-gather", ("data",), 256, 128),
        (lambda x: jax.lax.psum_scatter(x, "data", tiled=True), "reduce-scatter", ("data",), 128, 64),
        (lambda x: jax.lax.all_to_all(x, "data", 0, 0, tiled=True), "all-to-all", ("data",), 128, 64),
        (lambda x: jax.lax.ppermute(x, "data", [(0, 1), (1, 0)]), "collective-permute", ("data",), 128, 128),
    ],
    ids=["all-reduce", "all-gather", "reduce-scatter", "all-to-all", "permute"],
)
def test_every_kind(function, kind, axes, size, sent):
    (only,) = found(function, (8, 4))
    assert (only.kind, only.axes, only.count, only.bytes, only.sent) == (kind, axes, 1, size, sent)


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("replica_groups={{0,2},{1,3}}, x=1", [0, 2]),
        ("replica_groups=[2,4]<=[8], x=1", [0, 1, 2, 3]),
        ("replica_groups=[2,4]<=[4,2]T(1,0)", [0, 2, 4, 6]),
        ("replica_groups=mesh['a'=2,'b'=4] {'b'}, x=1", [0, 1, 2, 3]),
        ("replica_groups=mesh['a'=2,'b'=4] {'a'}", [0, 4]),
        ("replica_groups=mesh['a'=2,'b'=4] {'a','b'}", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("replica_groups=mesh['a'=8] {'a':(1)2}", [0, 4]),
        ("replica_groups=mesh['a'=8] {'a':(2)2}", [0, 2]),
        ("replica_groups=mesh['a'=8] {'a':(1)2,'a':(4)2}", [0, 1, 4, 5]),
        ("replica_groups=mesh['a'=2,'b'=2], device_ids=([2,2]<=[2,2]T(1,0)) {'b'}, x=1", [0, 2]),
        ("replica_groups=mesh['a'=2,'b'=2], device_ids=(0,3,1,2) {'b'}", [0, 3]),
        ("replica_groups=mesh['_a'=1,'b'=2,'c'=4], device_ids=([4,2]T(1,0)) {'b'}, x=1", [0, 1]),
        ("replica_groups=mesh['a'=1,'b'=4,'c'=2], device_ids=([2,4]T(1,0)) {'b','c'}", [0, 4, 1, 5, 2, 6, 3, 7]),
        ("replica_groups=mesh['a'=4,'b'=2], device_ids=([2,4]T(1,0)) {'a'}", [0, 1, 2, 3]),
        ("replica_groups=mesh['a'=2,'b'=4], device_ids=([8]) {'b'}", [0, 1, 2, 3]),
        ("replica_groups=[4,2]T(1,0), x=1", [0, 2, 4, 6]),
        ("channel_id=7, replica_groups=[2,4], x=1", [0, 1, 2, 3]),
        ("replica_groups=[4,2]<=[2,2,2]T(2,0,1), x=1", [0, 2]),
        ("replica_groups=[8]<=[8]", list(range(8))),
        ("source_target_pairs={{3,1},{1,3}}", [3, 1]),
        ("channel_id=1, source_target_pairs={{0,0},{2,3}}, x=1", [2, 3]),
        ("source_target_pairs={{0,0},{1,1}}", [0]),
        ("source_target_pairs={}, x=1", [0]),
        ("replica_groups={}, to_apply=%add", list(range(8))),
        ("to_apply=%add", list(range(8))),
    ],
)
def test_every_way_to_write_a_group(text, group):
    """XLA's notations, from its sources' comments, `Mesh`'s sub-axes (pre-size) size, and programs that were seen."""
    instruction = Instruction("x", "all-reduce", (), (), "", text, False)
    assert np.array_equal(_group(instruction, 8), group)


@pytest.mark.parametrize(
    "written",
    [
        "replica_groups=@{0,1}",
        "replica_groups=[2,4]<={8}",
        "replica_groups=[2,4]<=[9]",
        "replica_groups=mesh<8> {'a'}",
        "replica_groups=mesh['a'=8] {'b'}",
        "replica_groups=mesh['a'=2,'b'=4], device_ids=([9]) {'b'}",
    ],
)
def test_a_way_that_is_unknown_is_named(written):
    instruction = Instruction("x", "all-reduce", (), (), "", f"channel_id=1, {written}, x=1", False)
    with pytest.raises(ValueError, match=re.escape(f"cannot read the compiler's {written}")):
        _group(instruction, 8)
