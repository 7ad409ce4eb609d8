"""Reads fields out of a body that anyone may have typed: a value of the right kind, or a reason that names the field.

No reason ever quotes the value: it may be a customer's, and the dead letter keeps it whole.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic_core import from_json

JsonObject = dict[str, Any]

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Moments outside are no dates: they overflow somewhere. A device that believes it is 2099 is only wrong."""

LONGEST_NAME: Final = 512
MILLISECONDS_FROM: Final = 1e11
"""As seconds this would be the year 5138: such a number counts milliseconds."""

_SECONDS_LATEST: Final = LATEST.timestamp()
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_UTF8_MARK: Final = b"\xef\xbb\xbf"


class Unreadable(ValueError):
    """A field is not what it should be; the text names it and says what it should have been."""


def object_in(body: bytes) -> JsonObject:
    """Return the JSON object in `body`. Guards against depth, lone surrogates and bytes that are not UTF-8.

    Raises:
        Unreadable: it is something else.
    """
    try:
        value = from_json(body.removeprefix(_UTF8_MARK), allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable(f"body: not JSON in UTF-8: {error}") from error
    if isinstance(value, str):
        raise Unreadable("body: a JSON string, encoded twice: send the object itself")
    if not isinstance(value, dict):
        raise Unreadable("body: not a JSON object")
    return value


def name(value: object, path: str) -> str:
    """Return text that names something.

    Raises:
        Unreadable: not text, empty, too long, or with a control character: a path lost its backslash.
    """
    if not isinstance(value, str):
        raise Unreadable(f"{path}: not text")
    if not 0 < len(value) <= LONGEST_NAME:
        raise Unreadable(f"{path}: not 1 to {LONGEST_NAME} characters")
    if not is_printable(value):
        raise Unreadable(f"{path}: holds a control character; was a backslash lost?")
    return value


def optional_name(value: object, path: str) -> str | None:
    """Return text that names something; `None` where there is none, or an empty one.

    Raises:
        Unreadable: see `name`.
    """
    return None if value is None or value == "" else name(value, path)


def identifier(value: object, path: str) -> str:
    """Return a numeric id as text; a templating engine may have put it in quotes.

    Raises:
        Unreadable: neither a whole number of at most 64 bits nor its digits.
    """
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return str(value)
    raise Unreadable(f"{path}: not a whole number")


def optional_identifier(value: object, path: str) -> str | None:
    """Return a numeric id as text; `None` where there is none.

    Raises:
        Unreadable: see `identifier`.
    """
    return None if value is None else identifier(value, path)


def optional_object(value: object, path: str) -> Mapping[str, Any]:
    """Return an object; an empty one where there is none.

    Raises:
        Unreadable: something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable(f"{path}: not an object")
    return value


def optional_truth(value: object, path: str) -> bool | None:
    """Return true or false; `None` where nothing is said.

    Raises:
        Unreadable: something else.
    """
    if value is None or isinstance(value, bool):
        return value
    raise Unreadable(f"{path}: not true or false")


def epoch_moment(value: object, path: str) -> datetime:
    """Return the moment so many seconds, with a fraction, after 1970.

    Raises:
        Unreadable: not a number, or no possible date, such as a number of milliseconds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable(f"{path}: not a number of seconds")
    if not 0 <= value < _SECONDS_LATEST:
        raise Unreadable(f"{path}: no possible moment in seconds since 1970")
    return EARLIEST + timedelta(microseconds=round(value * 1_000_000))


def loose_epoch_moment(value: object, path: str) -> datetime | None:
    """Return a moment given in seconds or, large enough to tell, in milliseconds; `None` where there is none.

    Raises:
        Unreadable: see `epoch_moment`.
    """
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and MILLISECONDS_FROM <= value < 1e15:
        return epoch_moment(value / 1000, path)
    return epoch_moment(value, path)


def any_moment(value: object, path: str) -> datetime | None:
    """Return a moment, written as ISO 8601 or counted from 1970; `None` where there is none: absent, empty or zero.

    Raises:
        Unreadable: something else, or no possible date.
    """
    if value is None or (not isinstance(value, bool) and value in ("", 0)):
        return None
    return written_moment(value, path) if isinstance(value, str) else loose_epoch_moment(value, path)


def written_moment(value: object, path: str) -> datetime:
    """Return a moment written as ISO 8601 with a zone, as UTC.

    Raises:
        Unreadable: something else, or no possible date.
    """
    if not isinstance(value, str) or len(value) > 64:
        raise Unreadable(f"{path}: not an ISO 8601 moment")
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise Unreadable(f"{path}: not an ISO 8601 moment, or no possible date") from error
    if at.tzinfo is None:
        raise Unreadable(f"{path}: the moment has no time zone")
    if not is_possible(at):
        raise Unreadable(f"{path}: no possible moment")
    return at.astimezone(UTC)


def is_possible(at: datetime) -> bool:
    """Return whether an aware moment is one that clocks show. Comparing never overflows; converting would."""
    return EARLIEST <= at < LATEST


def is_printable(text: str) -> bool:
    """Return whether `text` has no control character. Text that Python calls printable, and most is, has none."""
    return text.isprintable() or _UNPRINTABLE.search(text) is None
