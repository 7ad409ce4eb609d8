"""What LDAP's values and result codes mean. Pure.

Sources: RFC 4511 (result codes), RFC 4517 (generalized time), RFC 4514 (names); Microsoft Open Specifications MS-ADTS
(file times, security identifiers, the layout of `objectGUID`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final
from uuid import UUID

NEVER_FILETIMES: Final = frozenset({0, 2**63 - 1})
_FILETIME_ZERO: Final = datetime(1601, 1, 1, tzinfo=UTC)
_GENERALIZED: Final = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:(\d\d))?)?(?:[.,](\d+))?(Z|[+-]\d{2}(?:\d{2})?)"
)
_ESCAPED: Final = re.compile(r"[\\*()\x00]|[^\x20-\x7e]")
_TOLD_BY_AD: Final = re.compile(r"^([0-9A-Fa-f]{8}):|\bdata ([0-9a-f]+)\b|\bproblem (\d+)\b")


class Meaning(Enum):
    """What a result code means for whoever asked."""

    DONE = auto()
    GONE = auto()
    FORBIDDEN = auto()
    LATER = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it was read: raw values by the lower-case name of their attribute."""

    dn: str
    values: Mapping[str, Sequence[bytes]]

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of an attribute as text; what is no text is left out."""
        return tuple(text for value in self.values.get(name.lower(), ()) if (text := _text(value)) is not None)

    def first(self, name: str) -> str | None:
        """Return an attribute's first value as text."""
        return next(iter(self.all(name)), None)

    def raw(self, name: str) -> bytes | None:
        """Return an attribute's first value as bytes."""
        return next(iter(self.values.get(name.lower(), ())), None)

    def number(self, name: str) -> int:
        """Return an attribute's first value as a number; 0 where there is none."""
        text = self.first(name) or ""
        return int(text) if re.fullmatch(r"-?\d{1,20}", text) else 0


def meaning(code: int) -> Meaning:
    """Return what a result code means. Source: RFC 4511, appendix A; MS-ADTS 3.1.1.3.1.3.4."""
    return _MEANINGS.get(code, Meaning.NEVER)


_MEANINGS: Final = {
    0: Meaning.DONE,
    1: Meaning.LATER,  # operationsError: Active Directory says so while it starts or a connection was cut short
    3: Meaning.LATER,  # timeLimitExceeded
    8: Meaning.FORBIDDEN,  # strongerAuthRequired
    13: Meaning.FORBIDDEN,  # confidentialityRequired
    32: Meaning.GONE,  # noSuchObject
    50: Meaning.FORBIDDEN,  # insufficientAccessRights
    51: Meaning.LATER,  # busy
    52: Meaning.LATER,  # unavailable
}


def told(code: int, description: str, message: str) -> str:
    """Return a result in words that hold nothing of what was sent: its name, and Active Directory's own numbers.

    A server's free text is left out: a quality check of passwords may repeat what it was given.
    """
    numbers = [part for found in _TOLD_BY_AD.findall(message or "") for part in found if part]
    return f"LDAP {code} ({description}{', ' if numbers else ''}{' '.join(numbers)})"


def escaped(text: str) -> str:
    """Return `text` as a value in a filter. Source: RFC 4515, section 3."""
    return _ESCAPED.sub(lambda found: "".join(f"\\{byte:02x}" for byte in found.group().encode()), text)


def generalized_at(text: str | None) -> datetime | None:
    """Return the moment that a generalized time names; `None` where it names none. Source: RFC 4517, 3.3.13."""
    found = _GENERALIZED.fullmatch(text or "")
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:
        return None  # such as the year 0000 of a lock for good
    offset = timedelta()
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5] or 0)) * (-1 if zone[0] == "-" else 1)
    return moment + timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0"))) - offset


def filetime_at(ticks: int) -> datetime | None:
    """Return the moment of a Windows file time (100 ns since 1601); `None` for never. Source: MS-DTYP 2.3.3."""
    if ticks in NEVER_FILETIMES or ticks < 0:
        return None
    return _FILETIME_ZERO + timedelta(microseconds=ticks // 10)


def guid_of(raw: bytes) -> str:
    """Return an `objectGUID` as people write it. Source: MS-DTYP 2.3.4.2."""
    return str(UUID(bytes_le=raw))


def sid_of(raw: bytes) -> str:
    """Return a security identifier as people write it. Source: MS-DTYP 2.4.2.2."""
    parts = [int.from_bytes(raw[at : at + 4], "little") for at in range(8, 8 + 4 * raw[1], 4)]
    return "-".join(["S", str(raw[0]), str(int.from_bytes(raw[2:8], "big")), *map(str, parts)])


def domain_of(dn: str) -> str | None:
    """Return the DNS domain that the last parts of a name spell: `dc=corp,dc=test` is `corp.test`. Source: RFC 2247."""
    parts = [part.strip() for part in re.split(r"(?<!\\),", dn)]
    labels = [part[3:].strip().lower() for part in parts if part[:3].lower() == "dc="]
    return ".".join(labels) or None


def name_of(dn: str) -> str:
    """Return the value of a name's first part, for people: `cn=Staff,ou=x` is `Staff`."""
    first = re.split(r"(?<!\\),", dn, maxsplit=1)[0].partition("=")[2].strip()
    return re.sub(r"\\(.)", r"\1", first)


def closed_over(direct: Sequence[str], parents: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the groups of `direct` and all that they are in, each once, in the order in which they were found."""
    found: dict[str, None] = {}
    waiting = list(direct)
    while waiting:
        group = waiting.pop(0)
        if group not in found:
            found[group] = None
            waiting.extend(parents.get(group, ()))
    return tuple(found)


def is_uuid(text: str) -> bool:
    """Return whether `text` is an identifier as directories write theirs, and nothing that means more in a name."""
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def words_of(text: str) -> frozenset[str]:
    """Return what stands between commas, lower case."""
    return frozenset(each.strip().lower() for each in text.split(",") if each.strip())


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
