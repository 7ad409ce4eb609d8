"""What a captured delivery looks like in the file, and what is taken out of it first. Pure."""

import base64
import json
import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from contracts.raw import RawDelivery

REDACTED: Final = "[redacted]"
_SPAN: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_UNIT: Final[Mapping[str, str]] = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Line = dict[str, Any]


def span_of(text: str) -> timedelta | None:
    """Return a span of time that is written like 30s, 10m, 1h or 2d; `None`: it is not."""
    found = _SPAN.fullmatch(text)
    return timedelta(**{_UNIT[found[2]]: int(found[1])}) if found else None


def line_of(delivery: RawDelivery, topic: str, redact: Collection[str]) -> Line:
    """Return one line of the file. `delivery` is in clear; fields that are called as in `redact` lose their values.

    A body in which such a field cannot be told from its neighbours is withheld whole.
    """
    return {**_about(delivery, topic), **_content(delivery.body, {each.casefold() for each in redact})}


def line_of_unopened(delivery: RawDelivery, topic: str, reason: str) -> Line:
    """Return the line of a delivery whose body never opens."""
    return {**_about(delivery, topic), "problem": reason}


def _about(delivery: RawDelivery, topic: str) -> Line:
    return {
        "raw_id": str(delivery.raw_id),
        "received": delivery.received.isoformat(),
        "vendor": delivery.vendor,
        "source": delivery.source,
        "channel": delivery.channel,
        "topic": topic,
        "headers": {
            name: value
            for name, value in (("delivery", delivery.delivery), ("traceparent", delivery.traceparent))
            if value is not None
        },
        "bytes": len(delivery.body),
    }


def _content(body: bytes, redact: Collection[str]) -> Line:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _withheld("not text") if redact else {"base64": base64.b64encode(body).decode()}
    if not redact:
        return {"text": text}
    try:
        value = json.loads(text)
    except ValueError:
        named = sorted(each for each in redact if each in text.casefold())
        return _withheld(f"not JSON, and it names {', '.join(named)}") if named else {"text": text}
    if isinstance(value, dict | list):
        return {"text": json.dumps(_redacted(value, redact), ensure_ascii=False)}
    return {"text": _redacted_text(text, redact)}


def _withheld(why: str) -> Line:
    return {"withheld": f"{why}: nothing can be taken out of it safely; capture without --redact to see it"}


def _redacted(value: Any, redact: Collection[str]) -> Any:
    match value:
        case dict():
            return {
                key: REDACTED if key.casefold() in redact else _redacted(part, redact) for key, part in value.items()
            }
        case list():
            return [_redacted(part, redact) for part in value]
        case str():
            return _redacted_text(value, redact)
        case _:
            return value


def _redacted_text(text: str, redact: Collection[str]) -> str:
    """Return text without what it holds of these fields: as JSON inside JSON, or as `name=value` or `name: value`."""
    try:
        inner = json.loads(text)
    except ValueError:
        inner = None
    if isinstance(inner, dict | list):
        return json.dumps(_redacted(inner, redact), ensure_ascii=False)
    for each in redact:
        name = rf"(?i)(\b{re.escape(each)}\b[\"']?\s*"
        text = re.sub(rf"{name}=\s*)(?:\"[^\"]*\"|'[^']*'|[^&;\s]+)", rf"\g<1>{REDACTED}", text)
        text = re.sub(rf"{name}:[ \t]*)[^\r\n]+", rf"\g<1>{REDACTED}", text)  # to the end: "Authorization: Bearer x"
    return text
