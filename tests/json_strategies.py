"""Strategies for JSON: any value, or a valid body with mistakes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

# Half surrogate pairs included: JSON can hold them, and UTF-8 cannot.
text = st.text(st.characters(exclude_categories=()), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text | st.just("https://[")
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a JSON value, as a container and the key or index in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


@st.composite
def mutated(draw: st.DrawFn, valid: Any) -> Any:
    """A valid body with one to three of its values replaced or left out."""
    body = [copy.deepcopy(valid)]
    for _ in range(draw(st.integers(1, 3))):
        owner, key = draw(st.sampled_from(list(_places(body))))
        if isinstance(owner, dict) and draw(st.booleans()):
            del owner[key]
        else:
            owner[key] = draw(json_values)
    return body[0]
