"""The catalog file that people write and load: JSON, facts only, checked entry by entry."""

import json
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from chassis.errors import NeverWorks
from services.compliance.catalog.contradictions import contradictions
from services.compliance.catalog.entries import CatalogDocument

MOST_FIELDS: Final = 1000
PROBLEMS_SHOWN: Final = 20


class CatalogRefused(NeverWorks):
    """A catalog file is not usable; the text names each wrong entry."""


def document(text: str) -> CatalogDocument:
    """Return the catalog in `text`.

    Raises:
        CatalogRefused: names each entry that is wrong, and why.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CatalogRefused(f"the catalog is not JSON: {error}") from error
    if (fields := _most_fields(content)) > MOST_FIELDS:
        raise CatalogRefused(f"the catalog has an entry of {fields} fields; none has more than {MOST_FIELDS}")
    try:
        found = CatalogDocument.model_validate_json(text)
    except ValidationError as error:
        problems = [
            f"{_entry(content, problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise _refused(problems) from error
    return checked(found)


def checked(found: CatalogDocument) -> CatalogDocument:
    """Return a catalog that nothing in it contradicts.

    Raises:
        CatalogRefused: names each entry that another contradicts.
    """
    if problems := list(contradictions(found)):
        raise _refused(problems)
    return found


def _refused(problems: Sequence[str]) -> CatalogRefused:
    more = f"\nand {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
    return CatalogRefused("the catalog cannot be loaded:\n" + "\n".join(problems[:PROBLEMS_SHOWN]) + more)


def _entry(content: Any, place: Sequence[int | str]) -> str:
    """Return a place in the file as people call it: the names of the entries on the way, then the field."""
    words: list[str] = []
    for part in place:
        content = _within(content, part)
        if isinstance(part, str):
            words.append(part)
        elif (named := _named(content)) is None:
            words.append(f"entry {part}")
        else:
            words[-1] = f"{words[-1].removesuffix('s')} {named!r}"
    return ", ".join(words) or "the file"


def _most_fields(content: Any) -> int:
    """Return how many fields the widest entry has: each unknown one would be told, and a million take minutes."""
    most, left = 0, [content]
    while left:
        match left.pop():
            case dict() as entry:
                most = max(most, len(entry))
                left.extend(entry.values())
            case list() as entries:
                left.extend(entries)
    return most


def _within(content: Any, part: int | str) -> Any:
    try:
        return content[part]
    except (KeyError, IndexError, TypeError):
        return None


def _named(content: Any) -> str | None:
    if not isinstance(content, dict):
        return None
    return next((content[key] for key in ("product", "train", "release") if isinstance(content.get(key), str)), None)
