"""Rules about clients: their zones, and which vendor organisation is whose at what time. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from difflib import get_close_matches
from functools import cache
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from tzlocal.windows_tz import win_tz

from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from contracts.ids import event_id_of_fields

SOURCE: Final = "patchline/gateway"
WINDOWS_ZONES: Final = {name.casefold(): zone for name, zone in win_tz.items()}
"""CLDR's windowsZones: `Eastern Standard Time` is `America/New_York`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The record of a client."""

    tenant: UUID
    name: str
    zone: str
    owner_contact: str | None = None
    psa_company: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientChange:
    """What becomes different about a client; `None` stays."""

    name: str | None = None
    zone: str | None = None
    owner_contact: str | None = None
    psa_company: str | None = None

    def of(self, client: Client) -> Client:
        """Return `client` with the change made."""
        return Client(
            tenant=client.tenant,
            name=self.name or client.name,
            zone=self.zone or client.zone,
            owner_contact=self.owner_contact or client.owner_contact,
            psa_company=self.psa_company or client.psa_company,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A vendor's organisation, or one site of it, belongs to a client from a moment (`None`: since ever) to another.

    The end is not included; `None`: until further notice. A site that has no mapping of its own follows its
    organisation's.
    """

    source_id: str
    organisation: str
    site: str | None
    tenant: UUID
    valid_from: datetime | None
    valid_to: datetime | None

    @property
    def is_possible(self) -> bool:
        """Return whether it ends after it begins."""
        return self.valid_from is None or self.valid_to is None or self.valid_from < self.valid_to


def changed(client: Client, at: datetime) -> Envelope:
    """Return the event that tells everyone the whole record of a client."""
    return Envelope(
        id=event_id_of_fields(SOURCE, ClientChanged.TYPE, at, str(client.tenant)),
        source=SOURCE,
        subject=str(client.tenant),
        time=at,
        received=at,
        tenant=client.tenant,
        data=ClientChanged(
            name=client.name,
            zone=client.zone,
            owner_contact=client.owner_contact,
            psa_company=client.psa_company,
        ),
    )


def overlapping(mapping: Mapping, others: Iterable[Mapping]) -> Mapping | None:
    """Return the first of `others` that says something else, or the same again, about the same place and time."""
    for other in others:
        same_place = (other.source_id, other.organisation, other.site) == (
            mapping.source_id,
            mapping.organisation,
            mapping.site,
        )
        if same_place and _begins_before_end(mapping, other) and _begins_before_end(other, mapping):
            return other
    return None


def _begins_before_end(one: Mapping, other: Mapping) -> bool:
    return one.valid_from is None or other.valid_to is None or one.valid_from < other.valid_to


def iana_zone(name: str) -> str | None:
    """Return the IANA name of a zone given by that or by its Windows name; `None`: there is none, or it is no place's.

    Names without a place (`EST`, `Etc/GMT+5`) stand for clocks that never change, which nobody means who writes them.
    """
    if name == "UTC":
        return name
    name = WINDOWS_ZONES.get(name.casefold(), name)
    is_place = "/" in name and not name.startswith("Etc/G")
    return name if is_place and name in _zones() else None


def similar_zones(name: str) -> list[str]:
    """Return zones that a person may have meant: spelt nearly so, or of a city called so."""
    wanted = name.strip().replace(" ", "_").lower()
    by_lower = {zone.lower(): zone for zone in _zones() if iana_zone(zone) is not None}
    of_city = sorted(zone for lower, zone in by_lower.items() if lower.rpartition("/")[2] == wanted)
    return of_city or [by_lower[each] for each in get_close_matches(wanted, sorted(by_lower), n=3)]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"Factory", "localtime"})


def moment(text: str, zone: str) -> datetime:
    """Return the moment that a person wrote: a date (its first instant in `zone`), or a date and time.

    Raises:
        ValueError: it is neither.
    """
    written = datetime.fromisoformat(text)
    if len(text) == len("2026-01-31"):
        written = datetime.combine(written.date(), time.min)
    return written if written.tzinfo is not None else written.replace(tzinfo=ZoneInfo(zone))
