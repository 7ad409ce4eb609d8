"""Where in a NinjaOne activity the patch stands. No capture of such a body exists, so the places are declared.

They are a setting (PATCHLINE_NINJAONE_PATCH_PLACES): mend them when a capture shows others, then replay.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import groupby
from typing import Final

from contracts.events.rmm import PatchRef
from services.gateway.vendors.fields import JsonObject, is_printable
from services.gateway.vendors.vocabulary import kb_in_text, kb_number, patch_severity, result_code_in_text

_PARAMS: Final = "data.message.params"
_LONGEST_NAME: Final = 512
_FREE_TEXT: Final = frozenset({"subject", "message"})


@dataclass(frozen=True, slots=True)
class PatchPlaces:
    """Dotted paths into the body, tried in order. In `subject` and `message` a KB or result code is looked for."""

    kb: tuple[str, ...] = (
        f"{_PARAMS}.kbNumber",
        f"{_PARAMS}.kb_number",
        f"{_PARAMS}.kb",
        f"{_PARAMS}.patch_name",
        f"{_PARAMS}.name",
        "data.kbNumber",
        "subject",
        "message",
    )
    patch: tuple[str, ...] = (f"{_PARAMS}.patch_id", f"{_PARAMS}.patchId", f"{_PARAMS}.patch_guid", "data.patchId")
    title: tuple[str, ...] = (f"{_PARAMS}.patch_name", f"{_PARAMS}.title", f"{_PARAMS}.name", "data.patchName")
    product: tuple[str, ...] = (f"{_PARAMS}.product_identifier", f"{_PARAMS}.product", "data.productIdentifier")
    severity: tuple[str, ...] = (f"{_PARAMS}.severity", f"{_PARAMS}.impact", "data.severity")
    code: tuple[str, ...] = (f"{_PARAMS}.error_code", f"{_PARAMS}.result_code", f"{_PARAMS}.hresult", "message")

    @classmethod
    def of(cls, settings: Mapping[str, Iterable[str]]) -> "PatchPlaces":
        """Return the places with some of them set anew.

        Raises:
            ValueError: a key is none of ours.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(settings.keys() - known):
            raise ValueError(f"{', '.join(unknown)}: not one of {', '.join(sorted(known))}")
        return cls(**{key: tuple(paths) for key, paths in settings.items()})


Group = tuple[str, tuple[tuple[str, str], ...]]
"""Places side by side in one object: the object's path, then the dotted path of each and its key."""


class PatchFinder:
    """Finds the patch in activities, at the declared places."""

    def __init__(self, places: PatchPlaces) -> None:
        """Look at `places`."""
        self._kb = _grouped(places.kb)
        self._patch = _grouped(places.patch)
        self._title = _grouped(places.title)
        self._product = _grouped(places.product)
        self._severity = _grouped(places.severity)
        self._code = _grouped(places.code)

    def patch_in(self, body: JsonObject) -> PatchRef | None:
        """Return the patch that an activity is about; `None` where no place names one.

        A patch with a KB number is called by it, here and by the poller, so that both speak of the same thing.
        """
        seen: dict[str, JsonObject] = {"": body}
        kb = _first(seen, self._kb, _kb)
        title = _first(seen, self._title, _name)
        named = f"KB{kb}" if kb else _first(seen, self._patch, _name) or title
        if named is None:
            return None
        product = _first(seen, self._product, _name)
        severity = patch_severity(_first(seen, self._severity, _name))
        return PatchRef(patch=named, kb=kb, product=product, title=title, severity=severity)

    def result_code_in(self, body: JsonObject) -> str | None:
        """Return the vendor's result code, verbatim; out of free text only what looks like a Windows one."""
        return _first({"": body}, self._code, _result_code)


def _grouped(dotted: Iterable[str]) -> tuple[Group, ...]:
    parted = [(path, *path.rpartition(".")[::2]) for path in dotted]
    groups = groupby(parted, key=lambda each: each[1])
    return tuple((parent, tuple((path, key) for path, _, key in places)) for parent, places in groups)


def _kb(path: str, value: str) -> str | None:
    return kb_in_text(value) if path in _FREE_TEXT else kb_number(value) or kb_in_text(value)


def _name(_path: str, value: str) -> str | None:
    return value if 0 < len(value) <= _LONGEST_NAME and is_printable(value) else None


def _result_code(path: str, value: str) -> str | None:
    return result_code_in_text(value) if path in _FREE_TEXT else _name(path, value)


def _first(seen: dict[str, JsonObject], groups: Iterable[Group], found: Callable[[str, str], str | None]) -> str | None:
    """Return the first thing found in what stands there: text, or a whole number. No place refuses a body."""
    for parent, places in groups:
        standing = seen[parent] if parent in seen else _object_at(seen, parent)
        if not standing:
            continue
        for path, key in places:
            value = standing.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
                value = str(value)
            if isinstance(value, str) and (result := found(path, value)):
                return result
    return None


def _object_at(seen: dict[str, JsonObject], path: str) -> JsonObject:
    """Return the object at `path`, an empty one where there is none, and remember it in `seen`."""
    value: object = seen[""]
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    found = seen[path] = value if isinstance(value, dict) else {}
    return found


PATCH_FINDER: Final = PatchFinder(PatchPlaces())
