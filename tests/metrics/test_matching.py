"""Groups and classes are matched as well as they can be."""

import itertools

import numpy as np
import pytest

from jaxgen.metrics.matching import matched_accuracy, purity


def test_it_is_the_best_of_all_permutations():
    rng = np.random.default_rng(0)
    groups, labels = rng.integers(0, 4, (2, 100))
    best = max(np.mean(np.array(names)[groups] == labels) for names in itertools.permutations(range(4)))
    assert matched_accuracy(groups, labels) == pytest.approx(best)


def test_renamed_classes_are_matched_and_a_constant_has_the_largest_class():
    labels = np.array([0, 0, 0, 1, 2, 2])
    assert matched_accuracy(2 - labels, labels) == 1
    assert matched_accuracy(np.zeros(6, int), labels) == 0.5


def test_one_class_in_two_groups_is_half_right():
    assert matched_accuracy(np.array([0, 1, 0, 1]), np.zeros(4, int)) == 0.5


def test_purity_counts_each_group_s_commonest_class():
    groups, labels = np.array([0, 0, 0, 2, 2, 2, 2]), np.array([1, 1, 0, 0, 2, 2, 1])
    assert purity(groups, labels) == 4 / 7
    assert purity(np.arange(7), labels) == 1
