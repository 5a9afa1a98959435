"""Batches as a pure function of (seed, step), whatever the grouping, the processes or the devices."""

import contextlib
import itertools
import subprocess
import sys
import threading
import types

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgen.data import pipeline
from jaxgen.data.pipeline import batches, evaluation_batches
from jaxgen.data.source import Dataset, Memory, Source
from jaxgen.errors import UserError

COUNT = 50


def numbered(count=COUNT):
    """A source whose example i is the number i, and the pair (i, -i)."""
    table = Memory({"id": np.arange(count), "pair": np.stack([np.arange(count), -np.arange(count)], 1)})
    return Source("numbers", "train", lambda: table[np.zeros(1, int)], lambda: table)


def take(count, **arguments):
    """The first elements' ids, `[count, steps_per_call, batches_per_step, batch]`."""
    with contextlib.closing(batches(numbered(), **{"batch_size": 8, "seed": 3, **arguments})) as stream:
        return np.stack([np.asarray(element["id"]) for element in itertools.islice(stream, count)])


def data_sharding(devices=4):
    mesh = jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])
    return NamedSharding(mesh, PartitionSpec("data"))


def test_an_epoch_is_a_permutation_and_epochs_differ():
    epochs = take(25).reshape(4, COUNT)  # 25 batches of 8; an epoch is 6 and a quarter
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(COUNT), (4, 1)))
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert not np.array_equal(epochs[0], take(25, seed=4).ravel()[:COUNT])
    np.testing.assert_array_equal(epochs.ravel(), take(25).ravel())


def streams(long=1000, short=100):
    """Two data sets of unequal lengths, whose batches hold 20 and 10, and a source with nothing held out."""
    sets = {name: numbered(count) for name, count in (("long", long), ("short", short))}
    data = {name: Dataset(source, source) for name, source in sets.items()}
    return Dataset.streams({"short": 10}, **data, seen=numbered(30))


def read(data, count, batch_size=20, **arguments):
    """Elements of the training streams, in NumPy."""
    with contextlib.closing(batches(data.train, batch_size=batch_size, seed=3, **arguments)) as stream:
        return [jax.tree.map(np.asarray, element) for element in itertools.islice(stream, count)]


def test_streams_have_orders_epochs_and_sizes_of_their_own():
    elements = read(streams(), 100)
    ids = {name: np.stack([element[name]["id"][0, 0] for element in elements]) for name in ("long", "short", "seen")}
    assert {name: x.shape for name, x in ids.items()} == {"long": (100, 20), "short": (100, 10), "seen": (100, 20)}
    for name, count in (("long", 1000), ("short", 100), ("seen", 30)):
        epochs = ids[name].ravel()[: ids[name].size // count * count].reshape(-1, count)
        assert len(epochs) > 1
        np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(count), (len(epochs), 1)))
    np.testing.assert_array_equal(elements[0]["long"]["pair"][..., 1], -elements[0]["long"]["id"])


def test_examples_of_streams_meet_by_chance():
    """Of two streams of one data set: an example meets itself once in 400 pairs, and no other one more often."""
    elements = read(streams(400, 400), 120, batch_size=10)
    long, short = (np.concatenate([e[name]["id"][0, 0] for e in elements]) for name in ("long", "short"))
    assert (long == short).sum() < 15  # 3 are expected of 1,200; all of them, were the orders one
    assert abs(np.corrcoef(long, short)[0, 1]) < 4 / np.sqrt(len(long))
    assert len(set(zip(long.tolist(), short.tolist(), strict=True))) > 1180  # no partner for good


@pytest.mark.parametrize("devices", [None, 2])
def test_streams_resume_group_and_shard_as_one_source_does(devices):
    sharding = devices and data_sharding(devices)
    whole = read(streams(), 12)
    for part in (
        read(streams(), 6, start_step=6),
        read(streams(), 2, start_step=6, steps_per_call=3, sharding=sharding),
    ):
        found = jax.tree.map(lambda *x: np.concatenate(x), *part)
        jax.tree.map(np.testing.assert_array_equal, found, jax.tree.map(lambda *x: np.concatenate(x), *whole[6:]))
    spec = streams().train.batch_spec(20)
    assert jax.tree.map(lambda x: x.shape, spec) == jax.tree.map(lambda x: x.shape[2:], whole[0])


def test_streams_are_evaluated_one_after_another():
    batches_of = [batch for batch, _ in evaluation_batches(streams(45, 12).test, batch_size=20)]
    assert [(*batch,) for batch in batches_of] == [("long",)] * 3 + [("short",)] * 2
    sizes = [len(fields["id"]) for batch in batches_of for fields in batch.values()]
    assert sizes == [20, 20, 5, 10, 2]
    np.testing.assert_array_equal(np.concatenate([batch["short"]["id"] for batch in batches_of[3:]]), range(12))


def test_streams_that_do_not_fit_are_sentences():
    source = numbered()
    with pytest.raises(UserError, match="batch_sizes names 'c', which is no stream; choose a or b."):
        Dataset.streams({"c": 3}, a=Dataset(source, source), b=source)
    with pytest.raises(UserError, match="the streams a, b hold nothing out; make one of them a Dataset."):
        Dataset.streams(a=source, b=source)
    both = streams()
    with pytest.raises(UserError, match="streams have no examples or fields in common"):
        both.train[np.zeros(1, int)]
    for use in (both.map, both.map_once):
        with pytest.raises(UserError, match="streams have no examples or fields in common"):
            use(lambda examples: examples)
    with pytest.raises(UserError, match="batch_size=31 exceeds the 30 examples"):
        batches(both.train, batch_size=31, seed=0)
    with pytest.raises(UserError, match="batch_size=10 cannot be split evenly over the mesh's 4 data shards"):
        batches(both.train, batch_size=20, seed=0, sharding=data_sharding(4))


def test_fields_stay_together():
    with contextlib.closing(batches(numbered(), batch_size=8, seed=0, steps_per_call=2, batches_per_step=3)) as stream:
        element = next(stream)
    assert element["pair"].shape == (2, 3, 8, 2)
    np.testing.assert_array_equal(element["pair"], np.stack([element["id"], -element["id"]], -1))


@pytest.mark.parametrize("start", [1, 5, 6, 23])
def test_seeking_equals_iterating(start):
    np.testing.assert_array_equal(
        take(4, start_step=start, batches_per_step=2), take(start + 4, batches_per_step=2)[start:]
    )


def test_seeking_far_costs_nothing():
    assert take(1, start_step=10**12).shape == (1, 1, 1, 8)


@pytest.mark.parametrize(("start", "steps_per_call"), [(0, 2), (0, 7), (5, 3), (3, 20)])
def test_grouping_steps_changes_nothing(start, steps_per_call):
    grouped = take(3, start_step=start, steps_per_call=steps_per_call, batches_per_step=2)
    single = take(3 * steps_per_call, start_step=start, batches_per_step=2)
    np.testing.assert_array_equal(grouped.reshape(-1, 2, 8), single.reshape(-1, 2, 8))


def test_batches_of_a_step_follow_each_other():
    np.testing.assert_array_equal(take(4, batches_per_step=3).reshape(-1, 8), take(12).reshape(-1, 8))


@pytest.mark.parametrize("count", [2, 4])
def test_processes_together_hold_the_same_global_batch(count):
    parts = [take(10, steps_per_call=2, process=(index, count)) for index in range(count)]
    assert {part.shape[-1] for part in parts} == {8 // count}
    np.testing.assert_array_equal(np.concatenate(parts, axis=-1), take(10, steps_per_call=2))


@pytest.mark.parametrize("devices", [1, 2, 4])
def test_devices_hold_their_rows(devices):
    sharding = data_sharding(devices)
    with contextlib.closing(
        batches(numbered(), batch_size=8, seed=3, steps_per_call=2, batches_per_step=3, sharding=sharding)
    ) as stream:
        element = next(stream)
    host = take(1, steps_per_call=2, batches_per_step=3)[0]
    np.testing.assert_array_equal(element["id"], host)
    assert element["pair"].shape == (2, 3, 8, 2)
    assert element["id"].sharding == NamedSharding(sharding.mesh, PartitionSpec(None, None, "data"))
    for shard in element["id"].addressable_shards:
        place = sharding.mesh.devices.tolist().index(shard.device)
        np.testing.assert_array_equal(shard.data, host[:, :, place * 8 // devices : (place + 1) * 8 // devices])


def test_a_process_reads_just_the_rows_its_devices_hold():
    real = data_sharding(4)

    def process(*places):
        """The sharding as a process sees it that owns only the devices at `places`."""
        mine = {real.mesh.devices[place] for place in places}
        return types.SimpleNamespace(
            spec=real.spec,
            mesh=real.mesh,
            addressable_devices_indices_map=lambda shape: {
                device: index for device, index in real.devices_indices_map(shape).items() if device in mine
            },
        )

    assert pipeline._rows(8, process(0, 1), (0, 1)) == slice(0, 4)
    assert pipeline._rows(8, process(3), (0, 1)) == slice(6, 8)
    assert pipeline._rows(8, process(0, 3), (0, 1)) == slice(0, 8)
    replicated = NamedSharding(real.mesh, PartitionSpec())
    assert pipeline._rows(7, replicated, (0, 1)) == slice(0, 7)


def test_a_device_gets_its_rows_out_of_those_its_process_read(monkeypatch):
    third_of_four = (slice(None), slice(4, 6), slice(None))
    monkeypatch.setattr(jax, "make_array_from_callback", lambda shape, sharding, data: (shape, data(third_of_four)))
    put = pipeline._to_devices(data_sharding(4), (1,), 8, slice(4, 8))
    shape, rows = put({"x": np.array([[[40], [50], [60], [70]]])})["x"]
    assert shape == (1, 8, 1)
    np.testing.assert_array_equal(rows, [[[40], [50]]])


@pytest.mark.parametrize("count", [50, 48, 3, 1])
@pytest.mark.parametrize("devices", [None, 1, 4])
def test_evaluation_covers_every_example_once_and_fills_up_no_more_than_devices_need(count, devices):
    sharding = None if devices is None else data_sharding(devices)
    elements = list(evaluation_batches(numbered(count), batch_size=8, sharding=sharding))
    for batch, mask in elements:
        assert batch["pair"].shape == (*mask.shape, 2)
        assert mask.dtype == np.float32
        assert sharding is None or {x.sharding for x in (batch["id"], batch["pair"], mask)} == {sharding}
    assert [len(mask) for _, mask in elements[:-1]] == [8] * ((count - 1) // 8)
    ids = np.concatenate([np.asarray(batch["id"]) for batch, _ in elements])
    mask = np.concatenate([np.asarray(mask) for _, mask in elements])
    assert len(mask) == -(-count // (devices or 1)) * (devices or 1)
    np.testing.assert_array_equal(mask, np.arange(len(mask)) < count)
    np.testing.assert_array_equal(ids, np.arange(len(mask)) % count)


def test_evaluation_is_the_same_over_processes():
    parts = [list(evaluation_batches(numbered(51), batch_size=8, process=(index, 2))) for index in range(2)]
    whole = list(evaluation_batches(numbered(51), batch_size=8))
    for (first, left), (second, right), (both, mask) in zip(*parts, whole, strict=True):
        real = np.concatenate([left, right]) == 1
        assert real.sum() == len(mask)
        for field in ("id", "pair"):
            np.testing.assert_array_equal(np.concatenate([first[field], second[field]])[real], both[field])


def test_a_field_may_be_called_weight():
    table = Memory({"weight": np.arange(5.0)})
    source = Source("scales", "test", lambda: table[np.zeros(1, int)], lambda: table)
    found = [(batch["weight"].tolist(), mask.tolist()) for batch, mask in evaluation_batches(source, batch_size=3)]
    assert found == [([0, 1, 2], [1, 1, 1]), ([3, 4], [1, 1])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size=0 must be at least 1."),
        ({"batch_size": 51}, "batch_size=51 exceeds the 50 examples of numbers/train; use at most 50."),
        ({"process": (0, 3)}, "batch_size=8 cannot be split evenly over 3 processes; use a multiple of 3."),
        ({"seed": -1}, "seed=-1 must not be negative."),
        ({"start_step": -1}, "start_step=-1 must not be negative."),
        ({"batches_per_step": 0}, "batches_per_step=0 must be at least 1."),
        ({"steps_per_call": 0}, "steps_per_call=0 must be at least 1."),
    ],
)
def test_sizes_that_do_not_fit_are_refused_at_once(arguments, message):
    with pytest.raises(UserError) as caught:
        batches(numbered(), **{"batch_size": 8, "seed": 3, **arguments})
    assert str(caught.value) == message


def test_a_batch_that_the_mesh_cannot_split_is_refused_in_training_and_rounded_up_in_evaluation():
    with pytest.raises(UserError, match=r"batch_size=6 cannot be split .* mesh's 4 data shards; use a multiple of 4"):
        batches(numbered(), batch_size=6, sharding=data_sharding(4), seed=0)
    sizes = [len(mask) for _, mask in evaluation_batches(numbered(), batch_size=6, sharding=data_sharding(4))]
    assert sizes == [8] * 6 + [4]


def test_closing_stops_the_thread():
    before = set(threading.enumerate())
    stream = batches(numbered(), batch_size=8, seed=0)
    next(stream)
    reading = set(threading.enumerate()) - before
    assert reading
    stream.close()
    for thread in reading:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_an_error_while_reading_reaches_the_reader():
    def load():
        table = Memory({"id": np.arange(COUNT)})

        class Broken(Memory):
            def __getitem__(self, ids):
                raise UserError("the disk is gone.")

        return Broken(table.arrays)

    source = Source("broken", "train", lambda: {"id": np.zeros(1, int)}, load)
    with contextlib.closing(batches(source, batch_size=8, seed=0)) as stream, pytest.raises(UserError, match="disk"):
        next(stream)


def test_leaving_an_iterator_open_at_exit_is_quiet_and_quick():
    script = """
import numpy as np
from jaxgen.data.embedded import digits
from jaxgen.data.pipeline import batches
stream = batches(digits().train, batch_size=64, seed=0)
next(stream)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0
    assert run.stderr == ""
