"""Reports as agents make them, for the tests: field names are the agents', values invented."""

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from contracts.events import rmm
from services.gateway.vendors import agent
from services.gateway.vendors.translation import Said, Translation
from tests.builders import delivery

RECEIVED = datetime(2026, 11, 10, 12, tzinfo=UTC)
DEVICE = "ws-7-2026-01-05-08-30-00"
SOURCE = "rmm/glpi-agent/acme"

PROLOG = f"<?xml version='1.0' encoding='UTF-8' ?><REQUEST><DEVICEID>{DEVICE}</DEVICEID><QUERY>PROLOG</QUERY></REQUEST>"
CONTACT: dict[str, Any] = {"action": "contact", "deviceid": DEVICE, "name": "GLPI-Agent", "version": "1.11"}

CONTENT: dict[str, Any] = {
    "accesslog": {"logdate": "2026-11-10 12:59:30"},
    "bios": {"ssn": "SN-7", "smanufacturer": "Maker"},
    "hardware": {"name": "ws-7", "memory": 16384, "uuid": "5e0d1c9e-0000-4000-8000-000000000007"},
    "operatingsystem": {
        "boot_time": "2026-11-09 08:15:00",
        "full_name": "Debian GNU/Linux 12 (bookworm)",
        "kernel_name": "linux",
        "kernel_version": "6.1.0-28-amd64",
        "name": "Debian GNU/Linux",
        "timezone": {"name": "CET", "offset": "+0100"},
        "version": "12.8",
    },
    "processes": [{"cmd": "backup --password hunter2"}],
    "softwares": [
        {"name": "openssl", "version": "3.0.15-1", "publisher": "Debian", "arch": "amd64", "from": "deb"},
        {"name": "bash", "version": "5.2", "from": "deb"},
    ],
}


def json_report(content: Mapping[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """Return a JSON inventory; `content` replaces or, with `None`, takes away whole sections."""
    sections = {**CONTENT, **(content or {})}
    report = {
        "action": "inventory",
        "deviceid": DEVICE,
        "itemtype": "Computer",
        "content": {name: section for name, section in sections.items() if section is not None},
        **changed,
    }
    return {name: value for name, value in report.items() if value is not None}


def xml_report(content: Mapping[str, Any] | None = None, *, tag: str | None = None, **changed: str | None) -> str:
    """Return the same inventory in XML, as the older agents write it: its query and device come last."""
    sections = {**CONTENT, **(content or {})}
    if tag is not None:
        sections["accountinfo"] = [{"keyname": "TAG", "keyvalue": tag}]
    written = "".join(_element(name, section) for name, section in sections.items() if section is not None)
    told = {"deviceid": DEVICE, "query": "INVENTORY", **changed}
    rest = "".join(_element(name, value) for name, value in told.items() if value is not None)
    return f'<?xml version="1.0" encoding="UTF-8" ?>\n<REQUEST><CONTENT>{written}</CONTENT>{rest}</REQUEST>'


def _element(name: str, value: Any) -> str:
    tag = name.upper()
    match value:
        case list():
            return "".join(_element(name, each) for each in value)
        case dict():
            return f"<{tag}>{''.join(_element(key, each) for key, each in value.items())}</{tag}>"
        case _:
            return f"<{tag}>{escape(str(value))}</{tag}>"


def packed(text: str | bytes) -> bytes:
    """Return a message as agents pack it."""
    return zlib.compress(text.encode() if isinstance(text, str) else text)


def translation(body: object, *, received: datetime = RECEIVED, source: str = SOURCE) -> Translation:
    """Return what the adapter makes of a body: text is packed, an object is written as JSON."""
    raw = packed(body) if isinstance(body, str) else body
    return agent.translated(delivery(raw, vendor="glpi-agent", source=source, received=received))


def said(body: object, *, received: datetime = RECEIVED, source: str = SOURCE) -> Sequence[Said]:
    """Return what the adapter makes of a body that it understands."""
    translated = translation(body, received=received, source=source)
    assert not translated.problems
    return translated.said


def listing_of(told: Sequence[Said]) -> rmm.ApplicationsListed:
    """Return the one listing among events."""
    [event] = [each.event for each in told if isinstance(each.event, rmm.ApplicationsListed)]
    return event


def facts_of(told: Sequence[Said]) -> rmm.DeviceFacts:
    """Return what the device is said to be."""
    [event] = [each.event for each in told if isinstance(each.event, rmm.DeviceUpdated)]
    return event.facts
