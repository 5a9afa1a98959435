"""`jaxgen compile NAME --topology v5e:16x16`: what a training step will need and take on chips that are not at hand."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Sequence

import jax
from rich.filesize import decimal
from rich.table import Table

from jaxgen.aot.predict import LARGEST, Prediction, predict
from jaxgen.aot.topology import Topology
from jaxgen.commands.arguments import numbers, parse_experiment
from jaxgen.commands.options import Compile
from jaxgen.console import Console
from jaxgen.errors import UserError
from jaxgen.experiment import Experiment
from jaxgen.training.sharding import described


def main(args: Sequence[str]) -> None:
    """Runs the command."""
    file, config, options = parse_experiment(Compile, args, "jaxgen compile")
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
        if options.explain:
            console.print(*_explained(predictions[0]), sep="\n")
        console.print(_verdict(predictions[0]))


def _predict(experiment: Experiment, topology: Topology, options: Compile) -> Prediction:
    return predict(experiment.trainer(options.mesh.make(topology.devices()), options.stage), topology)


def _tables(name: str, prediction: Prediction) -> list[Table]:
    memory, chip = prediction.memory, prediction.topology.chip
    mesh = described(prediction.mesh)
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
    sent = {True: 0.0, False: 0.0}
    for each in prediction.communication or ():
        row = rows[each.kind, " and ".join(each.axes)]
        row[0] += each.count
        row[1] += each.count * each.bytes
        sent[bool(each.group)] += each.count * each.sent
    for (kind, axes), (count, size) in sorted(rows.items()):
        talk.add_row(kind, axes, f"{count:,.4g}", decimal(int(size)))

    time = Table(title="a step of one chip" + (", each part at its published peak" if chip else ""))
    for header in ("", "amount", "peak", "milliseconds"):
        time.add_column(header, justify="right" if header else "left")
    torus = chip and chip.torus
    peaks = (
        [f"{chip.peaks[kind] / 1e12:.0f} TFLOP/s {kind}" for kind in prediction.flops if kind in chip.peaks]
        if chip
        else []
    )
    rate = torus and torus.network_rate
    known = prediction.communication is not None
    parts = {
        "compute": (f"{sum(prediction.flops.values()):.3g} FLOPs", ", ".join(peaks)),
        "memory": (_amount(prediction.moved), chip and f"{decimal(int(chip.memory_rate))}/s"),
        "interconnect": (_amount(sent[True] if known else None), torus and f"{decimal(int(torus.port_rate))}/s a port"),
    }
    if sent[False]:
        parts["network"] = (_amount(sent[False]), f"{decimal(int(rate))}/s" if rate else "not published")
    for part, (amount, peak) in parts.items():
        seconds = getattr(prediction.roofline, part, None)
        time.add_row(part, amount, peak or "", "" if seconds is None else f"{1e3 * seconds:.4g}")
    if prediction.roofline:
        time.add_row("latencies", "", "", f"{1e3 * prediction.roofline.latency:.4g}")
    return [need, talk, time]


def _amount(size: float | None) -> str:
    return "unknown" if size is None else decimal(int(size))


def _explained(prediction: Prediction) -> list[Table | str]:
    """What moves most, phase by phase, and what would lower each."""
    table = Table(title="what moves the most memory")
    for header in ("", "phase", "network", "part", "operation", "bytes a chip", "share"):
        table.add_column(header, justify="right" if header in ("", "bytes a chip", "share") else "left")
    traffic, total = prediction.traffic or [], prediction.moved or 1.0
    remedies: list[str] = []
    for rank, each in enumerate(traffic[:LARGEST], 1):
        names = (str(rank), each.phase, each.network, each.part, each.operation)
        table.add_row(*names, decimal(int(each.bytes)), f"{each.bytes / total:.1%}")
        remedies.append(f"{rank}: {each.remedy}.")
    rest = sum(each.bytes for each in traffic[LARGEST:])
    table.add_row("", "", "", "", "all others", decimal(int(rest)), f"{rest / total:.1%}")
    return [table, *remedies]


def _verdict(prediction: Prediction) -> str:
    roofline = prediction.roofline
    how = "Compiled earlier, and read" if prediction.kept else "Compiled"
    compiled = " ".join(
        [f"{how} in {prediction.compile_seconds:.0f} s by {prediction.topology.compiler}.", *prediction.unread]
    )
    if roofline is None:
        return f"{compiled} No peaks are published for these devices, so no time is predicted."
    rates = prediction.images_per_second
    assert rates is not None
    lowest, highest = roofline.mfu
    whole = _summed_whole(prediction)
    most = roofline.most
    upper = f"at most {1e3 * most:.4g}" if most else "at most unknown, as not every part is known,"
    return (
        f"{compiled} Predicted, not measured: at least {1e3 * roofline.least:.4g} ms a step, all parts at their peaks "
        f"and overlapped, bound by {roofline.bound}; {upper} one after the other at what others have reached, with "
        f"latencies; {rates[0]:,.0f} to {rates[1]:,.0f} images/s, {lowest:.1%} to {highest:.1%} MFU.{whole}"
    )


def _summed_whole(prediction: Prediction) -> str:
    """A sentence where the compiler sums whole gradients over fsdp, of which every chip then keeps a part."""
    sent: dict[str, float] = defaultdict(float)
    for each in prediction.communication or ():
        if each.axes == ("fsdp",):
            sent[each.kind] += each.count * each.sent
    size, fsdp = prediction.topology.size // prediction.topology.slices, prediction.mesh["fsdp"]
    if sent["all-reduce"] <= sent["reduce-scatter"] or fsdp < size:
        return ""
    return (
        f" Over a whole slice, mesh.fsdp {fsdp}, the compiler sums gradients whole and each chip sends "
        f"{decimal(int(sent['all-reduce']))}; over half of it, mesh.fsdp {size // 2}, it scatters the sums, which "
        "sends half."
    )


def _scaling(name: str, predictions: Sequence[Prediction]) -> Table:
    """Weak scaling: steps a second against those of the slice with most, at both ends of the range."""
    compiler = predictions[0].topology.compiler
    table = Table(title=f"{name}: predicted weak scaling, efficiency against the quickest slice ({compiler})")
    for header in ("chips", "topology", "images a step", "memory a chip", "ms a step", "bound by", "MFU", "efficiency"):
        table.add_column(header, justify="left" if header in ("topology", "bound by") else "right")
    rooflines = [each.roofline for each in predictions if each.roofline]
    least = min((roofline.least for roofline in rooflines), default=0.0)
    most = min((roofline.most for roofline in rooflines if roofline.most), default=0.0)
    for each in predictions:
        roofline = each.roofline
        times = ("", "", "", "")
        if roofline:
            times = (
                _range(1e3 * roofline.least, roofline.most and 1e3 * roofline.most, ".4g"),
                roofline.bound,
                _range(*roofline.mfu, ".1%"),
                _range(least / roofline.least, roofline.most and most / roofline.most, ".1%"),
            )
        table.add_row(str(each.topology.size), str(each.topology), str(each.images), decimal(each.memory.total), *times)
    return table


def _range(first: float, last: float | None, form: str) -> str:
    return " to ".join(format(end, form) for end in sorted((first, last or 0.0)) if end)
