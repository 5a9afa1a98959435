"""From a source to batches on the devices: order fixed by the seed, position = the step, read ahead in a thread.

Batch i of a run is a pure function of (seed, i), so going on from step n means starting at step n: there is no iterator
state to save. The order is one NumPy permutation an epoch and a batch is one gather: shuffling and fetching example by
example, as input libraries do, limits small images to some 100 thousand a second. Grain does what it is best at,
reading ahead and stopping cleanly.
"""

import atexit
import contextlib
import functools
import math
import sys
import weakref
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jaxgen.data.source import UNLIMITED, Examples, Source, Streams
from jaxgen.errors import UserError

_AHEAD = 2  # elements fetched and transferred ahead of the one in use


def batches(
    source: Source,
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    batches_per_step: int = 1,
    steps_per_call: int = 1,
    sharding: NamedSharding | None = None,
    process: tuple[int, int] = (0, 1),
) -> Generator[dict[str, Any], None, None]:
    """Endless training batches, each element what one compiled call consumes.

    Step s uses batches s * batches_per_step onwards, which cut a sequence of epochs, each a permutation of all examples
    drawn from (seed, epoch), and of a stream from (seed, stream, epoch). Where the source makes its examples on the
    device (`Source.on_device`), a batch is what it makes them of. To resume after step n, or to change
    `steps_per_call` for the last few steps of a run, close this iterator and start another with `start_step=n`: the
    batches are the same ones.

    Args:
      source: the examples.
      batch_size: examples a batch over all processes.
      seed: of the order; not negative.
      start_step: the step the first element begins with.
      batches_per_step: batches a step consumes.
      steps_per_call: steps an element holds.
      sharding: of one batch, `[batch, ...]`, over the devices of all processes; each process reads the rows that its
        own devices hold. None gives NumPy arrays.
      process: without `sharding`, `(index, count)`: the batch is cut into `count` equal runs of rows and this process
        gets run `index`.

    Returns:
      A generator of `field -> [steps_per_call, batches_per_step, batch, ...]`, of streams `{stream: {field: ...}}`.
      Close it when done, to stop its thread.

    Raises:
      UserError: before anything is read ahead, when the sizes do not fit together.
    """
    for name, value in (("batches_per_step", batches_per_step), ("steps_per_call", steps_per_call)):
        _require(value >= 1, f"{name}={value} must be at least 1.")
    for name, value in (("seed", seed), ("start_step", start_step)):
        _require(value >= 0, f"{name}={value} must not be negative.")
    leading = (steps_per_call, batches_per_step)

    def parts(source: Source, batch_size: int, seeds: tuple[int, ...]) -> tuple[Callable, Callable]:
        if isinstance(source, Streams):
            streams = {
                name: parts(stream, source.batch_size(name, batch_size), (*seeds, zlib.crc32(name.encode())))
                for name, stream in source.sources.items()
            }
            return (
                lambda call: {name: read(call) for name, (read, _) in streams.items()},
                lambda element: {name: put(element[name]) for name, (_, put) in streams.items()},
            )
        rows, source = _rows(batch_size, sharding, process), source.reads
        _require(
            batch_size <= len(source),
            f"batch_size={batch_size} exceeds the {len(source)} examples of {source.name}/{source.split}; "
            f"use at most {len(source)}.",
        )

        def read(call: int) -> Examples:
            first = (start_step + call * steps_per_call) * batches_per_step
            each = range(first, first + steps_per_call * batches_per_step)
            ids = np.concatenate([_batch_of(len(source), batch_size, seeds, batch)[rows] for batch in each])
            return {k: x.reshape(*leading, -1, *x.shape[1:]) for k, x in source[ids].items()}

        return read, _to_devices(sharding, leading, batch_size, rows)

    read, put = parts(source, batch_size, (seed,))
    return _stream(read, sys.maxsize, put)


def evaluation_batches(
    source: Source,
    *,
    batch_size: int,
    sharding: NamedSharding | None = None,
    process: tuple[int, int] = (0, 1),
) -> Generator[tuple[dict[str, Any], Any], None, None]:
    """Every example once, in order; the last batch has the size of what remains.

    What a network says of an example may depend on the whole batch (a critic's minibatch features), so nothing fills
    the last batch up, unless devices or processes could not share it out evenly: then the set's first examples do.

    Args:
      source: the examples.
      batch_size: examples a batch over all processes, or a few more where devices could not share them out evenly; may
        exceed the number of examples.
      sharding: as for `batches`.
      process: as for `batches`.

    Returns:
      A generator of `(field -> [batch, ...], mask)`, mask float32 `[batch]`: 1 for an example, 0 for what fills up. Of
      streams, first the batches of one, `{stream: {field: ...}}`, then those of the next.

    Raises:
      UserError: `batch_size` is below 1.
    """
    _require(batch_size >= 1, f"batch_size={batch_size} must be at least 1.")
    if isinstance(source, Streams):
        return _in_turn(
            {
                name: evaluation_batches(
                    stream, batch_size=source.batch_size(name, batch_size), sharding=sharding, process=process
                )
                for name, stream in source.sources.items()
            }
        )
    source = source.reads
    count, shards = len(source), _shards(sharding, process)
    batch_size = -(-batch_size // shards) * shards

    def read(batch: int) -> Any:
        start = batch * batch_size
        size = min(batch_size, -(-(count - start) // shards) * shards)
        rows = _rows(size, sharding, process)
        ids = start + np.arange(size)[rows]
        return source[ids % count], (ids < count).astype(np.float32), size, rows

    def put(element: Any) -> tuple[dict[str, Any], Any]:
        examples, mask, size, rows = element
        to_devices = _to_devices(sharding, (), size, rows)
        return to_devices(examples), to_devices({"mask": mask})["mask"]

    return _stream(read, -(-count // batch_size), put)


def _in_turn(streams: Mapping[str, Generator]) -> Generator[tuple[dict[str, Any], Any], None, None]:
    for name, stream in streams.items():
        with contextlib.closing(stream):
            for batch, mask in stream:
                yield {name: batch}, mask


def _batch_of(count: int, batch_size: int, seeds: tuple[int, ...], batch: int) -> np.ndarray:
    """The numbers of a batch's examples, which may be the last of an epoch and the first of the next.

    A source without end has no epochs: the seed decides where in it a run begins.
    """
    if count == UNLIMITED:
        first = int(np.random.default_rng(seeds).integers(UNLIMITED)) + batch * batch_size
        return first % UNLIMITED + np.arange(batch_size)
    epoch, start = divmod(batch * batch_size, count)
    ids = _order(count, seeds, epoch)[start : start + batch_size]
    return np.concatenate([ids, _order(count, seeds, epoch + 1)[: batch_size - len(ids)]])


@functools.lru_cache(maxsize=16)
def _order(count: int, seeds: tuple[int, ...], epoch: int) -> np.ndarray:
    return np.random.default_rng((*seeds, epoch)).permutation(count)


class _Elements(Sequence):
    """`read` as the random-access sequence that grain reads ahead in."""

    def __init__(self, read: Callable[[int], Any], length: int):
        self._read = read
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        return self._read(index)


_open: weakref.WeakSet[Generator] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Closes what a script left open; grain's own clean-up comes when modules are gone and prints tracebacks."""
    for stream in list(_open):
        stream.close()


def _stream(read: Callable[[int], Any], length: int, put: Callable[[Any], Any]) -> Generator[Any, None, None]:
    stream = _read_ahead(read, length, put)
    _open.add(stream)
    return stream


def _read_ahead(read: Callable[[int], Any], length: int, put: Callable[[Any], Any]) -> Generator[Any, None, None]:
    # No reader threads: elements are whole batches, and one thread both fetching and transferring beats several passing
    # arrays on, in images/s and in CPU time, for arrays in memory (a gather) and for files (Python-bound decoding).
    import grain  # imported late: a command's help should not wait for it

    inline = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
    dataset = grain.MapDataset.source(_Elements(read, length)).to_iter_dataset(inline).map(put)
    # MapDataset, ReadOptions and map are grain's stable interface; this class is public but still "experimental".
    iterator = iter(grain.experimental.ThreadPrefetchIterDataset(dataset, prefetch_buffer_size=_AHEAD))
    try:
        yield from iterator
    finally:
        iterator.close()


def _to_devices(
    sharding: NamedSharding | None, leading: tuple[int, ...], batch_size: int, rows: slice
) -> Callable[[Examples], dict[str, Any]]:
    """The transfer of `[*leading, local rows, ...]` to global arrays `[*leading, batch, ...]`."""
    if sharding is None:
        return lambda examples: examples
    across = NamedSharding(sharding.mesh, PartitionSpec(*[None] * len(leading), *sharding.spec))

    def transfer(local: np.ndarray) -> jax.Array:
        def of_device(index: Any) -> np.ndarray:
            start, stop, _ = index[len(leading)].indices(batch_size)
            return local[(*index[: len(leading)], slice(start - rows.start, stop - rows.start))]

        shape = (*leading, batch_size, *local.shape[len(leading) + 1 :])
        return jax.make_array_from_callback(shape, across, of_device)

    return lambda examples: {field: transfer(x) for field, x in examples.items()}


def _rows(batch_size: int, sharding: NamedSharding | None, process: tuple[int, int]) -> slice:
    """The rows of a global batch that this process must read."""
    _require(batch_size >= 1, f"batch_size={batch_size} must be at least 1.")
    shards = _shards(sharding, process)
    over = f"{shards} processes" if sharding is None else f"the mesh's {shards} data shards"
    _require(
        batch_size % shards == 0,
        f"batch_size={batch_size} cannot be split evenly over {over}; use a multiple of {shards}.",
    )
    if sharding is None:
        index, count = process
        return slice(index * batch_size // count, (index + 1) * batch_size // count)
    # Asked of the sharding, not computed from the process's number: on a mesh whose data axis does not cross processes
    # every process holds the whole batch.
    indices: Any = sharding.addressable_devices_indices_map((batch_size,)).values()
    held = [index[0].indices(batch_size) for index in indices]
    return slice(min(start for start, _, _ in held), max(stop for _, stop, _ in held))


def _shards(sharding: NamedSharding | None, process: tuple[int, int]) -> int:
    """Into how many equal runs of rows a batch is cut."""
    if sharding is None:
        return process[1]
    axes = sharding.spec[0] if len(sharding.spec) else None
    return math.prod(sharding.mesh.shape[a] for a in ((axes,) if isinstance(axes, str) else axes or ()))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)
