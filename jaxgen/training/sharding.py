"""Where arrays live: a mesh with axes `data`, `zero1`, `fsdp` and `tensor`, batches split over all but the last.

Data parallelism replicates the state over `data`. Over `zero1` optimizer state and averages are split and parameters
are not (Xu et al. 2020, "Automatic Cross-Replica Sharding of Weight Update"; Rajbhandari et al. 2020, "ZeRO", stage 1);
over `fsdp` all of it is (stage 3; Zhao et al. 2023, "PyTorch FSDP"). `tensor` splits what an experiment's own patterns
put there.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen import parts
from jaxgen.core import Place, TrainState, Variables
from jaxgen.errors import UserError

AXES = ("data", "zero1", "fsdp", "tensor")
EXAMPLES = AXES[:3]  # over which batches are split
MIN_SHARDED = 2**14  # elements; of a smaller array, a collective's latency costs more than the memory is worth

_WHOLE = PartitionSpec()
_UPDATED_ONLY = re.compile(r"nets/[^/]+/(opt_state|ema)/")  # what only the update reads: no network computes with it

Patterns = Mapping[str, PartitionSpec]  # regular expression of a leaf's path -> how the leaf is split


def make_mesh(
    data: int | None = None,
    fsdp: int = 1,
    tensor: int = 1,
    *,
    zero1: int | None = 1,
    devices: Sequence[Any] | None = None,
) -> Mesh:
    """A mesh of all devices (or those given); one device is a mesh of one.

    Axis types are Auto: under Explicit, JAX's default here, `nn.Embed` and other Linen layers fail.

    Args:
      data: devices along `data` and `zero1`; None takes what the other axes leave.
      fsdp: devices along `fsdp`.
      tensor: devices along `tensor`.
      zero1: devices of `data` that share optimizer state and averages; None picks half of a TPU slice, over which its
        compiler scatters the sums of gradients: over a whole slice it sums them whole, which sends half as much again
        (`benchmarks/README.md`). Where `fsdp` splits the state already, and on other devices, None is 1.
      devices: what to arrange, by default every device of every process.

    Raises:
      UserError: the product is not the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    count, slices = len(devices), len({getattr(device, "slice_index", 0) for device in devices})
    sizes = {"data": data, "fsdp": fsdp, "tensor": tensor}
    for axis, size in sizes.items():
        if size is not None and size < 1:
            raise UserError(f"mesh.{axis} is {size}; it must be at least 1.")
    if data is None and count % (fsdp * tensor):
        raise UserError(
            f"mesh.fsdp {fsdp} times mesh.tensor {tensor} does not divide {count}: there {are_there(devices)}; "
            f"make it {_divisors(count // slices)}."
        )
    shape = (data or count // (fsdp * tensor), fsdp, tensor)
    if math.prod(shape) != count:
        asked = " times ".join(f"mesh.{axis} {size}" for axis, size in zip(sizes, shape, strict=True))
        raise UserError(
            f"{asked} is {math.prod(shape)} devices but there {are_there(devices)}; make the product {count}."
        )
    if shape[0] % slices:
        raise UserError(
            f"mesh.data {shape[0]} is not a multiple of the {slices} slices there are: each has {count // slices} "
            f"devices; make mesh.fsdp times mesh.tensor {_divisors(count // slices)}."
        )
    each = shape[0] // slices
    if zero1 is None:
        shares = [n for n in range(1, count // slices) if each % n == 0 and fsdp == 1 and devices[0].platform == "tpu"]
        zero1 = max(shares, default=1)
    if each % zero1:
        raise UserError(f"mesh.zero1 {zero1} does not divide the {each} devices of mesh.data in a slice; make it 1.")
    shape = (each // zero1, zero1, fsdp, tensor)
    # An axis that is no product of whole dimensions of a torus takes a part of one.
    if slices == 1:
        arranged = mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)
    else:  # slow connections between slices carry the gradients alone
        arranged = mesh_utils.create_hybrid_device_mesh(
            shape, (slices, 1, 1, 1), devices, allow_split_physical_axes=True
        )
    return Mesh(arranged, AXES, axis_types=(AxisType.Auto,) * len(AXES))


def _divisors(count: int) -> str:
    """Of the devices of a slice, for a sentence that says what fits."""
    *most, last = [n for n in range(1, count + 1) if count % n == 0]
    return f"{', '.join(map(str, most))} or {last}" if most else f"{last}"


def are_there(devices: Sequence[Any]) -> str:
    """ "are 4 devices", and on CPU how to have more, for a sentence that begins with "there"."""
    count = "is 1 device" if len(devices) == 1 else f"are {len(devices)} devices"
    return f"{count} (JAX_NUM_CPU_DEVICES=N makes N)" if devices[0].platform == "cpu" else count


def described(axes: Mapping[str, int]) -> str:
    """Of a mesh's axes and their sizes those with several devices, as in "data 2, zero1 128"; else "one device"."""
    return ", ".join(f"{axis} {size}" for axis, size in axes.items() if size > 1) or "one device"


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds the whole array."""
    return NamedSharding(mesh, _WHOLE)


def batch_sharding(mesh: Mesh, leading_axes: int = 0) -> NamedSharding:
    """`[..., batch, ...]` split over `EXAMPLES` at the batch axis, which follows `leading_axes` unsplit ones."""
    return NamedSharding(mesh, PartitionSpec(*[None] * leading_axes, EXAMPLES))


def batch_shards(mesh: Mesh) -> int:
    """Into how many parts a batch is split."""
    return math.prod(mesh.shape[axis] for axis in EXAMPLES)


def state_shardings(state: TrainState, mesh: Mesh, patterns: Patterns) -> TrainState:
    """The sharding of every leaf of a state.

    An array of `MIN_SHARDED` elements or more is split over `fsdp` along its largest axis that divides evenly (the
    last of equals); the rest is replicated. Optimizer state and averages have their parameters' shapes, so they follow;
    along the same axis they are split over `zero1`, too, if it divides evenly.

    Args:
      state: shapes and types.
      mesh: the devices.
      patterns: where a leaf's path, such as `nets/critic/params/down_0/kernel`, contains a match of a key, the
        first such key's specification replaces the rule; one of `tensor` alone leaves the other axes to the rule, and
        all of them where `tensor` is 1. Paths of the optimizer's and averaged arrays end alike: `down_0/kernel` names
        all of them.

    Raises:
      UserError: a pattern matches nothing or does not fit what it matches, or nothing is split over `tensor`.
    """
    unused = set(patterns)

    def sharding(path: Any, leaf: Any) -> NamedSharding:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        axes = parts.AXES if _UPDATED_ONLY.match(name) else ("fsdp",)
        sizes = {axis: mesh.shape[axis] for axis in axes}
        for pattern, spec in patterns.items():
            if re.search(pattern, name):
                unused.discard(pattern)
                _check_fits(name, leaf.shape, pattern, spec, mesh)
                if {axis for names in spec for axis in _axes(names)} != {"tensor"}:
                    return NamedSharding(mesh, spec)
                return NamedSharding(mesh, _rule(leaf.shape, sizes, spec if mesh.shape["tensor"] > 1 else _WHOLE))
        return NamedSharding(mesh, _rule(leaf.shape, sizes, _WHOLE))

    shardings = jax.tree_util.tree_map_with_path(sharding, state)
    if unused:
        raise UserError(f"sharding pattern {min(unused)!r} matches no array of the state; correct or remove it.")
    used = {axis for leaf in jax.tree.leaves(shardings) for names in leaf.spec for axis in _axes(names)}
    if mesh.shape["tensor"] > 1 and "tensor" not in used:
        raise UserError(
            f"mesh.tensor is {mesh.shape['tensor']} but the experiment splits no array over tensor; "
            "leave it at 1, or give the experiment a sharding pattern."
        )
    return shardings


def matching(patterns: Patterns, state: TrainState) -> Patterns:
    """The patterns that `state_shardings` would use: each is the first that a leaf's path contains a match of."""
    paths = [
        jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in jax.tree_util.tree_leaves_with_path(state)
    ]
    used = {next((p for p in patterns if re.search(p, path)), None) for path in paths}
    return {pattern: spec for pattern, spec in patterns.items() if pattern in used}


def shardings_of(state: TrainState) -> TrainState:
    """Where the arrays of a state are."""
    return jax.tree.map(lambda leaf: leaf.sharding, state)


def placement(mesh: Mesh, shardings: TrainState) -> Place:
    """Makes every network compute on its share of the examples with its whole parameters.

    The compiler is left free to choose, and chooses badly: it computes a generator's images, which come from noise
    that no one has split, on every device; and it moves activations to split parameters. Parameters are gathered over
    `fsdp` where a network is applied, and gradients come back summed and split.

    Args:
      mesh: the devices.
      shardings: of the state's leaves.
    """
    split = batch_sharding(mesh)
    shards = batch_shards(mesh)

    def examples(x: Any) -> Any:
        divides = isinstance(x, jax.Array) and x.ndim and x.shape[0] % shards == 0
        return jax.lax.with_sharding_constraint(x, split) if divides else x

    def place(name: str, variables: Variables, inputs: tuple[Any, ...]) -> tuple[Variables, tuple[Any, ...]]:
        params = jax.tree.map(_gather, variables["params"], shardings.nets[name].params)
        return {**variables, "params": params}, jax.tree.map(examples, inputs)

    return place


def _gather(x: jax.Array, sharding: NamedSharding) -> jax.Array:
    kept = [tuple(axis for axis in _axes(names) if axis != "fsdp") or None for names in sharding.spec]
    whole = NamedSharding(sharding.mesh, PartitionSpec(*kept))
    split = not whole.is_equivalent_to(sharding, x.ndim)
    if not split and sharding.mesh.shape["zero1"] == 1:  # else averages, where parameters are whole, may not be
        return x

    @jax.custom_vjp
    def gather(x: jax.Array) -> jax.Array:
        return jax.lax.with_sharding_constraint(x, whole)

    def backward(_: None, gradient: jax.Array) -> tuple[jax.Array]:
        return (jax.lax.with_sharding_constraint(gradient, sharding) if split else gradient,)

    gather.defvjp(lambda x: (gather(x), None), backward)
    return gather(x)


def _rule(shape: tuple[int, ...], sizes: Mapping[str, int], taken: PartitionSpec) -> PartitionSpec:
    """Of an array's axes; those that `taken` splits stay so."""
    if math.prod(shape) < MIN_SHARDED:
        return taken
    free = parts.rule(tuple(1 if names else size for size, names in itertools.zip_longest(shape, taken)), sizes)
    return PartitionSpec(*[names or other for names, other in itertools.zip_longest(taken, free)])


def _axes(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()


def _check_fits(name: str, shape: tuple[int, ...], pattern: str, spec: PartitionSpec, mesh: Mesh) -> None:
    if len(spec) > len(shape):
        raise UserError(
            f"sharding pattern {pattern!r} gives {name} {len(spec)} axes but it has {len(shape)}; narrow the pattern."
        )
    for size, names in zip(shape, spec, strict=False):
        if unknown := [axis for axis in _axes(names) if axis not in AXES]:
            raise UserError(f"sharding pattern {pattern!r} names axis {unknown[0]!r}; there are {', '.join(AXES)}.")
        shards = math.prod(mesh.shape[axis] for axis in _axes(names))
        if size % shards:
            raise UserError(
                f"sharding pattern {pattern!r} splits {name}, {list(shape)}, into {shards} along an axis of {size}; "
                "choose a mesh whose axes divide it."
            )
