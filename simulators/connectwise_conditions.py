"""The `conditions`, `orderBy` and `fields` of ConnectWise PSA's lists, as far as they are confirmed.

Texts stand in quotes, dates in `[ ]`, fields of a reference behind a slash; `and`, `or`, `not` and parentheses join
comparisons. Texts are compared without regard to case, as the database below does. How a quote inside a text is
written is not known: here a text simply ends at the next quote.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

Row = dict[str, Any]
Test = Callable[[Row], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<text>"[^"]*"|'[^']*') | (?P<date>\[[^\]]*\]) | (?P<number>-?\d+(?:\.\d+)?)(?![\w/])
        | (?P<symbol><=|>=|!=|=|<|>|\(|\)|,) | (?P<word>[A-Za-z_][\w/]*)
    )""",
    re.VERBOSE,
)
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ALIASES: Final = {"lastUpdated": "_info/lastUpdated", "dateEntered": "_info/dateEntered"}
_CONSTANTS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}


class Unreadable(ValueError):
    """The conditions are none."""


class _Token(NamedTuple):
    kind: str
    text: str


def parsed(conditions: str) -> Test:
    """Return the test that `conditions` are; no conditions let everything through.

    Raises:
        Unreadable: they cannot be understood.
    """
    tokens = _tokens(conditions)
    if not tokens:
        return lambda _row: True
    reader = _Reader(tokens)
    test = reader.either()
    if reader.left:
        raise Unreadable(f"unexpected {reader.left[0].text!r}")
    return test


def ordered(rows: Sequence[Row], order_by: str) -> list[Row]:
    """Return rows in the order of one field, `asc` or `desc`; by id where none is named."""
    field, _, direction = order_by.strip().partition(" ")
    path = field or "id"
    return sorted(rows, key=lambda row: _sortable(value_at(row, path)), reverse=direction.strip().lower() == "desc")


def projected(row: Row, fields: str) -> Row:
    """Return what `fields` names of a row, everything where it names nothing."""
    if not fields:
        return row
    kept: Row = {}
    for path in fields.split(","):
        *outer, last = path.strip().split("/")
        source, target = row, kept
        for part in outer:
            inner = source.get(part)
            if not isinstance(inner, dict):
                break
            source, target = inner, target.setdefault(part, {})
        else:
            if last in source:
                target[last] = source[last]
    return kept


def value_at(row: Row, path: str) -> Any:
    """Return what a row has at `company/id` and the like; `None` where there is nothing."""
    found: Any = row
    for part in _ALIASES.get(path, path).split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.left = tokens

    def either(self) -> Test:
        tests = [self._both()]
        while self._took("or"):
            tests.append(self._both())
        return lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._took("and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._took("not"):
            test = self._one()
            return lambda row: not test(row)
        if self._took("("):
            inner = self.either()
            self._must(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        kind, path = self._next()
        if kind != "word":
            raise Unreadable(f"{path!r} is no field")
        _, sign = self._next()
        match sign.lower():
            case "contains":
                part = self._text()
                return lambda row: part in _folded(value_at(row, path) or "")
            case "like":
                pattern = re.compile(".*".join(re.escape(each) for each in re.split("[%*]", self._text())), re.DOTALL)
                return lambda row: pattern.fullmatch(_folded(value_at(row, path) or "")) is not None
            case "in":
                values = self._values()
                return lambda row: _folded(value_at(row, path)) in values
            case known if known in _COMPARE:
                return _compared(path, _COMPARE[known], self._value())
            case _:
                raise Unreadable(f"{sign!r} is no comparison")

    def _values(self) -> list[Any]:
        self._must("(")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._must(")")
        return values

    def _text(self) -> str:
        value = self._value()
        if not isinstance(value, str):
            raise Unreadable("a text is wanted")
        return value

    def _value(self) -> Any:
        kind, text = self._next()
        match kind:
            case "text":
                return text[1:-1].casefold()
            case "number":
                return float(text)
            case "date":
                return _date(text[1:-1])
            case "word" if text.lower() in _CONSTANTS:
                return _CONSTANTS[text.lower()]
            case _:
                raise Unreadable(f"{text!r} is no value")

    def _took(self, word: str) -> bool:
        if self.left and self.left[0].kind in {"word", "symbol"} and self.left[0].text.lower() == word:
            self.left = self.left[1:]
            return True
        return False

    def _must(self, word: str) -> None:
        if not self._took(word):
            raise Unreadable(f"{word!r} is missing")

    def _next(self) -> _Token:
        if not self.left:
            raise Unreadable("something is missing at the end")
        token, *self.left = self.left
        return token


def _tokens(conditions: str) -> list[_Token]:
    tokens, at = [], 0
    text = conditions.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise Unreadable(f"cannot be read from {text[at : at + 20]!r} on")
        tokens.append(_Token(found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


def _compared(path: str, compare: Callable[[Any, Any], bool], wanted: Any) -> Test:
    def test(row: Row) -> bool:
        found = value_at(row, path)
        if isinstance(wanted, datetime):
            found = _date(found) if isinstance(found, str) else None
        try:
            return compare(_folded(found), wanted)
        except TypeError:  # what cannot be compared, such as a number with nothing, is not it
            return False

    return test


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Unreadable(f"{text!r} is no date") from error


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)
