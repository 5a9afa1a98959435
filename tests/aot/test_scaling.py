"""The table of a sweep: efficiency is against the quickest slice, so none is above 1."""

import io
import re

from rich.console import Console

from jaxgen.aot.predict import Memory, Prediction
from jaxgen.aot.roofline import Roofline
from jaxgen.aot.topology import Topology
from jaxgen.commands.compile import _scaling


def test_a_slice_that_is_slow_for_its_size_makes_no_other_more_than_efficient():
    predictions = []
    for chips, seconds in ((4, 0.010), (8, 0.008), (16, 0.016)):
        topology = Topology.parse(f"cpu:{chips}")
        roofline = Roofline(compute=0.004, memory=seconds, interconnect=0.0, network=0.0, latency=0.0)
        memory = Memory(1, 1, 1, 0, 1)
        predictions.append(Prediction(topology, {"data": chips}, 64, 1.0, memory, {}, None, None, roofline))
    said = io.StringIO()
    Console(file=said, width=200).print(_scaling("vae", predictions))
    efficiency = [row.split("│")[-2].strip() for row in said.getvalue().splitlines() if row.startswith("│")]
    slow = [0.004 / 0.8 + seconds for seconds in (0.010, 0.008, 0.016)]  # one part after the other
    most = [f"{min(slow) / each:.1%}" for each in slow]
    for found, quick, other in zip(efficiency, ("80.0%", "100.0%", "50.0%"), most, strict=True):
        assert sorted(re.findall(r"[\d.]+%", found)) == sorted({quick, other} if quick != other else [quick, quick])
