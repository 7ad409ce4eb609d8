"""Bodies that are nearly right: a true one of which something was replaced, left out, doubled or cut."""

import json
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from faults.input import corpus

MOST_CHANGES: Final = 4
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
values: Final[st.SearchStrategy[Any]] = st.sampled_from(corpus.VALUES) | st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
"""Anything that JSON can say, and the ugliest of it often."""


@st.composite
def near(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Return one of `seeds`, changed: in its fields where it is JSON, in its bytes where not, and sometimes both."""
    seed = draw(st.sampled_from(seeds))
    told = _json_of(seed)
    if told is None or draw(st.integers(0, 5)) == 0:
        return draw(_cut(seed))
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        told = draw(_changed(told))
    return json.dumps(told).encode()


@st.composite
def _cut(draw: st.DrawFn, seed: bytes) -> bytes:
    """Return bytes of which a piece was replaced by others, or by itself twice."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(seed))] * 2)))
    ugly = st.sampled_from([str(each).encode("utf-8", "surrogatepass") for each in corpus.VALUES])
    piece = draw(st.binary(max_size=20) | ugly | st.just(seed[start:end] * 2))
    return seed[:start] + piece + seed[end:]


@st.composite
def _changed(draw: st.DrawFn, told: Any) -> Any:
    """Return a copy of a value in which one place, however deep, is another value, is gone or is there twice."""
    if not isinstance(told, dict | list) or not told or draw(st.integers(0, 9)) == 0:
        return draw(values)
    if isinstance(told, list):
        place = draw(st.integers(0, len(told) - 1))
        inner = draw(st.one_of(st.just([]), st.just([told[place]] * 2), _changed(told[place]).map(lambda each: [each])))
        return [*told[:place], *inner, *told[place + 1 :]]
    name = draw(st.sampled_from(sorted(told)))
    others = {other: each for other, each in told.items() if other != name}
    match draw(st.integers(0, 7)):
        case 0:
            return others
        case 1:
            return {**others, str(draw(values)): told[name]}
        case _:
            return {**others, name: draw(_changed(told[name]))}


def _json_of(seed: bytes) -> Any:
    try:
        return json.loads(seed)
    except ValueError:
        return None
