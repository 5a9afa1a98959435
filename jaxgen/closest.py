"""What was meant by a name that is not there: the one and only place where suggestions are made."""

from collections.abc import Iterable


def closest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` is a slip of the pen for; else the shortest that begins with it; None without.

    A slip is at most one edit in three characters (`distance`); of several as near the first is meant.
    """
    names, slip = list(names), max(1, len(name) // 3)
    as_long = [other for other in names if abs(len(other) - len(name)) <= slip]  # no others can be so near
    near = min(as_long, key=lambda other: distance(name, other), default=None)
    if near is not None and distance(name, near) <= slip:
        return near
    return min((other for other in names if other.startswith(name)), key=len, default=None)


def distance(a: str, b: str) -> int:
    """How many characters are to be put in, left out, replaced or swapped with the next one to make b of a.

    Damerau, 1964, "A Technique for Computer Detection and Correction of Spelling Errors", no substring edited twice.
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        earlier, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]
