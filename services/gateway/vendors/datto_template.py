"""Reads what Datto RMM made of the template that we hand out (docs/rmm/datto.md), even where it is no JSON any more.

Whether Datto escapes what it puts in place of its variables is not documented; lost backslashes were seen. So the ids
come first, in a fixed order, and are read from the front: nothing that a person typed stands before them, so nothing
that breaks the JSON can move or forge them. The message comes last, between two marks, and is believed only if each
stands there once.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic_core import from_json

from services.gateway.vendors.fields import LONGEST_NAME, Unreadable

SCHEMA: Final = "patchline.datto/1"
UTF8_MARK: Final = "\ufeff"

EventType = Literal["alert.raised", "alert.resolved"]

HEAD: Final = (
    ("alertUid", "alert_uid"),
    ("deviceUid", "device_uid"),
    ("siteUid", "site_uid"),
    ("platform", "platform"),
    ("deviceId", "device_id"),
    ("siteId", "site_id"),
    ("alertType", "alert_type"),
    ("category", "alert_category"),
    ("priority", "alert_priority"),
)
"""Fields and their variables that Datto fills in: ids and words of its own. In this order, before anything else."""

TAIL: Final = (
    ("ip", "device_ip"),
    ("os", "device_os"),
    ("hostname", "device_hostname"),
    ("siteName", "site_name"),
    ("description", "device_description"),
    ("lastUser", "last_user"),
    ("trigger", "alert"),
    ("message", "alert_message_en"),
)
"""What people or machines typed, the message last."""

_KEYS: Final = frozenset({"schema", "eventType", "end", *(name for name, _ in (*HEAD, *TAIL))})
_BEGIN: Final = re.compile(r'\s{0,64}\{\s{0,64}"schema"\s{0,64}:\s{0,64}"patchline\.datto/1"')
_EVENT: Final = re.compile(r'\s{0,64},\s{0,64}"eventType"\s{0,64}:\s{0,64}"(alert\.raised|alert\.resolved)"')
_FIELD: Final = {
    name: re.compile(rf'\s{{0,64}},\s{{0,64}}"{name}"\s{{0,64}}:\s{{0,64}}"([^"\\\x00-\x1f\x7f]*)"') for name, _ in HEAD
}
_MESSAGE: Final = re.compile(r'"message"\s{0,64}:\s{0,64}"')
_END: Final = re.compile(r'"\s{0,64},\s{0,64}"end"\s{0,64}:\s{0,64}"patchline\.datto/1"\s{0,64}\}\s{0,64}')
_LONGEST_END: Final = 400
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,128}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UNFILLED: Final = re.compile(r"\[[a-z_]+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A template that Datto filled in. `message` is `None` where it cannot be told where it begins and ends."""

    event_type: EventType
    alert: str
    device: str
    site: str | None
    kind: str | None
    category: str | None
    priority: str | None
    message: str | None


def template(event_type: EventType) -> str:
    """Return the template to be pasted into Datto RMM: one field a line, in the order that reading relies on."""
    lines = [f'"schema":"{SCHEMA}"', f'"eventType":"{event_type}"']
    lines += [f'"{name}":"[{variable}]"' for name, variable in (*HEAD, *TAIL)]
    return "{" + ",\n".join([*lines, f'"end":"{SCHEMA}"']) + "}\n"


def filled(body: bytes) -> Filled:
    """Return what a delivery says.

    Raises:
        Unreadable: it is not our template, or the field that is named cannot be read without doubt.
    """
    text = body.decode("utf-8", "replace").removeprefix(UTF8_MARK)
    whole = _whole(text)
    return _of_whole(whole) if whole is not None else _of_broken(text)


def identifier(value: str, path: str) -> str:
    """Return an id as Datto writes it; a UUID in lower case, so that the API and webhooks agree.

    Raises:
        Unreadable: not an id.
    """
    if _ID.fullmatch(value) is None:
        raise Unreadable(f"{path}: not an id of letters, digits and hyphens")
    return value.lower() if _UUID.fullmatch(value) else value


def _whole(text: str) -> dict[str, str] | None:
    """Return all fields if this is sound JSON with each of our keys once and no other: then nothing broke out."""
    try:
        from_json(text, allow_inf_nan=False)  # guards against depth before the pairs are looked at
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError:
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    fields: dict[str, Any] = dict(pairs)
    if (
        len(pairs) != len(fields)
        or fields.keys() != _KEYS
        or not all(isinstance(each, str) for each in fields.values())
    ):
        return None
    return fields if fields["schema"] == SCHEMA == fields["end"] else None


def _of_whole(fields: dict[str, str]) -> Filled:
    match fields["eventType"]:
        case "alert.raised" | "alert.resolved" as event_type:
            return _checked(event_type, fields, fields["message"])
        case _:
            raise Unreadable("eventType: neither alert.raised nor alert.resolved")


def _of_broken(text: str) -> Filled:
    """Read the head from the front, field by field, and the message between its marks."""
    begin = _BEGIN.match(text)
    if begin is None:
        raise Unreadable(f"schema: the body does not begin with our template, {SCHEMA}")
    event = _EVENT.match(text, begin.end())
    if event is None:
        raise Unreadable("eventType: not in its place, or neither alert.raised nor alert.resolved")
    head: dict[str, str] = {}
    at = event.end()
    for name, _ in HEAD:
        found = _FIELD[name].match(text, at)
        if found is None:
            raise Unreadable(f"{name}: not in its place, or its text does not end; is the template as we hand it out?")
        head[name] = found.group(1)
        at = found.end()
    event_type: EventType = "alert.raised" if event.group(1) == "alert.raised" else "alert.resolved"
    return _checked(event_type, head, _message(text, at))


def _message(text: str, at: int) -> str | None:
    """Return what stands between the two marks of the message; `None` if one is missing or in doubt."""
    begins = [found.end() for found in _MESSAGE.finditer(text, at)]
    ends = _END.finditer(text, max(at, len(text) - _LONGEST_END))
    end = next((found.start() for found in ends if found.end() == len(text)), None)
    if len(begins) != 1 or end is None or end < begins[0]:
        return None
    return text[begins[0] : end]


def _checked(event_type: EventType, fields: dict[str, str], message: str | None) -> Filled:
    alert, device = (identifier(_filled(name, fields[name]), name) for name in ("alertUid", "deviceUid"))
    site = _optional("siteUid", fields)
    return Filled(
        event_type=event_type,
        alert=alert,
        device=device,
        site=None if site is None else identifier(site, "siteUid"),
        kind=_optional("alertType", fields),
        category=_optional("category", fields),
        priority=_optional("priority", fields),
        message=message,
    )


def _filled(name: str, value: str) -> str:
    if not value or _UNFILLED.fullmatch(value):
        raise Unreadable(f"{name}: Datto did not fill in its variable")
    return value


def _optional(name: str, fields: dict[str, str]) -> str | None:
    """Return a word; `None` where Datto has no such variable, or nothing to put there."""
    value = fields[name]
    if not value or _UNFILLED.fullmatch(value):
        return None
    if len(value) > LONGEST_NAME or any(char < " " or char == "\x7f" for char in value):
        raise Unreadable(f"{name}: not 1 to {LONGEST_NAME} printable characters")
    return value
