"""A JSON Schema as rows for people: one per field, nested ones under their whole path."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

_FORMATS: Final = {"date-time": "moment", "uuid": "UUID", "binary": "bytes"}
_NAMES: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `path` is dotted, with `[]` after what is a list; `choices` are all that it can be, if few."""

    path: str
    kind: str
    is_needed: bool
    choices: tuple[str, ...] = ()
    default: str = ""
    description: str = ""


def fields_of(schema: Schema) -> list[Field]:
    """Return the fields of an object's schema, in its order."""
    return list(_fields(_resolved(schema, schema), schema, ""))


def _fields(schema: Schema, root: Schema, prefix: str) -> Iterator[Field]:
    needed = set(schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        value, is_list = _value(_resolved(part, root), root)
        yield Field(
            path=f"{path}[]" if is_list else path,
            kind=_kind(value),
            is_needed=name in needed,
            choices=tuple(map(str, value.get("enum", ()))),
            default=_default(part),
            description=str(part.get("description") or value.get("description") or "").replace("\n", " "),
        )
        yield from _fields(value, root, f"{path}[]." if is_list else f"{path}.")


def _value(part: Schema, root: Schema) -> tuple[Schema, bool]:
    """Return what a field holds: the alternative that is not null, the items of a list."""
    alternatives = [_resolved(each, root) for each in part.get("anyOf", ())]
    real = [each for each in alternatives if each.get("type") != "null"]
    if len(real) == 1:
        part = real[0]
    if part.get("type") == "array":
        return _resolved(part.get("items", {}), root), True
    return part, False


def _kind(value: Schema) -> str:
    if "const" in value:
        return f'"{value["const"]}"'
    if "enum" in value:
        return "one of"
    if "format" in value:
        return _FORMATS.get(value["format"], str(value["format"]))
    if value.get("type") == "object":
        return "map" if value.get("additionalProperties") else "object"
    name = _NAMES.get(str(value.get("type")), "anything")
    limits = [words.format(value[key]) for key, words in _LIMITS.items() if key in value]
    return f"{name}, {', '.join(limits)}" if limits else name


_LIMITS: Final = {"minimum": "at least {}", "maximum": "at most {}", "maxLength": "at most {} characters"}


def _default(part: Schema) -> str:
    given = part.get("default")
    return "" if given is None or given in ([], {}) else str(given)


def _resolved(part: Schema, root: Schema) -> Schema:
    """Return a schema with what it refers to in the same file in place; our schemas are not recursive."""
    reference = part.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return part
    found: Any = root
    for step in reference[2:].split("/"):
        found = found[step]
    return {**_resolved(found, root), **{key: value for key, value in part.items() if key != "$ref"}}
