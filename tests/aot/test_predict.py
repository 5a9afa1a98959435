"""Predictions for CPU devices against arithmetic, and, where the TPU compiler is installed, for chips."""

import importlib.metadata
import importlib.util
import io
import json
import math
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from rich.console import Console

from jaxgen import cli
from jaxgen.aot.predict import predict
from jaxgen.aot.topology import Topology
from jaxgen.commands import compile
from jaxgen.core import Aux, Method, Net, Phase
from jaxgen.errors import UserError
from jaxgen.experiment import ExperimentFile
from jaxgen.shipped import find
from jaxgen.training.schedule import Schedule
from jaxgen.training.sharding import make_mesh
from jaxgen.training.trainer import Trainer

UNITS, BATCH = 256, 32
ERROR = "cannot read the compiler's replica_groups=@{0,1}"
DIGITS = find("dcgan")
needs_libtpu = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="the TPU compiler (libtpu) is not installed"
)


def trainer(topology, *, fsdp=1, zero1=1, batch=BATCH, steps_per_call=1):
    """A linear layer of UNITS x UNITS weights, without bias, fitted to its input by gradient descent with momentum."""

    def loss(view, batch, key):
        return jnp.mean((view("line", batch["x"]) - batch["x"]) ** 2), Aux()

    method = Method(
        "regression",
        {"line": Net(nn.Dense(UNITS, use_bias=False), optax.sgd(0.1, momentum=0.9))},
        (Phase("line", ("line",), loss),),
        lambda modules, key, batch: {"line": modules["line"].init(key, batch["x"])},
        None,
        lambda view, batch, key: {},
    )
    example = {"x": jax.ShapeDtypeStruct((batch, UNITS), jnp.float32)}
    schedule = Schedule(steps_per_call, *[steps_per_call] * 4)
    mesh = make_mesh(fsdp=fsdp, zero1=zero1, devices=topology.devices())
    return Trainer(method, schedule, lambda step: iter(()), example, seed=0, mesh=mesh)


def totals(prediction):
    """(kind, axes) -> times and bytes a step."""
    found = {}
    for each in prediction.communication:
        times, size = found.get((each.kind, each.axes), (0, 0))
        found[each.kind, each.axes] = times + each.count, size + each.count * each.bytes
    return found


@pytest.mark.parametrize("steps_per_call", [1, 3])
def test_data_parallelism_holds_the_state_and_sums_the_gradient(steps_per_call):
    topology = Topology.parse("cpu:4")
    prediction = predict(trainer(topology, steps_per_call=steps_per_call), topology)
    weights = UNITS * UNITS * 4
    state = (
        2 * weights + 8
    )  # parameters, momentum, the step and when its stage began; the key, which the loss does not use, is left out
    assert prediction.memory.arguments == state + steps_per_call * BATCH // 4 * UNITS * 4
    assert prediction.memory.donated == state
    assert prediction.images == BATCH
    assert prediction.flops == {"float32": 2 * (2 * BATCH * UNITS * UNITS) / 4}  # the product and the weights' gradient
    (times, size), *others = totals(prediction).values()
    assert totals(prediction).keys() == {("all-reduce", ("data",))}
    assert not others
    assert times <= 2
    assert size == weights + 4  # and the loss
    assert prediction.roofline is None


def test_fsdp_holds_a_part_of_the_state():
    topology = Topology.parse("cpu:4")
    whole, parts = (predict(trainer(topology, fsdp=fsdp), topology) for fsdp in (1, 4))
    assert whole.memory.arguments - parts.memory.arguments == 2 * UNITS * UNITS * 4 * 3 // 4
    assert any(kind == "all-gather" and axes == ("fsdp",) for kind, axes in totals(parts))


@needs_libtpu
def test_a_chip_s_step_is_bound_by_the_peaks_and_what_it_lacks_is_said():
    topology = Topology.parse("v5e:2x2")
    prediction = predict(trainer(topology), topology)
    gradient = UNITS * UNITS * 4
    assert sum(size for _, size in totals(prediction).values()) == gradient + 4
    bound = prediction.roofline
    assert bound.compute == pytest.approx(2 * (2 * BATCH * UNITS * UNITS) / 4 / 197e12)
    assert bound.interconnect == pytest.approx(2 * 3 / 4 * (gradient + 4) / (2 * 50e9))  # all-reduce over two lines
    assert bound.memory >= 4 * UNITS * UNITS * 4 / 819e9  # parameters and momentum, read and written
    assert bound.least == max(bound.compute, bound.memory, bound.interconnect)
    assert bound.most > bound.compute + bound.memory + bound.interconnect + 8e-6  # an all-reduce's four hops, twice
    assert prediction.images_per_second == (BATCH / bound.most, BATCH / bound.least)
    for batch in (2**27, 2**33):  # gigabytes and terabytes
        with pytest.raises(
            UserError, match=rf"does not fit into the memory of v5e:2x2: it needs {batch // 2**21}\.\d+ GiB a chip"
        ) as said:
            predict(trainer(topology, batch=batch), topology)
        for remedy in ("too much", "mesh.fsdp (now 1)", f"lower batch_size from {batch} to about", "--memory"):
            assert remedy in str(said.value)


@needs_libtpu
def test_fsdp_gathers_the_parameters_and_scatters_their_gradient():
    """On a TPU; XLA:CPU sums the whole gradient everywhere and then slices it."""
    topology = Topology.parse("v5e:2x2")
    found = totals(predict(trainer(topology, fsdp=4), topology))
    weights = UNITS * UNITS * 4
    assert found["all-gather", ("fsdp",)] == (1, weights // 2)  # rounded to bfloat16 first, as the product takes them
    assert found["reduce-scatter", ("fsdp",)] == (1, weights)


@needs_libtpu
def test_an_experiment_s_step_compiles_for_slices_without_its_data(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))  # where there is no data
    cli.run(["compile", str(DIGITS), "--topology", "v5e:2x2", "--num-slices", "2", "--width", "8", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["devices"] == 8
    assert figures["prediction"] is True
    assert 0 < figures["memory"]["total"] < figures["capacity"]
    assert 0 < figures["roofline"]["mfu"][0] < figures["roofline"]["mfu"][1] < 1
    assert figures["compiler"] == f"libtpu {importlib.metadata.version('libtpu')}"
    assert figures["roofline"]["network"] > 0
    assert {"all-reduce", "slice-exchange"} <= {each["kind"] for each in figures["communication"]}


@needs_libtpu
def test_convolutions_for_a_chip_are_not_made_of_matrix_products_as_on_cpu():
    file, convolutions = ExperimentFile.load(DIGITS), []
    for name in ("cpu:4", "v5e:2x2"):
        mesh = make_mesh(devices=Topology.parse(name).devices())
        traced = file.build(file.config(width=8)).trainer(mesh).trace()
        convolutions.append(str(traced.jaxpr).count("conv_general_dilated["))
    assert convolutions[0] < convolutions[1]


MESHES = [
    (name, slices, fsdp)
    for name, slices in [
        ("v5e:4x4", 1),
        ("v5e:16x16", 1),
        ("v5p:4x4x4", 1),
        ("v6e:4x4", 1),
        ("v5e:4x4", 2),
        ("v4:2x2x4", 2),
    ]
    for size in [math.prod(map(int, name.split(":")[1].split("x")))]
    for fsdp in range(1, size + 1)
    if size % fsdp == 0
]


@needs_libtpu
@pytest.mark.slow
@pytest.mark.parametrize(("name", "slices", "fsdp"), MESHES)
def test_the_step_of_every_mesh_is_read(name, slices, fsdp):
    """The gradient goes once over the axes, in whatever way and spelling the compiler chooses."""
    topology = Topology.parse(name, slices)
    found = predict(trainer(topology, fsdp=fsdp, batch=topology.size), topology)
    assert found.unread == ()
    assert found.memory.total > 0
    assert found.moved > 0
    gradient = UNITS * UNITS * 4
    reduced = [each for each in found.communication if each.kind in ("all-reduce", "reduce-scatter")]
    assert max(each.bytes for each in reduced) >= gradient
    assert {axis for each in found.communication for axis in each.axes} == (
        {axis for axis, size in found.mesh.items() if size > 1}
    )


@needs_libtpu
@pytest.mark.slow
@pytest.mark.parametrize(("name", "slices"), [("v5e:4x4", 1), ("v5p:4x4x4", 1), ("v6e:4x4", 1), ("v5e:4x4", 2)])
def test_an_update_shared_by_half_of_a_slice_sends_no_more_and_by_all_of_it_more(name, slices):
    """What makes `make_mesh` pick half; another compiler may differ."""
    topology = Topology.parse(name, slices)
    whole, picked, all_of_it = (
        predict(trainer(topology, zero1=zero1, batch=topology.size), topology)
        for zero1 in (1, None, topology.size // slices)
    )

    def sent(prediction):
        return sum(each.count * each.sent for each in prediction.communication)

    weights = UNITS * UNITS * 4
    assert ("reduce-scatter", ("zero1",)) in totals(picked)
    assert sent(picked) <= 1.05 * sent(whole) < 1.2 * sent(whole) < sent(all_of_it)
    saved = weights * (1 - 1 / picked.mesh["zero1"])  # the momentum
    assert whole.memory.arguments - picked.memory.arguments == pytest.approx(saved, rel=0.01)


@needs_libtpu
@pytest.mark.slow
def test_fsdp_over_a_whole_slice_is_said_to_send_more():
    topology = Topology.parse("v5e:4x4")
    whole, half = (predict(trainer(topology, fsdp=fsdp), topology) for fsdp in (16, 8))
    assert "over half of it, mesh.fsdp 8, it scatters the sums" in compile._verdict(whole)
    assert "scatters" not in compile._verdict(half)


@pytest.mark.parametrize(
    ("broken", "unread", "known"),
    [
        ("collectives", "Collectives", {"memory", "flops", "traffic"}),
        ("explain", "Memory traffic", {"memory", "flops", "communication"}),
        ("Program", "Instructions", {"memory", "flops"}),
    ],
)
def test_what_cannot_be_read_is_said_and_costs_nothing_else(monkeypatch, broken, unread, known):
    def refuse(*args):
        raise ValueError(ERROR)

    refuse.parse = refuse
    monkeypatch.setattr("jaxgen.aot.predict." + broken, refuse)
    topology = Topology.parse("cpu:4")
    found = predict(trainer(topology), topology)
    (sentence,) = found.unread
    assert sentence == f"{unread} could not be read from this compiler's program: {ERROR}."
    given = {field for field in ("memory", "flops", "traffic", "communication") if getattr(found, field) is not None}
    assert given == known
    json.dumps(found.to_json())
    printed = shown(*compile._tables("small", found), *compile._explained(found), compile._verdict(found))
    assert sentence in printed
    assert "temporaries" in printed
    assert "FLOPs" in printed


def test_a_compiler_older_than_the_program_is_said_in_a_sentence(monkeypatch):
    """As libtpu 0.0.48.1 answers jaxlib 0.12, which writes more of a kernel than that one knows."""

    def refuse(*args):
        raise jax.errors.JaxRuntimeError(
            "INTERNAL: Could not convert JSON string to proto: invalid JSON in xla.jellyfish.BackendConfig, near 6:78 "
            "(offset 4233): no such field: 'debug_locations'"
        )

    monkeypatch.setattr("jaxgen.aot.predict.Compiled.of", refuse)
    topology, version = Topology.parse("cpu:4"), importlib.metadata.version("jaxlib")
    says = f'{topology.compiler} is too old for the programs that jaxlib {version} writes; `pip install -e ".[tpu]"`'
    with pytest.raises(UserError, match=re.escape(says)):
        predict(trainer(topology), topology)


def shown(*parts):
    with io.StringIO() as out:
        Console(file=out, width=200).print(*parts, sep="\n", soft_wrap=True)
        return out.getvalue()


def test_explain_names_the_five_that_move_most_and_a_remedy_for_each():
    topology = Topology.parse("cpu:4")
    found = predict(trainer(topology), topology)
    printed = shown(*compile._explained(found))
    for each in found.traffic[:5]:
        assert each.remedy in printed
    for word in ("what moves the most memory", "forward", "backward", "all others", "1: ", "5: "):
        assert word in printed
    largest = [each["bytes"] for each in found.to_json()["largest_traffic"]]
    assert largest == sorted(largest, reverse=True)
    assert len(largest) == 5
    assert sum(largest) < found.moved


def test_a_sweep_keeps_the_batch_of_a_device(capsys):
    vae = ["compile", str(find("vae")), "--topology", "cpu:2", "--hidden", "8", "--batch-size", "8"]
    cli.run([*vae, "--sweep", "1,4", "--json"])
    figures = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["devices"] for each in figures] == [1, 4]
    assert [each["images"] for each in figures] == [4, 16]
    assert len({each["memory"]["arguments"] for each in figures}) == 1
    assert np.ptp([each["flops"] for each in figures]) < 0.01 * figures[0]["flops"]
    assert [bool(each["communication"]) for each in figures] == [False, True]


def test_tables_say_that_they_predict(capsys):
    cli.run(["compile", str(find("vae")), "--topology", "cpu:2", "--hidden", "8", "--explain"])
    printed = capsys.readouterr().out
    compiler = f"jaxlib {importlib.metadata.version('jaxlib')}"  # predictions move with it
    for word in ("predictions", "temporaries", "all-reduce", "what moves", compiler, "No peaks are published"):
        assert word in printed
