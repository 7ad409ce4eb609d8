"""Whether two schemas of one event type read each other: FULL, against every release, because history is replayed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_PROSE: Final = frozenset({"title", "description", "default", "examples", "$id", "$schema", "$defs"})
_SHAPE: Final = frozenset({"properties", "required", "anyOf", "items", "additionalProperties", "prefixItems"})


def breaks(old: Schema, new: Schema) -> list[str]:
    """Return each place where a reader of one cannot read the other; an empty list means fully compatible.

    Allowed is to add optional properties, at any depth. Everything else is a new `.v2`.
    """
    return list(_differences(_resolved(old, old), _resolved(new, new), "event"))


def _differences(old: Any, new: Any, where: str) -> Iterator[str]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        if old != new:
            yield f"{where}: was {old!r}, is {new!r}"
        return
    yield from _of_properties(old, new, where)
    for keyword in sorted((old.keys() | new.keys()) - _PROSE - {"properties", "required"}):
        if keyword not in old or keyword not in new:
            yield f"{where}: {keyword} {'added' if keyword not in old else 'removed'}"
        elif keyword in _SHAPE:
            yield from _of_parts(old[keyword], new[keyword], f"{where}.{keyword}")
        elif old[keyword] != new[keyword]:
            yield f"{where}: {keyword} was {old[keyword]!r}, is {new[keyword]!r}"


def _of_properties(old: Schema, new: Schema, where: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(before.keys() - after.keys()):
        yield f"{where}.{name}: removed"
    for name in sorted(required_before ^ required_after):
        yield f"{where}.{name}: {'required now' if name in required_after else 'no longer required'}"
    for name in sorted(before.keys() & after.keys()):
        yield from _differences(before[name], after[name], f"{where}.{name}")


def _of_parts(old: Any, new: Any, where: str) -> Iterator[str]:
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield f"{where}: had {len(old)} alternatives, has {len(new)}"
            return
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, f"{where}[{number}]")
    else:
        yield from _differences(old, new, where)


def _resolved(schema: Any, root: Schema) -> Any:
    """Return `schema` with every reference replaced by what it points at; our schemas are not recursive."""
    if isinstance(schema, list):
        return [_resolved(part, root) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return _resolved(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return {keyword: _resolved(part, root) for keyword, part in schema.items() if keyword != "$defs"}
