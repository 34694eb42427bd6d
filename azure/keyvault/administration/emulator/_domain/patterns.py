"""Patterns in which ``*`` stands for any text, and every other character for itself."""

from __future__ import annotations

from fnmatch import fnmatchcase

_ANY = "*"


def matches(pattern: str, text: str) -> bool:
    """Return whether a pattern stands for a text."""
    return fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


def overlap(one: str, other: str) -> bool:
    """Return whether there is a text for which both patterns stand."""
    # A place in a row says whether the one so far, and the other up to there, have a text in common.
    row = [True]
    for theirs in other:
        row.append(row[-1] and theirs == _ANY)
    for mine in one:
        above, row = row, [row[0] and mine == _ANY]
        for place, theirs in enumerate(other):
            if _ANY in {mine, theirs}:
                row.append(above[place + 1] or row[place])
            else:
                row.append(mine == theirs and above[place])
    return row[-1]
