"""`jaxgen compile FILE --topology v5e:16x16`: what a training step will need and take on chips that are not at hand."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence

import jax
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from jaxgen.aot.predict import Prediction, predict
from jaxgen.aot.topology import Topology
from jaxgen.commands.arguments import numbers, parse_experiment
from jaxgen.commands.runs import MeshOptions
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The chips, and how they are arranged."""

    topology: str = ""
    """A slice such as v5e:16x16 or v6e:8x8 (two dimensions), v4:4x4x4 or v5p:8x8x4 (three), or cpu:8."""
    num_slices: int = 1
    """How many such slices, connected by the data-center network."""
    sweep: str = ""
    """Numbers of chips, as in 16,64,256: how the step scales with the batch per chip of --topology."""
    json: bool = False
    """Print one JSON object, or of a sweep one a line, instead of tables."""
    stage: str = ""
    """Which stage of an experiment that has several (default: the last)."""
    mesh: MeshOptions = dataclasses.field(default_factory=MeshOptions)


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    file, config, options = parse_experiment(Options, args, "jaxgen compile")
    if not options.topology:
        raise UserError("topology is missing; name the chips, as in `--topology v5e:4x4`.")
    topology = Topology.parse(options.topology, options.num_slices)
    topologies = [topology.resized(chips) for chips in numbers("sweep", options.sweep)] or [topology]
    jax.config.update("jax_platforms", "cpu")  # whatever this machine has: nothing runs on it
    experiment, predictions = file.build(config), []
    if options.sweep and experiment.batch_size % topology.size:
        raise UserError(
            f"batch_size {experiment.batch_size} gives the {topology.size} devices of {topology} no whole number each; "
            f"use a multiple of {topology.size}."
        )
    for each in sorted(topologies, key=lambda each: -each.size):  # the number of CPU devices cannot grow later
        batch_size = experiment.batch_size * each.size // topology.size
        predictions.append(_predict(dataclasses.replace(experiment, batch_size=batch_size), each, options))
    predictions.reverse()
    console = Console()
    if options.json:
        for prediction in predictions:
            print(json.dumps({"experiment": file.name, "prediction": True, **prediction.to_json()}))
    elif options.sweep:
        console.print(_scaling(file.name, predictions))
    else:
        console.print(*_tables(file.name, predictions[0]))
        console.print(_verdict(predictions[0]))


def _predict(experiment: Experiment, topology: Topology, options: Options) -> Prediction:
    return predict(experiment.trainer(options.mesh.make(topology.devices()), options.stage), topology)


def _tables(name: str, prediction: Prediction) -> list[Table]:
    memory, chip = prediction.memory, prediction.topology.chip
    mesh = ", ".join(f"{axis} {size}" for axis, size in prediction.mesh.items() if size > 1) or "one device"
    need = Table(title=f"{name} on {prediction.topology} ({mesh}), {prediction.images} images a step: predictions")
    need.add_column("memory of a chip")
    need.add_column("", justify="right")
    need.add_row("state and batch", decimal(memory.arguments))
    need.add_row("temporaries", decimal(memory.temporaries))
    need.add_row("outputs, less what replaces the state", decimal(memory.outputs - memory.donated))
    need.add_row("program", decimal(memory.code))
    need.add_row("total", decimal(memory.total))
    if chip:
        need.add_row("capacity", f"{decimal(chip.memory_bytes)}: {memory.total / chip.memory_bytes:.1%} used")

    talk = Table(title="collectives of a step")
    for header in ("kind", "over", "count", "bytes a chip"):
        talk.add_column(header, justify="left" if header in ("kind", "over") else "right")
    rows: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0])
    for each in prediction.communication:
        row = rows[each.kind, " and ".join(each.axes)]
        row[0] += each.count
        row[1] += each.count * each.bytes
    for (kind, axes), (count, size) in sorted(rows.items()):
        talk.add_row(kind, axes, f"{count:,.4g}", decimal(int(size)))

    time = Table(title="a step of one chip" + (", at the published peaks" if chip else ""))
    for header in ("", "amount", "peak", "milliseconds"):
        time.add_column(header, justify="right" if header else "left")
    roofline = prediction.roofline
    sent = {True: 0.0, False: 0.0}
    for each in prediction.communication:
        sent[bool(each.group)] += each.count * each.sent
    amounts = {
        "compute": (f"{prediction.flops:.3g} FLOPs", chip and f"{chip.flops / 1e12:.0f} TFLOP/s bfloat16"),
        "memory": (decimal(int(prediction.traffic)), chip and f"{decimal(int(chip.memory_rate))}/s"),
        "interconnect": (
            decimal(int(sent[True])),
            chip and chip.torus and f"{decimal(int(chip.torus.port_rate))}/s a port",
        ),
    }
    if sent[False]:
        rate = chip and chip.torus and chip.torus.network_rate
        amounts["network"] = (decimal(int(sent[False])), f"{decimal(int(rate))}/s" if rate else "not published")
    for part, (amount, peak) in amounts.items():
        seconds = getattr(roofline, part) if roofline else None
        time.add_row(part, amount, peak or "", "" if seconds is None else f"{1e3 * seconds:.4g}")
    return [need, talk, time]


def _verdict(prediction: Prediction) -> str:
    roofline = prediction.roofline
    compiled = f"Compiled in {prediction.compile_seconds:.0f} s."
    if roofline is None:
        return f"{compiled} No peaks are published for these devices, so no time is predicted."
    return (
        f"{compiled} Predicted, not measured, with all parts at their peaks and perfectly overlapped: bound by "
        f"{roofline.bound}, at least {1e3 * roofline.step:.4g} ms a step, at most {prediction.images_per_second:,.0f} "
        f"images/s and {roofline.mfu_ceiling:.1%} MFU. Float32 products count as one bfloat16 pass."
    )


def _scaling(name: str, predictions: Sequence[Prediction]) -> Table:
    """Weak scaling: images/s of a chip against those of the smallest number of chips."""
    table = Table(title=f"{name}: predicted weak scaling")
    for header in ("chips", "topology", "images a step", "memory a chip", "ms a step", "bound by", "MFU", "efficiency"):
        table.add_column(header, justify="left" if header in ("topology", "bound by") else "right")
    first = predictions[0].roofline
    for each in predictions:
        roofline = each.roofline
        times = ("", "", "", "")
        if roofline and first:
            times = (
                f"{1e3 * roofline.step:.4g}",
                roofline.bound,
                f"{roofline.mfu_ceiling:.1%}",
                f"{first.step / roofline.step:.1%}",
            )
        table.add_row(str(each.topology.size), str(each.topology), str(each.images), decimal(each.memory.total), *times)
    return table
