"""Examples computed from keys: the same wherever they are made, never twice, never one that is held out."""

import contextlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxgen.data.check import check_examples
from jaxgen.data.computed import generated
from jaxgen.data.embedded import digits
from jaxgen.data.pipeline import batches, evaluation_batches
from jaxgen.data.source import Dataset
from jaxgen.data.transforms import signed_unit
from jaxgen.errors import UserError
from jaxgen.fields import SIGNED, Field, image


def drawn(rng):
    return {"x": rng.random(2, np.float32), "label": np.int32(rng.integers(3))}


def rendered(key):
    """A square of ink somewhere on 6x6 pixels of 17 levels."""
    corner = jax.random.randint(key, (2,), 0, 4)
    ink = jnp.zeros((6, 6, 1), jnp.uint8)
    return {
        "image": jax.lax.dynamic_update_slice(ink, jnp.full((3, 3, 1), 16, jnp.uint8), (*corner, 0)),
        "at": corner,
        "noise": jax.random.uniform(key),
    }


def host(**arguments):
    return generated("points", drawn, **arguments)


def device(**arguments):
    return generated("squares", rendered, on_device=True, fields={"image": image(17)}, **arguments)


def read(source, count, seed=0, **arguments):
    with contextlib.closing(batches(source, **{"batch_size": 8, "seed": seed, **arguments})) as stream:
        return list(itertools.islice(stream, count))


def make(data):
    """What the compiled step makes of a batch."""
    assert data.on_device is not None
    return jax.jit(data.on_device)


def values(data, count, **arguments):
    """One number an example of `count` training batches, all different where examples are."""
    elements = read(data.train, count, **arguments)
    if data.on_device is None:
        return np.concatenate([element["x"][0, 0, :, 0] for element in elements])
    return np.concatenate([make(data)({k: x[0, 0] for k, x in element.items()})["noise"] for element in elements])


@pytest.mark.parametrize("kind", [host, device])
def test_examples_without_end_are_new_ones_by_seed_and_step(kind):
    first = values(kind(), 20)
    assert len(np.unique(first)) == 160
    np.testing.assert_array_equal(values(kind(), 5, start_step=15), first[120:])
    other = values(kind(), 20, seed=1)
    assert not set(other.tolist()) & set(first.tolist())
    assert 0.3 < first.mean() < 0.7  # uniform: 0.5 with standard deviation 0.023


@pytest.mark.parametrize("kind", [host, device])
def test_so_many_examples_come_once_an_epoch_and_are_never_held_out(kind):
    data = kind(train=24, test=40)
    epochs = values(data, 6).reshape(2, 24)
    np.testing.assert_array_equal(np.sort(epochs[0]), np.sort(epochs[1]))
    assert not np.array_equal(epochs[0], epochs[1])
    field = "x" if kind is host else "noise"
    train, test = (np.unique(source[np.arange(len(source))][field]) for source in (data.train, data.test))
    assert len(train) == 24 * (2 if kind is host else 1)
    assert len(test) == 40 * (2 if kind is host else 1)
    assert not set(train.tolist()) & set(test.tolist())
    np.testing.assert_array_equal(np.sort(epochs[0]), np.sort(data.train[np.arange(24)][field].reshape(24, -1)[:, 0]))


@pytest.mark.parametrize("devices", [1, 4])
def test_only_numbers_are_sent_and_the_step_makes_the_examples(devices):
    mesh = jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])
    data = device().map(signed_unit(17))
    assert data.spec["image"] == jax.ShapeDtypeStruct((6, 6, 1), np.float32)
    assert data.train.batch_spec(8) == {"number": jax.ShapeDtypeStruct((8, 3), np.uint32)}
    (element,) = read(data.train, 1, sharding=NamedSharding(mesh, PartitionSpec("data")), start_step=3)
    assert {k: x.shape for k, x in element.items()} == {"number": (1, 1, 8, 3)}
    made = make(data)({"number": element["number"][0, 0]})
    assert made["image"].shape == (8, 6, 6, 1)
    assert set(np.unique(made["image"])) == {-1, 1}
    np.testing.assert_array_equal((np.asarray(made["image"]) > 0).sum((1, 2, 3)), 9)
    _, high, low = np.asarray(element["number"][0, 0], np.uint64).T
    jax.tree.map(np.testing.assert_array_equal, data.train[(high << np.uint64(32) | low).astype(int)], dict(made))


def test_held_out_numbers_are_sent_too_and_what_is_declared_holds():
    data = device(test=11)
    (first, mask), (rest, _) = evaluation_batches(data.test, batch_size=8)
    assert mask.sum() == 8
    made = np.concatenate([make(data)(batch)["noise"] for batch in (first, rest)])
    np.testing.assert_array_equal(made, data.test[np.arange(11)]["noise"])
    check_examples({"image": image(17)}, data, method="GAN")
    assert data.map(signed_unit(17)).fields == {"image": Field(-1, 1, 17, layout=SIGNED.layout)}
    with pytest.raises(UserError, match="image of squares/train has the value 16 where its declaration says 2 levels"):
        check_examples({}, generated("squares", rendered, on_device=True, fields={"image": image(2)}), method="GAN")


def test_streams_make_what_is_theirs_on_the_device():
    data = Dataset.streams(real=digits(), drawn=device(), host=host())
    spec = data.train.batch_spec(8)
    assert (spec["drawn"]["number"].shape, spec["real"]["image"].shape, spec["host"]["x"].shape) == (
        (8, 3),
        (8, 8, 8, 1),
        (8, 2),
    )
    (element,) = read(data.train, 1)
    batch = jax.tree.map(lambda x: x[0, 0], element)
    made = make(data)(batch)
    assert jax.tree.map(lambda x: x.shape[1:], made) == jax.tree.map(lambda x: x.shape, data.spec)
    assert set(make(data)({"real": batch["real"]})) == {"real"}
    assert Dataset.streams(real=digits()).on_device is None


def test_what_has_no_end_is_not_taken_as_a_whole():
    with pytest.raises(UserError, match="points/train has no end, and map_once takes all of it; use map."):
        len(host().map_once(lambda x: x).train)
