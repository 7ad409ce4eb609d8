"""Inventories of GLPI's, FusionInventory's and OCS's agents: the device, its boot, its applications.

XML and JSON say the same in the same sections. An inventory has no id and no zone; what that means for the figures is
in docs/rmm/glpi-agent.md. Source: the JSON Schema of GLPI's inventory format, and reports of the agents of Debian 12.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from contracts import ids
from contracts.envelope import described
from contracts.events import rmm
from contracts.ids import EventId
from contracts.raw import RawDelivery
from services.gateway.vendors import agent_wire, agent_words, agent_xml, fields
from services.gateway.vendors.agent_moments import Untold, boot_moment, local_moment, offset, utc_moment
from services.gateway.vendors.agent_wire import Form
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import Said, Translation, Unsaid

LARGEST_BYTES: Final = 16 * 1024 * 1024
"""An inventory unpacks to at most this. Real ones are below 2 MiB."""

MOST_APPLICATIONS: Final = 50_000
PART_BYTES: Final = 700_000
"""An event of a listing holds about so much: with its headers it stays under what Kafka takes."""

BELIEVED: Final = timedelta(days=1)
"""How far a report's own date may be from its receipt to tell two reports apart: a clock without a year cannot."""

_SECTIONS: Final = frozenset(
    {"operatingsystem", "hardware", "bios", "softwares", "accesslog", "accountinfo", "partial"}
)
_LISTS: Final = frozenset({"softwares", "accountinfo"})
_TRUE: Final = frozenset({"1", "true", "yes"})
_ENVELOPE_BYTES: Final = 90


@dataclass(frozen=True, slots=True)
class _Report:
    """One inventory. `made_at` is by the device's clock, where that tells a moment; `key` tells two reports apart."""

    delivery: RawDelivery
    device: str
    organisation: str | None
    content: JsonObject
    is_partial: bool
    ahead: timedelta | None
    made_at: datetime | None
    key: str

    @property
    def place(self) -> dict[str, Any]:
        """Return what every event of it says."""
        return {"device": self.device, "organisation": self.organisation}

    def id_of(self, what: str) -> EventId:
        """Return the id of one of its events."""
        return ids.event_id_of_vendor(self.delivery.source, f"{self.key}/{what}")


def translated(delivery: RawDelivery) -> Translation:
    """Return what one message says. Never raises."""
    try:
        return _translated(delivery, _request_in(delivery.body))
    except Unreadable as error:
        return Translation(problems=(str(error),))
    except ValidationError as error:
        return Translation(problems=(described(error),))


def _request_in(body: bytes) -> JsonObject:
    message = agent_wire.unpacked(body, LARGEST_BYTES)
    if not message.is_whole:
        raise Unreadable(f"body: cut off, not packed as it begins, or over {LARGEST_BYTES >> 20} MiB unpacked")
    match agent_wire.form_of(message.text):
        case Form.JSON:
            return fields.object_in(message.text)
        case Form.XML:
            return agent_xml.request_in(message.text, sections=_SECTIONS, lists=_LISTS)


def _translated(delivery: RawDelivery, request: JsonObject) -> Translation:
    query = agent_words.text_of(request.get("query") or request.get("action")) or "inventory"
    if query.casefold() != "inventory":
        code = f"query {query}"[: fields.LONGEST_NAME]
        return Translation(unsaid=(Unsaid(ids.event_id_of_raw(delivery.raw_id, 0), code, is_known=False),))
    report = _report(delivery, request)
    facts = agent_words.facts_of(report.content)
    said = [Said(report.id_of("facts"), delivery.received, rmm.DeviceUpdated(**report.place, facts=facts))]
    booted = _booted(report, facts.os_build)
    said += [booted] if isinstance(booted, Said) else []
    said += _listed(report)
    unsaid = (Unsaid(report.id_of("boot"), booted.code, is_known=False),) if isinstance(booted, Untold) else ()
    return Translation(said, unsaid)


def _report(delivery: RawDelivery, request: JsonObject) -> _Report:
    device = fields.name(request.get("deviceid"), "deviceid")
    content = request.get("content")
    if not isinstance(content, dict) or not content:
        raise Unreadable("content: missing, or nothing in it that is known here")
    is_partial = str(request.get("partial") or content.get("partial") or "").casefold() in _TRUE
    ahead = offset(_zone_offset(content))
    logged = local_moment(agent_words.text_of(agent_words.section_of(content, "accesslog").get("logdate")))
    made_at = utc_moment(logged, ahead) if logged is not None and ahead is not None else None
    key = f"raw/{delivery.raw_id}"
    if logged is not None and _is_believed(logged, delivery.received):
        key = f"inventory/{device}/{logged.isoformat()}/{'partial' if is_partial else 'whole'}"
    organisation = agent_words.tag_of(request, content) or _usual(delivery.source, is_partial=is_partial)
    return _Report(delivery, device, organisation, content, is_partial, ahead, made_at, key)


def _usual(source: str, *, is_partial: bool) -> str | None:
    """Return whose a report without a tag is: the source's own; of a partial one, whose the device was last seen."""
    return None if is_partial else source.rpartition("/")[2]


def _is_believed(logged: datetime, received: datetime) -> bool:
    return abs(received.replace(tzinfo=None) - logged) < BELIEVED


def _zone_offset(content: JsonObject) -> str | None:
    zone = agent_words.section_of(agent_words.section_of(content, "operatingsystem"), "timezone")
    return agent_words.text_of(zone.get("offset"))


def _booted(report: _Report, build: str | None) -> Said | Untold | None:
    """Return the boot. Its id is that of the boot, not of the report: it is told once, at the first report of it.

    Agents reckon it from the uptime, a second more or less each time: within one minute it is one boot.
    """
    boot_time = agent_words.text_of(agent_words.section_of(report.content, "operatingsystem").get("boot_time"))
    at = boot_moment(boot_time, report.ahead, made_at=report.made_at, received=report.delivery.received)
    if at is None or isinstance(at, Untold):
        return at
    event = rmm.DeviceBooted(**report.place, booted_at=at, os_build=build)
    minute = at.replace(second=0)
    id_ = ids.event_id_of_fields(report.delivery.source, event.TYPE, minute, report.device, build or "")
    return Said(id_, report.delivery.received, event)


def _listed(report: _Report) -> Iterator[Said]:
    """Yield the listing of the applications, in parts where it is long; nothing where there is no such section."""
    entries = report.content.get("softwares")
    if not isinstance(entries, list):
        return
    if len(entries) > MOST_APPLICATIONS:
        raise Unreadable(f"content.softwares: more than {MOST_APPLICATIONS}")
    for number, part in enumerate(_parts(agent_words.applications_of(entries))):
        event = rmm.ApplicationsListed(
            **report.place, listing=str(report.id_of("applications")), complete=not report.is_partial, applications=part
        )
        yield Said(report.id_of(f"applications/{number}"), report.delivery.received, event)


def _parts(applications: Sequence[rmm.Application]) -> Iterator[tuple[rmm.Application, ...]]:
    """Yield all of them, at least one part, none of which is too large for an event."""
    part: list[rmm.Application] = []
    size = 0
    for each in applications:
        taken = _ENVELOPE_BYTES + sum(2 * len(word.encode()) for _, word in each if word is not None)
        if part and size + taken > PART_BYTES:
            yield tuple(part)
            part, size = [], 0
        part.append(each)
        size += taken
    yield tuple(part)
