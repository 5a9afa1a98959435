"""The same program for the same devices is compiled once; anything else anew."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgen.aot import compiled
from jaxgen.aot.compiled import Compiled
from jaxgen.aot.topology import Topology

TOPOLOGY = Topology.parse("cpu:2")


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compiled, "_QUICK", -1.0)
    return tmp_path / "predicted"


def find(function=jnp.sin, devices=(0, 1), topology=TOPOLOGY):
    mesh = Mesh([jax.devices()[i] for i in devices], "x")
    x = jax.ShapeDtypeStruct((8,), jnp.float32, sharding=NamedSharding(mesh, PartitionSpec("x")))
    return Compiled.of(jax.jit(function).trace(x), mesh, topology)


def test_a_second_call_reads_what_the_first_compiled():
    first, second = find(), find()
    assert (first.kept, second.kept) == (False, True)
    assert (first.text, first.memory) == (second.text, second.memory)
    assert "sine" in first.text
    assert first.memory.arguments == 8 * 4 // 2


@pytest.mark.parametrize(
    "changed",
    [{"function": jnp.cos}, {"devices": (1, 0)}, {"topology": Topology.parse("cpu:4")}],
    ids=lambda changed: next(iter(changed)),
)
def test_what_decides_about_the_program_is_in_its_name(changed):
    find()
    assert not find(**changed).kept


def test_a_flag_of_the_compiler_s_too(monkeypatch):
    find()
    monkeypatch.setenv("LIBTPU_INIT_ARGS", "--some_flag=true")
    assert not find().kept


def test_what_is_damaged_is_compiled_again(place):
    find()
    (file,) = place.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert not find().kept
    assert find().kept


def test_what_compiles_quickly_is_not_kept(monkeypatch, place):
    monkeypatch.setattr(compiled, "_QUICK", 1000.0)
    find()
    assert not place.exists()
