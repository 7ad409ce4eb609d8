"""The audit's chain, pure: what an entry looks like, its hash, and where a file of entries is broken.

An entry is one JSON object in canonical form (RFC 8785); its hash is SHA-256 of that form, in hex, and the next entry
names it as `previous`. So nothing can be changed, left out, put in or moved without breaking what follows. What the
chain cannot tell by itself is that its newest entries are missing: compare `head` with one that was noted elsewhere.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import rfc8785

from contracts.ids import moment
from services.credentials.records import Fact

VERSION: Final = 1
BEGINNING: Final = "0" * 64
"""What the first entry of a client names as its previous."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry: how many there are, and its hash."""

    number: int = 0
    hash: str = BEGINNING


@dataclass(frozen=True, slots=True)
class Link:
    """One entry, ready to be kept: its canonical form, its hash, and by what a repeat is recognised."""

    number: int
    line: str
    hash: str
    content: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that is not as it was written. `line` counts from 1; `number` is the entry's own word."""

    line: int
    number: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Whole:
    """Every entry is as it was written, and none is missing from the first to the head."""

    tenant: str | None
    head: Head


def content_of(fact: Fact) -> dict[str, Any]:
    """Return what an entry says of `fact`, without its place in the chain. Never a secret: facts hold none."""
    return {
        "v": VERSION,
        "tenant": str(fact.tenant),
        "at": moment(fact.at),
        "type": fact.event.TYPE,
        "key": fact.key,
        "by": fact.by,
        "event": fact.event.model_dump(mode="json", exclude_none=True),
        "evidence": [[name, text] for name, text in fact.evidence],
        "cause": str(fact.cause.id),
    }


def digest_of(content: Mapping[str, Any]) -> str:
    """Return by what the same fact, told twice, is recognised: SHA-256 of its canonical form, in hex."""
    return sha256(rfc8785.dumps(dict(content))).hexdigest()


def chained(head: Head, contents: Sequence[Mapping[str, Any]]) -> list[Link]:
    """Return the entries that follow `head`, in this order."""
    links: list[Link] = []
    for content in contents:
        number, previous = head.number + 1, head.hash
        line = rfc8785.dumps({**content, "number": number, "previous": previous})
        head = Head(number, sha256(line).hexdigest())
        links.append(Link(number, line.decode(), head.hash, digest_of(content)))
    return links


def exported(line: str, hash_: str) -> str:
    """Return one line of an export: the entry with its hash beside it, canonical again.

    Raises:
        ValueError: the entry is none.
    """
    entry = json.loads(line)
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as if it were no JSON at all
    return rfc8785.dumps({**entry, "hash": hash_}).decode()


def verify(lines: Iterable[str], *, head: Head | None = None) -> Whole | Broken:
    """Return whether `lines` of one client's export are whole, or the first that is not.

    `head`: what was noted elsewhere; the chain must reach it, entry by entry.
    """
    walk = Walk(head)
    for text in lines:
        if (broken := walk.put(text)) is not None:
            return broken
    return walk.end()


class Walk:
    """One client's entries, checked one after the other."""

    def __init__(self, head: Head | None = None) -> None:
        """Begin before the first entry; the walk must come past `head`."""
        self._noted = head
        self._last = Head()
        self._lines = 0
        self._tenant: str | None = None

    def put(self, text: str) -> Broken | None:
        """Check the next entry; `None`: it is as it was written."""
        self._lines += 1
        entry = _entry(text)
        if isinstance(entry, str):
            return Broken(self._lines, None, entry)
        why, hash_ = _fault(entry, self._last, self._tenant)
        if why:
            return Broken(self._lines, _number(entry), why)
        self._last, self._tenant = Head(self._last.number + 1, hash_), entry["tenant"]
        if self._noted is not None and self._noted.number == self._last.number and self._noted != self._last:
            return Broken(self._lines, self._last.number, "another entry was here when the head was noted")
        return None

    def end(self) -> Whole | Broken:
        """Return what was found when there are no more entries."""
        if self._noted is not None and self._noted.number > self._last.number:
            why = f"the newest are missing: {self._last.number} entries are here, {self._noted.number} were noted"
            return Broken(self._lines + 1, None, why)
        return Whole(self._tenant, self._last)


def _entry(text: str) -> dict[str, Any] | str:
    """Return the object in one line, or why it is none."""
    try:
        entry = json.loads(text, object_pairs_hook=_each_once)
    except ValueError:
        return "not a JSON object with each name once"
    return entry if isinstance(entry, dict) else "not a JSON object with each name once"


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name stands twice")
    return names


def _fault(entry: Mapping[str, Any], last: Head, tenant: str | None) -> tuple[str | None, str]:
    """Return what is wrong with an entry at its place, if anything, and its hash."""
    written = {name: value for name, value in entry.items() if name != "hash"}
    try:
        hash_ = sha256(rfc8785.dumps(written)).hexdigest()
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return "cannot be written in canonical form", BEGINNING
    if entry.get("v") != VERSION or not _is_uuid(entry.get("tenant")):
        return "not an entry of this audit", hash_
    if entry.get("hash") != hash_:
        return "its content is not what its hash was made of", hash_
    if entry.get("number") != last.number + 1:
        return f"number {last.number + 1} belongs here", hash_
    if entry.get("previous") != last.hash:
        return "it does not follow the entry before it", hash_
    if tenant is not None and entry["tenant"] != tenant:
        return "of another client", hash_
    return None, hash_


def _number(entry: Mapping[str, Any]) -> int | None:
    number = entry.get("number")
    return number if isinstance(number, int) else None


def _is_uuid(value: object) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False
