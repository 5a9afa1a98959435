"""Seconds at the published peaks, against arithmetic by hand; devices are given by their places alone."""

import types

import numpy as np
import pytest

from jaxgen.aot.collectives import Collective
from jaxgen.aot.roofline import roofline
from jaxgen.aot.topology import Topology


def bounds(name, flops=0.0, traffic=0.0, collectives=(), slices=1):
    topology = Topology.parse(name, slices)
    places = [types.SimpleNamespace(coords=place) for place in np.ndindex(*topology.shape)]
    mesh = types.SimpleNamespace(devices=np.array(places, object))
    return roofline(topology.chip, topology, mesh, flops, traffic, collectives)


def test_a_matrix_product_is_bound_by_what_it_lacks():
    """On v5e 197e12 FLOP/s and 819e9 bytes/s meet at 240.5 FLOPs a byte."""

    def product(n):
        return bounds("v5e:1x1", flops=2 * n**3, traffic=3 * n**2 * 2)

    assert product(8192).compute == pytest.approx(2 * 8192**3 / 197e12)
    assert product(8192).bound == "compute"
    assert product(8192).mfu_ceiling == 1
    small = product(512)  # 2·512/6 = 171 FLOPs a byte
    assert small.bound == "memory"
    assert small.step == pytest.approx(3 * 512**2 * 2 / 819e9)
    assert small.mfu_ceiling == pytest.approx(512 / 3 / (197e12 / 819e9))


@pytest.mark.parametrize(
    ("name", "group", "ports"),
    [
        ("v5e:4x4", range(16), 2),  # lines: a port in each of two dimensions
        ("v5e:4x4", range(4), 1),
        ("v5e:16x16", range(256), 4),  # rings: both ports of each
        ("v5e:16x16", range(16), 2),
        ("v5e:8x16", range(128), 3),
        ("v5p:2x2x1", range(4), 2),
        ("v5p:4x4x4", range(64), 6),
        ("v5p:4x4x4", range(0, 64, 16), 2),
    ],
)
def test_a_group_sends_through_the_ports_of_the_dimensions_it_spans(name, group, ports):
    each = Collective("all-reduce", ("data",), tuple(group), count=3, bytes=10**9, sent=2e9)
    rate = {"v5e": 50e9, "v5p": 100e9}[name[:3]]
    assert bounds(name, collectives=[each]).interconnect == pytest.approx(3 * 2e9 / (ports * rate))


def test_what_crosses_slices_takes_the_network_where_its_rate_is_published():
    exchange = Collective("slice-exchange", ("data",), (), count=2, bytes=10**6, sent=1e6)
    crossing = bounds("v5e:4x4", collectives=[exchange], slices=2)
    assert crossing.network == pytest.approx(2e6 / 3.1e9)
    assert crossing.bound == "network"
    assert bounds("v4:2x2x1", 1.0, collectives=[exchange], slices=2).network is None
    assert bounds("v4:2x2x1", 1.0, collectives=[exchange], slices=2).bound == "compute"
