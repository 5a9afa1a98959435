"""XLA's compiled program, read from its text: instructions, array sizes, and how often each computation runs.

XLA's own `cost_analysis` counts a loop's body once, whatever its length, and does not tell collectives apart.
The text's grammar: openxla.org/xla, "HLO syntax"; layouts and tiles: "Tiled layout".
"""

import dataclasses
import math
import re

_BITS = {"pred": 8, "bf16": 16, "token": 0, "opaque": 0}  # the others tell by the number in their name
_ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,]*)\](?:\{([\d,]*)(?::([^}]*))?\})?")
_BRANCHES = ("branch_computations", "true_computation", "false_computation")  # of an index, or of a bool
_HEADER = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_INSTRUCTION = re.compile(r"^  (ROOT )?%?([\w.\-]+) = ")
_OPCODE = re.compile(r" ([a-z][a-z0-9\-]*)\(")
_NAME = re.compile(r"%([\w.\-]+)")


@dataclasses.dataclass(frozen=True)
class Array:
    """An array's type.

    Attributes:
      dtype: as XLA spells it, e.g. "f32".
      dims: its shape.
      order: dimensions, the fastest-varying first.
      tile: the memory's rows and lanes to which the fastest-varying dimensions are padded; empty if they are not.
      space: where it lives: 0 is the device's main memory, others are on the chip.
    """

    dtype: str
    dims: tuple[int, ...]
    order: tuple[int, ...] = ()
    tile: tuple[int, ...] = ()
    space: int = 0

    @property
    def bytes(self) -> int:
        """Of its elements."""
        return math.prod(self.dims) * self._bits // 8

    @property
    def padded_bytes(self) -> int:
        """Of the memory it occupies."""
        sizes = [self.dims[axis] for axis in self.order]
        for i, extent in enumerate(reversed(self.tile[-len(sizes) :] if sizes else ())):
            sizes[i] = -(-sizes[i] // extent) * extent
        return math.prod(sizes) * self._bits // 8

    @property
    def _bits(self) -> int:
        if self.dtype in _BITS:
            return _BITS[self.dtype]
        digits = re.search(r"\d+", self.dtype)
        return int(digits[0]) if digits else 0


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One operation.

    Attributes:
      name: unique in the program.
      opcode: e.g. "all-reduce".
      arrays: what it produces; a tuple's elements one after the other.
      operands: names of the instructions it reads.
      inside: the text between its parentheses, e.g. a constant's value.
      attributes: the text after them.
      root: whether it is what its computation returns.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[str, ...]
    inside: str
    attributes: str
    root: bool

    def called(self, *keys: str) -> list[str]:
        """The computations it names in these attributes."""
        found = []
        for key in keys:
            for one, several in re.findall(rf"(?<!\w){key}=(?:%([\w.\-]+)|\{{([^}}]*)\}})", self.attributes):
                found += [one] if one else _NAME.findall(several)
        return found


Computation = dict[str, Instruction]


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled program.

    Attributes:
      computations: by name, callees before their callers.
      entry: the name of the one that runs first.
    """

    computations: dict[str, Computation]
    entry: str

    @classmethod
    def parse(cls, text: str) -> "Program":
        """Reads `compiled.as_text()`."""
        computations: dict[str, Computation] = {}
        current: Computation = {}
        entry = ""
        for line in text.splitlines():
            if header := _HEADER.match(line):
                current = computations.setdefault(header[2], {})
                entry = header[2] if header[1] else entry
            elif start := _INSTRUCTION.match(line):
                current[start[2]] = _instruction(line[start.end() :], start[2], bool(start[1]))
        return cls(computations, entry)

    def executions(self, *, fused: bool) -> dict[str, int]:
        """How often each computation runs in one run of the program, loops counted in full.

        A loop whose length is not in the text, as that of a `while` on data, counts once; a condition's branches count
        each.

        Args:
          fused: whether to follow fusions into their computations.
        """
        runs = dict.fromkeys(self.computations, 0) | {self.entry: 1}
        for name in reversed(self.computations):
            if not runs[name]:
                continue
            for instruction in self.computations[name].values():
                if instruction.opcode == "while":
                    length = self._length(instruction, self.computations[name])
                    for callee in instruction.called("body"):
                        runs[callee] += runs[name] * length
                    for callee in instruction.called("condition"):
                        runs[callee] += runs[name] * (length + 1)
                elif instruction.opcode != "fusion" or fused:
                    for callee in instruction.called("calls", *_BRANCHES):
                        runs[callee] += runs[name]
                    if instruction.opcode == "call":
                        for callee in instruction.called("to_apply"):
                            runs[callee] += runs[name]
        return runs

    def _length(self, loop: Instruction, around: Computation) -> int:
        """Iterations of a `while` that counts up, by one, to a constant."""
        if told := re.search(r'"known_trip_count":\{"n":"(\d+)"\}', loop.attributes):
            return int(told[1])
        condition = self.computations[loop.called("condition")[0]]
        compare = next(instruction for instruction in condition.values() if instruction.root)
        start = _operand(loop.operands[0], around)
        if compare.opcode != "compare" or "direction=LT" not in compare.attributes or start is None:
            return 1
        first, last = (_integer(name, condition, (start, around)) for name in compare.operands)
        return 1 if first is None or last is None else last - first


def _instruction(text: str, name: str, root: bool) -> Instruction:
    """`text` is what follows the `=`: type, opcode, operands in parentheses, attributes."""
    typed = _closing(text, 0) + 1 if text.startswith("(") else text.index(" ")
    opcode = _OPCODE.match(text, typed)
    if opcode is None:
        raise ValueError(f"cannot read the compiler's instruction {name}: {text[:200]}")
    end = _closing(text, opcode.end() - 1)
    inside = text[opcode.end() : end]
    return Instruction(
        name=name,
        opcode=opcode[1],
        arrays=tuple(_array(match) for match in _ARRAY.finditer(text, 0, typed)),
        operands=tuple(_NAME.findall(inside)),
        inside=inside,
        attributes=text[end + 1 :],
        root=root,
    )


def _array(match: re.Match) -> Array:
    dtype, dims, order, layout = match.groups(default="")
    tile = re.match(r"T\(([\d,]+)\)", layout)
    space = re.search(r"S\((\d+)\)", layout)
    shape = _integers(dims)
    return Array(
        dtype,
        shape,
        _integers(order) or tuple(reversed(range(len(shape)))),
        _integers(tile[1]) if tile else (),
        int(space[1]) if space else 0,
    )


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


def _closing(text: str, start: int) -> int:
    """Where the parenthesis that opens at `start` closes."""
    depth = 0
    for match in re.compile(r"[()]").finditer(text, start):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.start()
    raise ValueError(f"cannot read the compiler's text: {text[start : start + 200]}")


def _operand(name: str, computation: Computation) -> Instruction | None:
    """What an instruction's value is a copy of."""
    instruction = computation.get(name)
    while instruction is not None and instruction.opcode in ("copy", "bitcast", "convert"):
        instruction = computation.get(instruction.operands[0])
    return instruction


def _integer(name: str, computation: Computation, carried: tuple[Instruction, Computation] | None) -> int | None:
    """The constant that a scalar in a loop's condition is, or begins as in the tuple that the loop carries."""
    instruction = _operand(name, computation)
    if instruction is None:
        return None
    if instruction.opcode == "constant" and re.fullmatch(r"-?\d+", instruction.inside):
        return int(instruction.inside)
    index = re.search(r"index=(\d+)", instruction.attributes)
    if instruction.opcode == "get-tuple-element" and carried and index:
        start, around = carried
        if start.opcode == "tuple":
            return _integer(start.operands[int(index[1])], around, None)
    return None
