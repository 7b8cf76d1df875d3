"""Find the name that is most like a wrong one. Loaded while an error is explained."""


def near(name: str, names, least: float = 0.6) -> str:
    """Return the one of `names` that is most like a name, or "" if none is.

    least: how much must be alike, 0 to 1.
    """
    best = ""
    for other in names:
        alike = _likeness(name, other)
        if alike > least or alike == least and not best:
            best, least = other, alike
    return best


def _likeness(one, other):
    """Return how much of two texts is alike, 0 to 1: the length of their common subsequence."""
    # Much longer or shorter ones cannot be alike, and comparing them would take long.
    if abs(len(other) - len(one)) > max(3, len(one) // 2):
        return 0
    first, second = one.lower().encode(), other.lower().encode()
    row = [0] * (len(second) + 1)
    for byte in first:
        diagonal = 0
        for index in range(len(second)):
            above = row[index + 1]
            if byte == second[index]:
                row[index + 1] = diagonal + 1
            elif row[index] > above:
                row[index + 1] = row[index]
            diagonal = above
    return 2 * row[-1] / (len(first) + len(second))
