"""Where a step's memory traffic comes from: which phase, network and operation, and what would lower it.

The compiler keeps with each instruction the path of what it was traced from, such as
`jit(call)/critic/transpose(jvp(Critic))/down_0/conv_general_dilated`: scopes, derivatives, modules, operation.
"""

import dataclasses
import re
from collections.abc import Collection, Mapping

from jaxgen.aot.hlo import Array, Instruction, Program
from jaxgen.aot.traffic import moves

_COLLECTIVE = re.compile(r"(all-\w+|reduce-scatter|collective-\w+|send|recv)(-start)?$")
_LAYOUT = {"copy", "copy-start", "transpose", "reshape", "pad", "slice"}
_NOISE = re.compile(r"threefry|random_bits|_normal|_uniform|_gumbel|_bernoulli")


@dataclasses.dataclass(frozen=True)
class Moved:
    """Traffic of a kind of operation on one device.

    Attributes:
      phase: whose; empty where the engine names none.
      network: the module that was applied; empty outside of one.
      part: "forward", "backward", "noise" for random numbers, or "update" for the rest.
      operation: as JAX calls it; as XLA does for collectives and changes of layout.
      bytes: in one run of the program.
      padding: the share of its arrays that fills tiles and holds nothing.
      float32: the share of its arrays that is float32.
    """

    phase: str
    network: str
    part: str
    operation: str
    bytes: float
    padding: float
    float32: float

    @property
    def remedy(self) -> str:
        """What would lower it."""
        if _COLLECTIVE.match(self.operation):
            return "a smaller mesh.fsdp gathers parameters less often"
        if self.padding > 1 / 3:
            return f"{self.padding:.0%} fills tiles: make widths multiples of 128, the batch a chip one of 8"
        if self.part == "noise":
            return "random numbers, drawn where they are needed: fewer or smaller ones"
        if self.part == "update":
            return "state and gradients, whole on every chip: split them with a larger mesh.fsdp"
        if self.operation in _LAYOUT:
            return "a change of layout: widths that are multiples of 128 need fewer"
        if self.float32 > 1 / 2:
            return "float32: bfloat16 halves it (--dtype bfloat16, where the experiment has it)"
        if self.part == "backward":
            return "what the gradient keeps: --memory remat, where the experiment has it"
        return "more examples a chip share each reading of the weights"


def explain(program: Program, phases: Collection[str]) -> list[Moved]:
    """The program's traffic by phase, network, part and operation, the largest first.

    Args:
      program: compiled from a training step.
      phases: their names, as the engine puts them into the paths.
    """
    rows: dict[tuple[str, str, str, str], list[tuple[float, float, float]]] = {}
    known = {i.name: i for computation in program.computations.values() for i in computation.values()}
    readers = {name: i for i in reversed(list(known.values())) for name in i.operands}
    for instruction, times, size in moves(program):
        touched = [array for name in instruction.operands for array in known[name].arrays] + list(instruction.arrays)
        padding, float32 = _shares([array for array in touched if array.space == 0])
        moved = float(times * size)
        key = _key(_cause(instruction, known, readers), phases)
        rows.setdefault(key, []).append((moved, moved * padding, moved * float32))
    found = []
    for key, parts in rows.items():
        total, padding, float32 = map(sum, zip(*parts, strict=True))
        if total:
            found.append(Moved(*key, total, padding / total, float32 / total))
    return sorted(found, key=lambda row: -row.bytes)


def _cause(move: Instruction, known: Mapping[str, Instruction], readers: Mapping[str, Instruction]) -> Instruction:
    """Who wants a copy between the main memory and the chip: what reads it there, or has made it."""
    if move.opcode != "copy-start":
        return move
    onto_chip, cause = move.arrays[0].space != 0, move
    while not _path(cause):
        following = readers.get(cause.name) if onto_chip else known.get(next(iter(cause.operands), ""))
        if following is None:
            return move
        cause = following
    return cause


def _path(instruction: Instruction) -> list[str]:
    path = re.search(r'op_name="([^"]*/[^"]*)"', instruction.attributes)
    return path[1].split("/") if path else []


def _key(instruction: Instruction, phases: Collection[str]) -> tuple[str, str, str, str]:
    steps = _path(instruction)
    phase = next((step for step in steps if step in phases), "")
    derived = next((step for step in steps if step.startswith(("jvp(", "transpose("))), "")
    network = re.fullmatch(r"(?:transpose\()?jvp\((\w+)\)+", derived)
    part = "backward" if derived.startswith("transpose(") else "forward" if derived else "update"
    if any(_NOISE.search(step) for step in steps):
        part = "noise"
    opcode = instruction.opcode
    by_xla = _COLLECTIVE.match(opcode) or opcode in _LAYOUT or not steps
    return phase, network[1] if network else "", part, opcode if by_xla else steps[-1]


def _shares(arrays: list[Array]) -> tuple[float, float]:
    """Of padding, and of float32, in bytes."""
    whole = sum(array.padded_bytes for array in arrays)
    if not whole:
        return 0.0, 0.0
    padding = whole - sum(array.bytes for array in arrays)
    return padding / whole, sum(array.padded_bytes for array in arrays if array.dtype == "f32") / whole
