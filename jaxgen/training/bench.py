"""What a training step costs: compile time, throughput, operations, memory, and what its input can deliver."""

import contextlib
import resource
import statistics
import time
from typing import Any

import jax

from jaxgen.training.flops import count_flops
from jaxgen.training.loop import Trainer

_ROUNDS = 5  # the spread is over these
_WARM_UP = 2  # calls not counted


def measure(trainer: Trainer, steps: int) -> dict[str, Any]:
    """Measures the step as `jaxgen train` runs it, fed by its own pipeline, and the pipeline alone.

    Args:
      trainer: the experiment.
      steps: how many to time, in five rounds.

    Returns:
      Seconds, rates (median, minimum and maximum over the rounds), bytes, and operations in matrix products and
      convolutions with loops counted in full; bytes are None where the backend does not tell.
    """
    with _no_compilation_cache():
        start = time.perf_counter()
        traced = trainer.trace()
        compiled = traced.lower().compile()
        compile_seconds = time.perf_counter() - start
    per_call = trainer.schedule.steps_per_call
    flops = count_flops(traced.jaxpr) // per_call
    calls = max(1, steps // (_ROUNDS * per_call))

    state = trainer.init()
    rates = []
    with contextlib.closing(trainer.batches(0)) as data:
        for _ in range(_WARM_UP):
            state, _ = compiled(state, next(data), trainer.run_key)
        for _ in range(_ROUNDS):
            jax.block_until_ready(state)
            start = time.perf_counter()
            for _ in range(calls):
                state, _ = compiled(state, next(data), trainer.run_key)
            jax.block_until_ready(state)
            rates.append(calls * per_call / (time.perf_counter() - start))

    with contextlib.closing(trainer.batches(0)) as data:
        jax.block_until_ready(next(data))
        start = time.perf_counter()
        for _ in range(_ROUNDS * calls):
            jax.block_until_ready(next(data))
        input_rate = _ROUNDS * calls * per_call / (time.perf_counter() - start)

    rate = statistics.median(rates)
    device = trainer.mesh.devices.flat[0]
    memory = device.memory_stats() or {}
    analysis = compiled.memory_analysis()
    return {
        "device": f"{device.device_kind} x{trainer.mesh.size}",
        "steps_timed": _ROUNDS * calls * per_call,
        "compile_seconds": compile_seconds,
        "steps_per_second": rate,
        "steps_per_second_min": min(rates),
        "steps_per_second_max": max(rates),
        "images_per_second": rate * trainer.images_per_step,
        "input_images_per_second": input_rate * trainer.images_per_step,
        "flops_per_step": flops,
        "flops_per_second": flops * rate,
        "step_memory_bytes": getattr(analysis, "peak_memory_in_bytes", None),
        "device_peak_bytes": memory.get("peak_bytes_in_use"),
        "host_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


@contextlib.contextmanager
def _no_compilation_cache() -> Any:
    before = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
