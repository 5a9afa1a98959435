"""The communication in a compiled program: which arrays' bytes go over which axes of the mesh, and how often."""

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.sharding import Mesh

from jaxgen.aot.hlo import Instruction, Program

# Bytes a device must send for each byte of its operand, in a group of n; a gather's operand is the part it gives.
_SENT = {
    "all-reduce": lambda n: 2 * (n - 1) / n,
    "all-gather": lambda n: n - 1,
    "reduce-scatter": lambda n: (n - 1) / n,
    "all-to-all": lambda n: (n - 1) / n,
    "ragged-all-to-all": lambda n: (n - 1) / n,
    "collective-broadcast": lambda n: 1,
    "collective-permute": lambda n: 1,
}
_GROUPS = re.compile(r"\b(replica_groups|source_target_pairs)=(.*?)(?=, (?!device_ids)[a-z_]+=|,?$)")


@dataclasses.dataclass(frozen=True)
class Collective:
    """A collective operation.

    Attributes:
      kind: as XLA calls it, e.g. "all-reduce"; "slice-exchange" is the part of one that crosses slices.
      axes: the mesh's axes along which devices of a group differ.
      group: the first group, as places in the mesh's device order; empty for a slice-exchange.
      count: how often it runs in one run of the program.
      bytes: of the whole array in one of them, on one device: what is reduced, or what has been gathered.
      sent: bytes that a device must send in one of them, in the best algorithm.
    """

    kind: str
    axes: tuple[str, ...]
    group: tuple[int, ...]
    count: float
    bytes: int
    sent: float


def collectives(program: Program, mesh: Mesh, slices: int = 1) -> list[Collective]:
    """Every collective that devices of different places take part in, in no particular order.

    Args:
      program: compiled for the mesh.
      mesh: its devices are the program's, in this order.
      slices: how many the mesh's first axis crosses.

    Raises:
      ValueError: a group of devices is written in a way unknown here.
    """
    found: dict[Any, Collective] = {}
    alone = program.executions(fused=False)
    for name, runs in program.executions(fused=True).items():
        for instruction in program.computations[name].values():
            if runs and (collective := _collective(instruction, name, program, mesh, slices, runs)):
                channel = re.search(r"channel_id=(\d+)", instruction.attributes)
                # Fused, one collective is spread over several fusions that keep its channel.
                key = (collective.kind, channel[1]) if channel and not alone[name] else instruction.name
                found[key] = collective
    return list(found.values())


def _collective(
    instruction: Instruction, name: str, program: Program, mesh: Mesh, slices: int, runs: int
) -> Collective | None:
    computation = program.computations[name]
    kind = instruction.opcode.removesuffix("-start")
    operand = sum(array.bytes for given in instruction.operands for array in computation[given].arrays)
    if kind == "send" and "megascale" in instruction.attributes:
        axis = mesh.axis_names[0]
        return Collective("slice-exchange", (axis,), (), runs, operand, operand * _SENT["all-reduce"](slices))
    if kind not in _SENT:
        return None
    # The TPU compiler writes a reduce-scatter as a fusion, so named, of an all-reduce and a slice.
    if kind == "all-reduce" and name.startswith("all-reduce-scatter"):
        kind = "reduce-scatter"
    group = _group(instruction, mesh.size // slices)
    if len(group) == 1:
        return None
    places = np.stack(np.unravel_index(group, mesh.devices.shape))
    axes = tuple(axis for axis, along in zip(mesh.axis_names, places, strict=True) if len(set(along)) > 1)
    whole = operand * len(group) if kind == "all-gather" else operand
    return Collective(kind, axes, tuple(group), runs, whole, operand * _SENT[kind](len(group)))


def _group(instruction: Instruction, size: int) -> Sequence[int]:
    """The first of the groups of devices that talk to one another, in any of the ways XLA writes them.

    Of moves from device to device it is the first that is one.
    """
    found = _GROUPS.search(instruction.attributes)
    kind, text = found.groups() if found else ("replica_groups", "{}")
    try:
        if kind == "source_target_pairs":
            moves = [_integers(pair) for pair in re.findall(r"\{(\d+,\d+)\}", text)]
            return next((move for move in moves if move[0] != move[1]), [0])
        if text == "{}":
            return range(size)
        if listed := re.match(r"\{\{([\d,]+)\}", text):
            return _integers(listed[1])
        if text.startswith("["):
            return np.atleast_2d(_iota(text))[0].tolist()
        if mesh := re.fullmatch(r"mesh\[([^\]]*)\](?:, device_ids=\((\S+)\))? \{([^}]*)\}", text):
            return _mesh_group(*mesh.groups())
    except ValueError as error:  # numbers that do not fit one another
        raise ValueError(f"cannot read the compiler's {kind}={text}") from error
    raise ValueError(f"cannot read the compiler's {kind}={text}")


def _iota(text: str) -> np.ndarray:
    """`[2,4]<=[4,2]T(1,0)`: numbers 0 to 7 as a 4x2 array, its axes exchanged, in 2 rows.

    Without an arrow, `[4,2]T(1,0)`, they stay as they then are: 2x4.
    """
    match = re.fullmatch(r"\[([\d,]+)\](?:<=\[([\d,]+)\])?(?:T\(([\d,]+)\))?", text)
    if match is None:
        raise ValueError(text)
    shape, source, order = match.groups()
    extents = _integers(source or shape)
    ids = np.arange(np.prod(extents)).reshape(extents)
    ids = ids.transpose(_integers(order)) if order else ids
    return ids.reshape(_integers(shape)) if source else ids


def _mesh_group(axes: str, ids: str | None, grouped: str) -> list[int]:
    """`mesh['a'=2,'b'=4] {'b'}`: along b; `{'b':(2)2}`: along the factor 2 of b's 4 = 2·2 that follows the first 2."""
    names = re.findall(r"'?([^',=]+)'?=(\d+)", axes)
    extents = [int(extent) for _, extent in names]
    if ids is None:
        places = np.arange(np.prod(extents))
    else:
        places = (_iota(ids) if ids.startswith("[") else np.asarray(_integers(ids))).ravel()
    places = places.reshape(extents)
    chosen = np.zeros(extents, bool)
    index = [[0] for _ in extents]
    for name, before, length in re.findall(r"'?([^',:]+)'?(?::\((\d+)\)(\d+))?", grouped):
        axis = [known for known, _ in names].index(name)
        extent = extents[axis]
        stride = extent // (int(before) * int(length)) if before else 1
        steps = range(int(length) if before else extent)
        index[axis] = sorted({i + j * stride for i in index[axis] for j in steps})
    chosen[np.ix_(*index)] = True
    return places[chosen].tolist()


def _integers(text: str) -> list[int]:
    return [int(number) for number in text.strip("[]").split(",") if number]
