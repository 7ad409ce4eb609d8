"""What Patchline writes into ConnectWise PSA and how it finds it again: conditions, summaries, marked notes. Pure."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit, urlunsplit

SUMMARY_UNITS: Final = 100
"""A summary is 1 to 100 characters long. Source: the vendor's OpenAPI. Counted in UTF-16, as the vendor's .NET does."""

CUT: Final = "…"
CLOUD: Final = frozenset({"na", "eu", "au", "aus", "za"})
"""The vendor's clouds; people know them by the address of the page, the API has another one. Source: reference A.2."""

MARK: Final = "Patchline: "
_MARKED: Final = re.compile(re.escape(MARK) + r"(\S+)")
_CODEBASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/")
_CLOSING, _OPENING = "resolve", "reopen"


def quoted(text: str) -> str | None:
    """Return `text` as a condition's value; `None`: it cannot be one.

    How ConnectWise escapes a quote inside a text is not confirmed, so none gets in: neither quote nor backslash, and
    nothing that is not printed.
    """
    if not text or not text.isprintable() or any(each in text for each in "\"'\\"):
        return None
    return f'"{text}"'


def since(moment: datetime) -> str:
    """Return a moment as a condition's value."""
    return f"[{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}]"


def summary_of(title: str, key: str) -> str:
    """Return a title as a summary, cut with an ellipsis where it is too long. The key travels elsewhere, uncut."""
    line = " ".join(title.split()) or key
    if _units(line) <= SUMMARY_UNITS:
        return line
    while _units(line) > SUMMARY_UNITS - 1:
        line = line[:-1]
    return line.rstrip() + CUT


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def marked(text: str, marker: str) -> str:
    """Return a note's text with the line by which it is found again, its last one."""
    return f"{text.rstrip()}\n\n{MARK}{marker}"


def marker_of(text: str | None) -> str | None:
    """Return the marker in the last line of a note; `None`: it has none."""
    lines = (text or "").strip().splitlines()
    found = _MARKED.fullmatch(lines[-1].strip()) if lines else None
    return found[1] if found else None


def is_by(author: str | None, member: str) -> bool:
    """Return whether our API member wrote something; where nobody is named, its marker has to do."""
    return author is None or author.casefold() == member.casefold()


def has_taken_effect(marker: str, *, is_open: bool) -> bool:
    """Return whether the act of a note that is there is done: closing and opening are two writes, the note is first."""
    match marker.split("/")[2:3]:
        case [act] if act == _CLOSING:
            return not is_open
        case [act] if act == _OPENING:
            return is_open
        case _:
            return True


def is_late(said: str | None, closed: str | None) -> bool:
    """Return whether a note came when its ticket was closed, as far as their moments (in seconds) tell."""
    if said is None or closed is None:
        return False
    try:
        return datetime.fromisoformat(said) >= datetime.fromisoformat(closed)
    except (ValueError, TypeError):  # no moments, or only one of the two with a zone
        return False


def is_closing(marker: str) -> bool:
    """Return whether the note with this marker is the one with which we close its ticket."""
    return marker.split("/")[2:3] == [_CLOSING]


def is_of_an_act(marker: str, key: str) -> bool:
    """Return whether a marker is of an act on the ticket with `key`, and not of a merge."""
    return marker.startswith(f"{key}/") and not marker.startswith(f"{key}/merged")


def copy_marker(key: str, ticket: str, note: int) -> str:
    """Return the marker of the copy, on a kept ticket, of a note of another one."""
    return f"{key}/merged-note/{ticket}/{note}"


def site_of(url: str) -> str:
    """Return the address of the API for the address of the page: the vendor's clouds have their own host for it."""
    parts = urlsplit(url.strip().rstrip("/"))
    region, _, domain = parts.netloc.lower().partition(".")
    if domain == "myconnectwise.net" and region in CLOUD:
        parts = parts._replace(netloc=f"api-{region}.{domain}")
    return urlunsplit(parts)


def is_codebase(text: str) -> bool:
    """Return whether a company's codebase can stand in an address, such as `v2026_1/`."""
    return _CODEBASE.fullmatch(text) is not None


def chosen_status(names: Collection[str], wanted: str | None) -> str | None:
    """Return the status to set of the names that fit, first come first; a wanted one only if it is among them."""
    if wanted is None:
        return next(iter(names), None)
    return next((name for name in names if name.casefold() == wanted.casefold()), None)
