"""What the measurement of a step holds, apart from the times themselves."""

import gzip
import itertools
import json
import types

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from jaxgen.chips import Chip
from jaxgen.training import bench
from jaxgen.training.schedule import Schedule


@pytest.fixture
def hits(tmp_path):
    """Counts the programs that come out of the persistent compilation cache, which holds none of other tests'."""
    found, shared = [], jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "cache"))
    compilation_cache.reset_cache()

    def listen(event: str, **_):
        if event == "/jax/compilation_cache/cache_hits":
            found.append(event)

    jax.monitoring.register_event_listener(listen)
    shortest = jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # as the commands have it
    yield found
    jax.config.update("jax_persistent_cache_min_compile_time_secs", shortest)
    jax.config.update("jax_compilation_cache_dir", shared)
    compilation_cache.reset_cache()
    jax.monitoring.unregister_event_listener(listen)


def test_a_measurement_compiles_cold_and_warm_and_leaves_a_trace_and_the_user_s_cache(
    regression, hits, monkeypatch, tmp_path
):
    peak = 1e6
    monkeypatch.setattr(bench, "chip_of", lambda kind: Chip("made up", (kind,), {"float32": peak}, 0, 0.0))
    users = jax.config.jax_compilation_cache_dir
    monkeypatch.setattr(bench, "time", types.SimpleNamespace(perf_counter=itertools.count().__next__))  # a second each
    trainer, _ = regression(Schedule(10, *[10] * 4))
    figures = bench.measure(trainer, 100, tmp_path / "profile")
    assert len(hits) == 1  # the step, compiled again
    assert jax.config.jax_compilation_cache_dir == users
    assert figures["steps_timed"] == 100
    assert figures["steps_per_second_rounds"] == [20] * 5  # two calls of ten steps in a second
    assert figures["steps_per_second"] == figures["steps_per_second_min"] == figures["steps_per_second_max"] == 20
    assert figures["images_per_second"] == 20 * trainer.images_per_step
    assert figures["input_images_per_second"] == 100 * trainer.images_per_step  # the five rounds' batches in a second
    assert figures["flops_per_second"] == 20 * figures["flops_per_step"]
    assert figures["compile_cold_seconds"] == figures["compile_warm_seconds"] == 1
    assert figures["flops_per_step"] == 2 * 2 * 8  # y = w·x of 8 examples, and the gradient of w
    assert figures["mfu"] == pytest.approx(figures["flops_per_second"] / (peak * trainer.mesh.size))
    (traced,) = tmp_path.rglob("perfetto_trace.json.gz")
    events = json.loads(gzip.decompress(traced.read_bytes()))["traceEvents"]
    assert any("call" in str(event.get("name")) for event in events)
    assert list(tmp_path.rglob("*.xplane.pb"))


def test_a_difference_counts_where_no_round_of_one_is_in_the_other_s_spread():
    def compared(ours, theirs):
        given = ({"steps_per_second_rounds": rounds} for rounds in (ours, theirs))
        return tuple(bench.compare(*given).values())

    assert compared([3.0, 4.0, 5.0], [1.0, 2.0, 2.5]) == (2.0, True)
    assert compared([1.0, 2.0, 2.5], [3.0, 4.0, 5.0]) == (0.5, True)
    assert compared([3.0, 4.0, 5.0], [1.0, 2.0, 3.5]) == (2.0, False)
