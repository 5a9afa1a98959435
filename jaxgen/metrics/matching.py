"""How well groups that nobody named agree with classes that have names."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def matched_accuracy(groups: np.ndarray, labels: np.ndarray) -> float:
    """The share of examples whose group is their class's, by the best matching of groups with classes, one with one.

    The optimum of Kuhn, 1955, "The Hungarian Method for the Assignment Problem". With more groups than classes, or
    fewer, examples of those that are left over count as wrong.

    Args:
      groups: `[count]`, whole numbers from 0.
      labels: `[count]`, likewise.
    """
    shared = np.zeros((np.max(groups) + 1, np.max(labels) + 1))
    np.add.at(shared, (groups, labels), 1)
    return float(shared[linear_sum_assignment(shared, maximize=True)].sum() / len(labels))


def purity(groups: np.ndarray, labels: np.ndarray) -> float:
    """The share of examples that are of their group's commonest class; 1 where every example is a group.

    Args:
      groups: `[count]`, whole numbers from 0.
      labels: `[count]`, likewise.
    """
    shared = np.zeros((np.max(groups) + 1, np.max(labels) + 1))
    np.add.at(shared, (groups, labels), 1)
    return float(shared.max(1).sum() / len(labels))
