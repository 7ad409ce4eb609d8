"""Which values of a feed's record may be kept, by their shape. Pure: what does not fit is dropped, not mended.

A shape is narrow on purpose: whatever a feed calls its fields, a line like `login:password` fits none of them.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

LONGEST: Final = 256
_TOO_LARGE: Final = 2**63
_MAIL: Final = re.compile(r"[^\s@:;,|\"<>()\\/]{1,64}@[\w.-]{1,190}")
_USER: Final = re.compile(r"(?:[\w.-]{1,64}\\)?[\w.$'+-]{1,128}")
_NAME: Final = re.compile(r"[\w .,()&'+/#!-]{1,256}")
_WORD: Final = re.compile(r"[\w.+-]{1,64}")
_MOMENT: Final = re.compile(r"[0-9TZtz:+. -]{4,40}")
_HOST: Final = re.compile(r"[\w.-]{1,253}")
_PATH: Final = re.compile(r"[\w/.()'@=-]{1,256}")

Kept = str | int | float | bool


class Shape(StrEnum):
    """What a kept value may look like."""

    LOGIN = "login"
    NAME = "name"
    WORD = "word"
    MOMENT = "moment"
    HOST = "host"
    PATH = "path"
    NUMBER = "number"
    TRUTH = "truth"


_BY_PATTERN: Final = {Shape.NAME: _NAME, Shape.WORD: _WORD, Shape.PATH: _PATH}


def kept(value: object, shape: Shape) -> Kept | None:
    """Return what may be kept of a value; `None`: it has another shape. Of an address the host alone is kept."""
    match shape:
        case Shape.TRUTH:
            return value if isinstance(value, bool) else None
        case Shape.NUMBER:
            return value if _is_number(value) and isinstance(value, int | float) else None
        case Shape.MOMENT:
            return _moment(value)
        case Shape.LOGIN:
            return _login(value)
        case Shape.HOST:
            return _host(value)
        case Shape.NAME | Shape.WORD | Shape.PATH:
            return _text(value, _BY_PATTERN[shape])


def _text(value: object, pattern: re.Pattern[str]) -> str | None:
    """Return a name; feeds number some things, and a number names as well."""
    if isinstance(value, int) and _is_number(value):
        return str(value)
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _moment(value: object) -> Kept | None:
    if isinstance(value, str):
        return value if _MOMENT.fullmatch(value) else None
    return value if _is_number(value) and isinstance(value, int | float) else None


def _login(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    text = unicodedata.normalize("NFKC", value).strip().lower()
    return text if _MAIL.fullmatch(text) or _USER.fullmatch(text) else None


def _host(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > 4096:
        return None
    try:
        host = urlsplit(value if "://" in value else f"//{value}").hostname
    except ValueError:
        return None
    return host if host and _HOST.fullmatch(host) else None


def _is_number(value: object) -> bool:
    """Return whether a value is a number that fits 64 bits: a larger one says nothing, and writing it takes long."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _TOO_LARGE
