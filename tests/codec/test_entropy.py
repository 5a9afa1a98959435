import numpy as np
import pytest

from jaxgen.codec.entropy import Reader, Stack, Writer
from jaxgen.errors import UserError

RNG = np.random.default_rng(0)
PMF = RNG.dirichlet(np.full(17, 0.3), 5000)
SYMBOLS = np.array([RNG.choice(17, p=p) for p in PMF])
BITS = -np.log2(PMF[np.arange(5000), SYMBOLS]).sum()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_a_queue_gives_its_symbols_in_order_and_takes_the_bits_they_have(dtype):
    writer = Writer()
    for part in np.split(np.arange(5000), 5):
        writer.push(SYMBOLS[part].astype(dtype), PMF[part])
    reader = Reader(writer.words())
    np.testing.assert_array_equal(np.concatenate([reader.pop(p) for p in np.split(PMF, 20)]), SYMBOLS)
    assert BITS <= 32 * len(writer.words()) <= 1.001 * BITS + 64


def test_a_stack_gives_its_symbols_last_push_first_and_its_first_words_back():
    seed = np.arange(1, 9, dtype=np.uint32)
    stack = Stack(seed)
    stack.push(SYMBOLS[:100], PMF[:100])
    stack.push(SYMBOLS[100:], PMF[100:])
    assert abs(32 * (len(stack.words()) - 8) - BITS) < 0.001 * BITS + 64
    again = Stack(stack.words())
    np.testing.assert_array_equal(again.pop(PMF[100:]), SYMBOLS[100:])
    np.testing.assert_array_equal(again.pop(PMF[:100]), SYMBOLS[:100])
    np.testing.assert_array_equal(again.words(), seed)


def test_what_a_stack_gives_is_drawn_from_the_probabilities_and_goes_back():
    seed = RNG.integers(1, 1 << 32, 4000, np.uint32)
    p = np.array([0.5, 0.2, 0.3])
    stack = Stack(seed)
    drawn = stack.pop(np.tile(p, (20000, 1)))
    np.testing.assert_allclose(np.bincount(drawn) / 20000, p, atol=0.02)
    stack.push(drawn, np.tile(p, (20000, 1)))
    np.testing.assert_array_equal(stack.words(), seed)


def test_a_symbol_of_probability_zero_is_coded_all_the_same():
    writer = Writer()
    writer.push([0], [[0.0, 1.0]])
    assert Reader(writer.words()).pop(np.array([[0.0, 1.0]])) == [0]


@pytest.mark.parametrize("bad", [[0.5, -0.1, 0.6], [np.nan, 0.5, 0.5], [0.0, 0.0, 0.0], [np.inf, 0.0, 0.0]])
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(UserError, match="negative, not finite or all zero"):
        Writer().push([1], [bad])


@pytest.mark.parametrize("symbol", [-1, 3])
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(UserError, match=f"from {symbol} to {symbol}: the model has 3 levels"):
        Stack(np.empty(0)).push([symbol], [[0.2, 0.3, 0.5]])


def test_words_that_no_coder_writes_are_refused():
    with pytest.raises(UserError, match="end in zero"):
        Stack(np.array([5, 0]))
    p = np.full((50, 17), 1 / 17)
    with pytest.raises(UserError, match="none that a range coder writes"):
        Reader(np.full(40, 0xFFFFFFFF)).pop(p)
