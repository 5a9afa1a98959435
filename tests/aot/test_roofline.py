"""Seconds at the published peaks, against arithmetic by hand; devices are given by their places alone."""

import types

import numpy as np
import pytest

from jaxgen.aot.collectives import Collective
from jaxgen.aot.roofline import roofline
from jaxgen.aot.topology import Topology


def bounds(name, flops=0.0, traffic=0.0, collectives=(), slices=1, operations=0.0):
    topology = Topology.parse(name, slices)
    places = [types.SimpleNamespace(coords=place) for place in np.ndindex(*topology.shape)]
    mesh = types.SimpleNamespace(devices=np.array(places, object))
    kinds = flops if isinstance(flops, dict) else {"bfloat16": flops}
    return roofline(topology.chip, topology, mesh, kinds, traffic, collectives, operations)


def test_a_matrix_product_is_bound_by_what_it_lacks():
    """On v5e 197e12 FLOP/s and 819e9 bytes/s meet at 240.5 FLOPs a byte."""

    def product(n):
        return bounds("v5e:1x1", flops=2 * n**3, traffic=3 * n**2 * 2)

    assert product(8192).compute == pytest.approx(2 * 8192**3 / 197e12)
    assert product(8192).bound == "compute"
    assert product(8192).mfu[1] == 1
    small = product(512)  # 2·512/6 = 171 FLOPs a byte
    assert small.bound == "memory"
    assert small.least == pytest.approx(3 * 512**2 * 2 / 819e9)
    assert small.mfu[1] == pytest.approx(512 / 3 / (197e12 / 819e9))


def test_the_range_goes_from_the_longest_part_to_all_of_them_in_turn_with_latencies():
    """Compute 10 ms, memory 4, interconnect 6, a sum over lines of 4x4: 12 hops of a microsecond; network 2 ms."""
    talk = [
        Collective("all-reduce", ("data",), tuple(range(16)), count=3, bytes=1, sent=2e-3 * 2 * 50e9),
        Collective("slice-exchange", ("data",), (), count=2, bytes=1, sent=1e-3 * 3.125e9),
    ]
    found = bounds("v5e:4x4", 10e-3 * 197e12, 4e-3 * 819e9, talk, slices=2, operations=1000)
    assert [found.compute, found.memory, found.interconnect, found.network] == pytest.approx([10e-3, 4e-3, 6e-3, 2e-3])
    assert found.least == pytest.approx(10e-3)
    latency = 3 * 12e-6 + 2 * 123e-6 + 1000 * 1.6e-6
    assert found.latency == pytest.approx(latency)
    assert found.most == pytest.approx(10e-3 / 0.80 + 4e-3 + 6e-3 / 0.59 + 2e-3 / 0.33 + latency)
    assert found.mfu == pytest.approx((10e-3 / found.most, 1))


def test_a_part_that_is_not_known_leaves_the_upper_end_open():
    exchange = Collective("slice-exchange", ("data",), (), count=1, bytes=1, sent=1.0)
    assert bounds("v4:2x2x1", 1.0, collectives=[exchange], slices=2).most is None  # the network's rate
    assert bounds("v5e:2x2", {"float64": 1.0}).most is None
    assert bounds("v5e:2x2", {"float64": 1.0}).mfu == (0, 0)
    unread = bounds("v5e:2x2", 197e12, traffic=None, collectives=None)
    assert (unread.memory, unread.interconnect, unread.network, unread.most) == (None, None, None, None)
    assert unread.least == 1
    assert bounds("v5e:2x2", 197e12).most == pytest.approx(1 / 0.80)


@pytest.mark.parametrize(
    ("kind", "passes"), [("bfloat16", 1), ("float32", 1), ("float32 high", 3), ("float32 highest", 6), ("float8", 1)]
)
def test_a_product_of_float32_takes_as_many_passes_as_its_precision_asks_for(kind, passes):
    assert bounds("v5e:1x1", {kind: 197e12}).compute == pytest.approx(passes)
    assert bounds("v5e:1x1", {"bfloat16": 197e12, kind: 197e12} if passes > 1 else {kind: 197e12}).compute == (
        pytest.approx(passes + (passes > 1))
    )


@pytest.mark.parametrize(
    ("name", "group", "ports", "hops"),
    [
        ("v5e:4x4", range(16), 2, 6),  # lines: a port in each of two dimensions
        ("v5e:4x4", range(4), 1, 3),
        ("v5e:16x16", range(256), 4, 16),  # rings: both ports of each, and half the way around
        ("v5e:16x16", range(16), 2, 8),
        ("v5e:8x16", range(128), 3, 15),
        ("v5e:16x16", range(8), 1, 7),  # half of a ring is a line
        ("v5e:16x16", range(0, 16, 2), 1, 8),  # every second chip of a ring: two such groups share it
        ("v5e:4x4", (0, 2), 1 / 2, 2),  # and of a line
        ("v5p:4x4x4", (0, 3), 1, 1),  # neighbours, where the ring closes
        ("v5p:2x2x1", range(4), 2, 2),
        ("v5p:4x4x4", range(64), 6, 6),
        ("v5p:4x4x4", range(0, 64, 16), 2, 2),
        ("v5p:2x2x4", range(16), 3, 5),  # only whole cubes of 4x4x4 close
        ("v5p:2x4x4", range(32), 3, 7),
        ("v4:4x4x8", range(128), 6, 8),
        ("v4:4x4x12", range(192), 6, 10),
        ("tpu7x:4x4x4", range(64), 3, 6),  # ports that two devices share
    ],
)
def test_a_group_sends_through_the_ports_of_the_dimensions_it_spans(name, group, ports, hops):
    def seconds(kind):
        each = Collective(kind, ("data",), tuple(group), count=3, bytes=10**9, sent=2e9)
        return bounds(name, collectives=[each])

    rate = {"v4": 44.8e9, "v5e": 50e9, "v5p": 100e9, "tpu7x": 100e9}[name.split(":")[0]]
    assert seconds("all-reduce").interconnect == pytest.approx(3 * 2e9 / (ports * rate))
    assert seconds("all-reduce").latency == pytest.approx(3 * 2 * hops * 1e-6)
    assert seconds("all-gather").latency == pytest.approx(3 * hops * 1e-6)


def test_the_two_devices_of_a_chip_have_a_link_of_their_own():
    topology = Topology.parse("tpu7x:2x2x1")
    places = [types.SimpleNamespace(coords=place) for place in np.ndindex(2, 2, 1) for _ in range(2)]
    mesh = types.SimpleNamespace(devices=np.array(places, object))
    each = Collective("all-reduce", ("data",), (0, 1), count=1, bytes=1, sent=6e9)
    assert topology.size == len(places)
    assert roofline(topology.chip, topology, mesh, {}, 0.0, [each]).interconnect == pytest.approx(0.01)


def test_what_crosses_slices_takes_the_network_where_its_rate_is_published():
    exchange = Collective("slice-exchange", ("data",), (), count=2, bytes=10**6, sent=1e6)
    crossing = bounds("v5e:4x4", collectives=[exchange], slices=2)
    assert crossing.network == pytest.approx(2e6 / 3.125e9)
    assert crossing.bound == "network"
    assert bounds("v4:2x2x1", 1.0, collectives=[exchange], slices=2).network is None
    assert bounds("v4:2x2x1", 1.0, collectives=[exchange], slices=2).bound == "compute"
