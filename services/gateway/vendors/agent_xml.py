"""Reads an agent's XML into the shape that its JSON has: only the sections that are wanted. Pure.

A document type is refused before anything in it counts, so there are no entities: none expands, none reads a file.
"""

from collections.abc import Mapping
from typing import Any, Final
from xml.parsers import expat

from services.gateway.vendors.fields import Unreadable

Section = dict[str, Any]
"""Texts and further sections, by lower-case name."""

_ROOT: Final = "REQUEST"
_CONTENT: Final = "content"
_IN_CONTENT: Final = 2
_DEEPEST: Final = 64
_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_LATIN_1: Final = "ISO-8859-1"


def request_in(text: bytes, *, sections: frozenset[str], lists: frozenset[str]) -> Section:
    """Return the request; of its content only `sections`, of which `lists` are lists, whatever their number.

    What is no UTF-8 and does not say what it is, is read as ISO 8859-1. Source: the GLPI server's own way.

    Raises:
        Unreadable: it is no such request.
    """
    reader = _Reader(sections, lists)
    parser = expat.ParserCreate(None if _says_its_encoding(text) else _LATIN_1)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.pieces.append
    try:
        parser.Parse(text, True)
    except Unreadable:
        raise
    except expat.ExpatError as error:
        raise Unreadable(f"body: no XML: {expat.ErrorString(error.code)}, line {error.lineno}") from error
    except (LookupError, ValueError) as error:
        raise Unreadable("body: XML in an encoding that is not known here") from error
    return reader.request


def _says_its_encoding(text: bytes) -> bool:
    """Return whether the bytes are what they say they are, or UTF-8, which XML is without a word."""
    if text.startswith(_MARKS) or b"encoding=" in text[:128]:
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refuse_doctype(*_: object) -> None:
    raise Unreadable("body: XML with a document type; agents send none")


class _Reader:
    """Builds the request from what the parser finds. A section that is not wanted is passed over as a whole.

    Called for every element of a report, some ten thousand: what is open is `None` until something is put into it.
    """

    def __init__(self, sections: frozenset[str], lists: frozenset[str]) -> None:
        self._sections = sections
        self._lists = lists
        self._names: list[str] = []
        self._open: list[Section | None] = []
        self._passed_over = 0
        self.pieces: list[str] = []
        self.request: Section = {}

    def begin(self, tag: str, _attributes: Mapping[str, str]) -> None:
        """Open an element."""
        self.pieces.clear()
        if self._passed_over:
            self._passed_over += 1
            return
        name, depth = tag.lower(), len(self._open)
        if depth == _IN_CONTENT and self._names[1] == _CONTENT and name not in self._sections:
            self._passed_over = 1
            return
        if depth == 0 and tag != _ROOT:
            raise Unreadable(f"body: XML that is no {_ROOT}")
        if depth >= _DEEPEST:
            raise Unreadable(f"body: XML that is more than {_DEEPEST} deep")
        self._names.append(name)
        self._open.append(None)

    def end(self, _tag: str) -> None:
        """Put the element into the one around it."""
        if self._passed_over:
            self._passed_over -= 1
            return
        name, section = self._names.pop(), self._open.pop()
        value: Section | str = "".join(self.pieces) if section is None else section
        self.pieces.clear()
        if not self._open:
            self.request = section or {}
            return
        around = self._open[-1]
        if around is None:
            around = self._open[-1] = {}
        if len(self._open) == _IN_CONTENT and self._names[1] == _CONTENT and name in self._lists:
            around.setdefault(name, []).append(value)
        elif isinstance(known := around.get(name), dict) and isinstance(value, dict):
            known.update(value)
        elif value or known is None:
            around[name] = value
