"""Builds and versions as numbers that compare. Pure."""

import re
from functools import lru_cache
from typing import Final

Numbers = tuple[int, ...]

_WINDOWS_PREFIX: Final = "10.0."
_NUMBER: Final = re.compile(r"(\d{1,18}(?:[.\-_]\d{1,18}){0,7})(?:\s*\(([a-z])\))?")


@lru_cache(maxsize=4096)
def numbers(text: str | None) -> Numbers:
    """Return the numbers that a build or version begins with; empty where there are none.

    `10.0.26100.2894` and `26100.2894` are the same build; `6.8.0-51-generic` is (6, 8, 0, 51); the letter of Apple's
    background security improvements (`26.3.1 (a)`) is one number more.
    """
    spelled = (text or "").strip()
    if spelled.startswith(_WINDOWS_PREFIX) and spelled.count(".") > 1:
        spelled = spelled.removeprefix(_WINDOWS_PREFIX)
    match = _NUMBER.match(spelled)
    if match is None:
        return ()
    found = tuple(int(part) for part in re.split(r"[.\-_]", match.group(1)))
    return (*found, ord(match.group(2)) - ord("a") + 1) if match.group(2) else found


def begins_with(longer: Numbers, shorter: Numbers) -> bool:
    """Return whether `longer` begins with all of `shorter`, which has at least one number."""
    return bool(shorter) and longer[: len(shorter)] == shorter


def is_at_least(read: Numbers, fixed: Numbers, *, is_whole: bool) -> bool | None:
    """Return whether `read` is `fixed` or newer; `None` where `read` is too short to tell.

    `is_whole` says that missing numbers are zeros (a version `15.3` is 15.3.0); a Windows build without its revision
    is not whole: 26100 may be any revision of it.
    """
    if not is_whole and len(read) < len(fixed) and begins_with(fixed, read):
        return None
    width = max(len(read), len(fixed))
    return _padded(read, width) >= _padded(fixed, width)


def _padded(found: Numbers, width: int) -> Numbers:
    return found + (0,) * (width - len(found))
