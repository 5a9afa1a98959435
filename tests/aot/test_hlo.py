"""The reader of compiled programs on programs small enough to count by hand."""

import jax
import jax.numpy as jnp
import pytest

from jaxgen.aot.hlo import Array, Program

# As the TPU compiler writes loops: no trip count, the bound in the condition or carried by the loop.
LOOP = """HloModule loop

%body (p: (s32[], f32[8], s32[])) -> (s32[], f32[8], s32[]) {
  %p = (s32[]{:T(128)}, f32[8]{0:T(128)}, s32[]{:T(128)}) parameter(0)
  %i = s32[]{:T(128)} get-tuple-element(%p), index=0
  %one = s32[]{:T(128)} constant(1)
  %next = s32[]{:T(128)} add(%i, %one)
  %x = f32[8]{0:T(128)} get-tuple-element(%p), index=1
  %y = f32[8]{0:T(128)} negate(%x)
  %n = s32[]{:T(128)} get-tuple-element(%p), index=2
  ROOT %t = (s32[]{:T(128)}, f32[8]{0:T(128)}, s32[]{:T(128)}) tuple(%next, %y, %n)
}

%condition (q: (s32[], f32[8], s32[])) -> pred[] {
  %q = (s32[]{:T(128)}, f32[8]{0:T(128)}, s32[]{:T(128)}) parameter(0)
  %j = s32[]{:T(128)} get-tuple-element(%q), index=0
  %bound = s32[]{:T(128)} BOUND
  ROOT %lt = pred[]{:T(512)} compare(%j, %bound), direction=LT
}

ENTRY %main (a: f32[8]) -> f32[8] {
  %a = f32[8]{0:T(128)} parameter(0)
  %start = s32[]{:T(128)} constant(2)
  %from = s32[]{:T(128)} copy(%start)
  %length = s32[]{:T(128)} constant(9)
  %init = (s32[]{:T(128)}, f32[8]{0:T(128)}, /*index=2*/s32[]{:T(128)}) tuple(%from, %a, %length)
  %w = (s32[]{:T(128)}, f32[8]{0:T(128)}, s32[]{:T(128)}) while(%init), condition=%condition, body=%body
  ROOT %r = f32[8]{0:T(128)} get-tuple-element(%w), index=1
}
"""


@pytest.mark.parametrize(
    ("bound", "trips"),
    [("constant(7)", 5), ("get-tuple-element(%q), index=2", 7), ("custom-call()", 1)],
    ids=["constant", "carried", "unknown"],
)
def test_the_length_of_a_loop_is_read_from_its_condition(bound, trips):
    program = Program.parse(LOOP.replace("BOUND", bound))
    assert program.executions(fused=False) == {"body": trips, "condition": trips + 1, "main": 1}


def test_every_branch_of_a_condition_counts():
    text = """HloModule condition

%yes (a: f32[8]) -> f32[8] {
  %a = f32[8]{0} parameter(0)
  ROOT %y = f32[8]{0} negate(%a)
}

%no (b: f32[8]) -> f32[8] {
  %b = f32[8]{0} parameter(0)
  ROOT %n = f32[8]{0} abs(%b)
}

ENTRY %main (p: pred[], x: f32[8]) -> f32[8] {
  %p = pred[] parameter(0)
  %x = f32[8]{0} parameter(1)
  ROOT %c = f32[8]{0} conditional(%p, %x, %x), true_computation=%yes, false_computation=%no
}
"""
    assert Program.parse(text).executions(fused=False) == {"yes": 1, "no": 1, "main": 1}


def test_nested_loops_multiply():
    def inner(x, w):
        return jnp.tanh(x @ w), None

    def outer(x, ws):
        return jax.lax.scan(inner, x, ws)[0], None

    compiled = jax.jit(lambda x, ws: jax.lax.scan(outer, x, ws)[0]).lower(jnp.ones((8, 8)), jnp.ones((3, 5, 8, 8)))
    program = Program.parse(compiled.compile().as_text())
    runs = program.executions(fused=True)
    products = [
        runs[name]
        for name, computation in program.computations.items()
        for instruction in computation.values()
        if instruction.opcode == "dot"
    ]
    assert products == [15]


@pytest.mark.parametrize(
    ("text", "array", "size", "padded"),
    [
        ("f32[32,12]{1,0:T(8,128)}", Array("f32", (32, 12), (1, 0), (8, 128)), 32 * 12 * 4, 32 * 128 * 4),
        ("bf16[5,3,100]{0,2,1:T(8,128)(2,1)S(1)}", Array("bf16", (5, 3, 100), (0, 2, 1), (8, 128), 1), 3000, 79872),
        ("pred[]{:T(512)}", Array("pred", (), (), (512,)), 1, 1),
        ("s32[3,4]", Array("s32", (3, 4), (1, 0)), 48, 48),
    ],
)
def test_arrays_and_the_memory_they_fill(text, array, size, padded):
    program = Program.parse(f"ENTRY %main () -> {text} {{\n  ROOT %x = {text} parameter(0)\n}}")
    (read,) = program.computations["main"]["x"].arrays
    assert read == array
    assert (read.bytes, read.padded_bytes) == (size, padded)
