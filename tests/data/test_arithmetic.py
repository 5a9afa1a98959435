"""The grammar's strings by a parser of its own, and figures that a generator of one string does not raise together."""

import ast

import numpy as np
import pytest

from jaxgen.data.arithmetic import LENGTH, PROBABILITIES, arithmetic, judge, strings


def says(text):
    """Whether Python reads the text as operations on x alone."""
    allowed = (ast.Expression, ast.BinOp, ast.Name, ast.Load, ast.operator)
    try:
        return all(isinstance(node, allowed) for node in ast.walk(ast.parse(text.rstrip(" "), mode="eval")))
    except SyntaxError:
        return False


def test_the_data_are_all_valid_and_distributed_as_stated():
    texts = strings(arithmetic(train=4000, test=10).train[np.arange(4000)]["tokens"])
    assert {len(text) for text in texts} == {LENGTH}
    assert all(map(says, texts))
    terms = np.bincount([text.count("x") for text in texts], minlength=7)[1:] / 4000
    np.testing.assert_allclose(terms, PROBABILITIES, atol=0.035)
    found = judge(texts)
    assert found["valid"] == 1
    assert found["length_distance"] < 0.03
    assert found["operator_distance"] < 0.03


@pytest.mark.parametrize("text", ["x+", "xx", "+x", "x + x", "x+x  x", "  x", "", "y", "x-+x"])
def test_what_is_not_valid(text):
    assert judge([text, "x-x*x"])["valid"] == 0.5
    assert " " in text.strip() or text[:1] in "+ " or not says(text) or text in ("xx", "y")


def test_a_generator_of_one_string_is_valid_and_found_out():
    one = judge(["x          "] * 100)
    assert one["valid"] == 1
    assert one["length_distance"] == pytest.approx(1 - PROBABILITIES[0])
    assert one["distinct"] == 0.01
    # Total variation by hand: half of x, half of what is not valid.
    half = judge(["x", "xx"] * 50)
    assert half["length_distance"] == pytest.approx((0.5 + (PROBABILITIES[0] - 0.5) + PROBABILITIES[1:].sum()) / 2)
    assert judge(["x+x"])["operator_distance"] == 0.75
