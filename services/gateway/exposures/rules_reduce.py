"""Reduces a feed's body to what may be kept: declared fields of a declared shape, a fingerprint for the secret. Pure.

Nothing else survives: neither a field that nobody declared, nor a field's name, nor a kept value that holds the secret.
So a feed may rename its fields, nest them, or put a password where nobody expects one, and it is dropped all the same.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from pydantic_core import from_json

from services.gateway.exposures.rules_shapes import Kept, Shape, kept

Record = dict[str, Any]
"""What is kept of one record, by role: `login`, `document`, ...; under `secret` the fingerprint and whence it is."""

Fingerprint = Callable[[str, str], str]
"""Makes a keyed fingerprint of a login and a secret."""

LOGIN: Final = "login"
SECRET: Final = "secret"  # noqa: S105 - the name of a role
RECORDS: Final = "records"
OTHER: Final = "other"
"""Where a secret was found in a field that is not declared, but named like one."""

SHORTEST_FOUND: Final = 4
"""A secret shorter than this is not searched for in the kept values: it would be found everywhere."""

_SECRETIVE: Final = re.compile(
    r"pass(?!age|port_)|pwd|hash|salt|secret|cookie|token|credential_value|clear.?text|plain.?text|\bpin\b|otp|bearer"
    r"|api.?key|private.?key|hint|auth(?:orization)?$|session",
    re.IGNORECASE,
)
LONGEST_PATH: Final = 1024
"""A path is told apart by so much of it: a long name above many others would be copied for each of them."""

_WIDE: Final = 2**63
"""A number from here on is told in hex: Python refuses to write very long ones in tens."""

_UTF8_MARK: Final = b"\xef\xbb\xbf"


class NotReadable(ValueError):
    """A body is none that the feed's rules can read. The text never quotes it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a role's value stands in a record: the first of `paths` that holds one of `shape` counts."""

    paths: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRules:
    """How to read one feed. A path is names with dots between; `[]` after a name: each of that list.

    `records`: where the records are; the first path that leads to any counts; an empty one is the body itself.
    `kept`: what of a record is kept, by role. `around`: the same of the body, for records that do not say it.
    `secrets`: where secrets stand, the most telling first. `silent`: what tells too much and is no secret to compare.
    `needs`: roles without which a record cannot be read; the first also tells whether a body is itself a record.
    """

    records: tuple[str, ...]
    kept: Mapping[str, Place]
    secrets: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    around: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    needs: tuple[str, ...] = (LOGIN,)


@dataclass(frozen=True, slots=True)
class Reduced:
    """What is left of a body, and how many of its records could not be read."""

    records: tuple[Record, ...]
    unread: int


def reduced(rules: FeedRules, body: bytes, fingerprint: Fingerprint) -> Reduced:
    """Return what of `body` may be kept.

    Raises:
        NotReadable: it is not JSON, or nothing in it is a record of the feed.
    """
    try:
        root = from_json(body.removeprefix(_UTF8_MARK), allow_inf_nan=False)
    except ValueError:
        raise NotReadable("not JSON in UTF-8") from None  # what the parser says may quote the body
    if isinstance(root, list):
        root = {"": root}
    if not isinstance(root, dict):
        raise NotReadable("neither a JSON object nor a list")
    found = _records(rules, root)
    common = {role: value for role, place in rules.around.items() if (value := _kept_of(root, place)) is not None}
    records = [_reduced_record(rules, each, common, fingerprint) for each in found]
    good = tuple(each for each in records if each is not None)
    return Reduced(good, len(records) - len(good))


def written(feed: str, what: Reduced) -> bytes:
    """Return the body that is kept in place of the feed's own."""
    body = {"feed": feed, "records": what.records, "unread": what.unread}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def is_secretive(path: str) -> bool:
    """Return whether a field's name says that its value is nobody's to keep."""
    return _SECRETIVE.search(path.rpartition(".")[2]) is not None


def values_at(value: object, path: str) -> Iterator[object]:
    """Yield what stands at `path`; nothing where a step leads nowhere."""
    step, _, rest = path.partition(".")
    if path and isinstance(value, dict):
        name = step.removesuffix("[]")
        each = value.get(name)
        if step.endswith("[]"):
            for one in each if isinstance(each, list) else ():
                yield from values_at(one, rest)
        elif each is not None:
            yield from values_at(each, rest)
    elif not path:
        yield value


def _records(rules: FeedRules, root: Mapping[str, Any]) -> Sequence[object]:
    for path in rules.records:
        if path == "":
            if _kept_of(root, rules.kept[rules.needs[0]]) is not None:
                return [root]
        elif (found := list(values_at(root, path))) or root.get(path.partition("[]")[0]) == []:
            return found
    raise NotReadable("nothing in it is a record of this feed")


def _reduced_record(
    rules: FeedRules, record: object, common: Mapping[str, Kept], fingerprint: Fingerprint
) -> Record | None:
    if not isinstance(record, dict):
        return None
    result: Record = dict(common)
    result |= {role: value for role, place in rules.kept.items() if (value := _kept_of(record, place)) is not None}
    secrets = _secrets(rules, record)
    texts = {each.casefold() for _, found in secrets for each in found if len(each) >= SHORTEST_FOUND}
    result = {role: value for role, value in result.items() if role == LOGIN or not _holds_any(value, texts)}
    if any(need not in result for need in rules.needs):
        return None
    if secrets:
        where, found = secrets[0]
        result[SECRET] = {"fingerprint": fingerprint(result.get(LOGIN, ""), _as_one(found)), "field": where}
    return result


def _kept_of(record: object, place: Place) -> Kept | None:
    for path in place.paths:
        for value in values_at(record, path):
            if (one := kept(value, place.shape)) is not None:
                return one
    return None


def _secrets(rules: FeedRules, record: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the secrets of a record by where they stand, the most telling first, then those of secretive names."""
    declared = {path for place in rules.kept.values() for path in place.paths}
    found = [
        (path, _sorted(leaf for value in values_at(record, path) for leaf in _leaves(value))) for path in rules.secrets
    ]
    others = _sorted(_secretive(record, "", declared.union(rules.secrets, rules.silent)))
    return [(where, texts) for where, texts in (*found, (OTHER, others)) if texts]


def _sorted(texts: Iterator[str]) -> list[str]:
    """Return texts so that their order in the body does not matter."""
    return sorted(set(texts) - {""})


def _as_one(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False)


def _secretive(value: object, path: str, known: AbstractSet[str]) -> Iterator[str]:
    """Yield the texts below secretive names that the rules do not know."""
    if isinstance(value, dict):
        for name, each in value.items():
            inner = (f"{path}.{name}" if path else str(name))[:LONGEST_PATH]
            if inner in known or f"{inner}[]" in known:
                continue
            yield from (
                _leaves(each)
                if is_secretive(str(name)) and not _leads_to(inner, known)
                else _secretive(each, inner, known)
            )
    elif isinstance(value, list):
        for each in value:
            yield from _secretive(each, f"{path}[]", known)


def _leads_to(path: str, known: AbstractSet[str]) -> bool:
    return any(each.startswith((f"{path}.", f"{path}[].")) for each in known)


def _leaves(value: object) -> Iterator[str]:
    """Yield every text and number in a value."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield f"{value:x}" if abs(value) >= _WIDE else str(value)
    elif isinstance(value, float):
        yield str(value)


def _holds_any(value: Kept, texts: AbstractSet[str]) -> bool:
    text = str(value).casefold()
    return any(each in text for each in texts)
