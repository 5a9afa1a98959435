"""What a training step costs: compile time, throughput, operations, memory, and what its input can deliver."""

import collections
import contextlib
import itertools
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxgen.chips import chip_of
from jaxgen.training.flops import flops_by_kind
from jaxgen.training.pace import calls_of_a_period, due_in_call
from jaxgen.training.trainer import Trainer

_ROUNDS = 5  # the spread is over these
_WARM_UP = 2  # calls not counted


def measure(trainer: Trainer, steps: int, profile: Path | None = None) -> dict[str, Any]:
    """Measures the step as `jaxgen train` runs it, fed by its own pipeline, and the pipeline alone.

    Args:
      trainer: the experiment.
      steps: how many to time, in five rounds.
      profile: where to write a trace of one more round, as TensorBoard and Perfetto open it; None writes none.

    Returns:
      Seconds, of compilation without and with a cache that holds the program; rates, all five and their median, minimum
      and maximum; bytes; and operations in matrix products and convolutions with loops counted in full, whose share of
      the chips' published peaks for their types is `mfu`. What the backend does not tell, or nobody published, is None.
    """
    with _fresh_compilation_cache():
        cold, compiled, flops = _compile(trainer)
        warm, compiled, flops = _compile(trainer)
    method, per_call = trainer.method, trainer.schedule.steps_per_call
    calls_of = [compiled[due_in_call(method, step, per_call)] for step in calls_of_a_period(method, per_call)]
    programs = itertools.cycle(calls_of)
    calls = max(1, steps // (_ROUNDS * per_call))

    state = trainer.init(starts=False)
    rates = []
    with contextlib.closing(trainer.batches(0)) as data:

        def run(state: Any, count: int) -> Any:
            for _ in range(count):
                state, _ = next(programs)(state, next(data), trainer.run_key)
            return jax.block_until_ready(state)

        state = run(state, _WARM_UP)
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            state = run(state, calls)
            rates.append(calls * per_call / (time.perf_counter() - start))
        if profile is not None:
            with jax.profiler.trace(str(profile), create_perfetto_trace=True):
                run(state, calls)

    with contextlib.closing(trainer.batches(0)) as data:
        jax.block_until_ready(next(data))
        start = time.perf_counter()
        for _ in range(_ROUNDS * calls):
            jax.block_until_ready(next(data))
        input_rate = _ROUNDS * calls * per_call / (time.perf_counter() - start)

    rate = statistics.median(rates)
    device = trainer.mesh.devices.flat[0]
    chip = chip_of(device.device_kind)
    busy = chip and chip.seconds(flops)
    memory = device.memory_stats() or {}
    return {
        "device": f"{device.device_kind} x{trainer.mesh.size}",
        "devices": trainer.mesh.size,
        "steps_timed": _ROUNDS * calls * per_call,
        "compile_cold_seconds": cold,
        "compile_warm_seconds": warm,
        "steps_per_second": rate,
        "steps_per_second_min": min(rates),
        "steps_per_second_max": max(rates),
        "steps_per_second_rounds": rates,
        "images_per_second": rate * trainer.images_per_step,
        "input_images_per_second": input_rate * trainer.images_per_step,
        "flops_per_step": flops.total(),
        "flops_per_second": flops.total() * rate,
        "mfu": None if busy is None else busy * rate / trainer.mesh.size,
        "step_memory_bytes": max((_peak(program) for program in calls_of), key=lambda peak: peak or 0),
        "device_peak_bytes": memory.get("peak_bytes_in_use"),
        "host_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def compare(figures: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """How many times as fast one measurement's steps are as another's.

    Returns:
      `ratio` of their medians, and `outside_spread`: whether all rounds of one were faster than all of the other.
    """
    ours, theirs = figures["steps_per_second_rounds"], other["steps_per_second_rounds"]
    return {
        "ratio": statistics.median(ours) / statistics.median(theirs),
        "outside_spread": min(ours) > max(theirs) or max(ours) < min(theirs),
    }


def _compile(trainer: Trainer) -> tuple[float, dict[Any, jax.stages.Compiled], collections.Counter[str]]:
    """Seconds, the programs by what is due in them, and the mean operations of a step, by kind."""
    method, per_call = trainer.method, trainer.schedule.steps_per_call
    start, programs, flops = time.perf_counter(), {}, {}
    calls = calls_of_a_period(method, per_call)
    for step in calls:
        due = due_in_call(method, step, per_call)
        if due not in programs:
            traced = trainer.trace(step)
            programs[due], flops[due] = traced.lower().compile(), flops_by_kind(traced.jaxpr)
    seconds = time.perf_counter() - start
    total = sum((flops[due_in_call(method, step, per_call)] for step in calls), collections.Counter())
    steps = len(calls) * per_call
    return seconds, programs, collections.Counter({kind: count // steps for kind, count in total.items()})


def _peak(program: jax.stages.Compiled) -> int | None:
    return getattr(program.memory_analysis(), "peak_memory_in_bytes", None)


@contextlib.contextmanager
def _fresh_compilation_cache() -> Iterator[None]:
    """An empty persistent cache in the place of the user's."""
    before: Any = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]

    def use(folder: str | None) -> None:
        jax.config.update("jax_compilation_cache_dir", folder)
        compilation_cache.reset_cache()  # it has opened the other

    with tempfile.TemporaryDirectory() as folder:
        use(folder)
        try:
            yield
        finally:
            use(before)
