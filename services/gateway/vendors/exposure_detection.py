"""What our poller read from Microsoft Graph: risk detections of Entra ID Protection, and users that alerts name.

Source: Microsoft Graph v1.0, riskDetection: Microsoft compared the exposed credential with the one in use.
"""

import re
from typing import Final

from contracts import ids
from contracts.events.exposure import ExposureOrigin, SecretForm
from contracts.raw import RawDelivery
from services.gateway.vendors import exposure_record, fields
from services.gateway.vendors.exposure_record import Place, Words
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import SaidOfExposure, Translation, Unsaid

EXPOSING: Final = frozenset({"leakedcredentials"})
"""Kinds of detections that say that a credential is in other hands, letters alone."""

SETTLED: Final = frozenset({"dismissed", "confirmedsafe"})
"""States in which a person has said that there is nothing to it. A remediated one is told: the directory proves it."""

_NO_LETTER: Final = re.compile(r"[^a-z]")
_WORDS: Final = Words(SecretForm.UNKNOWN, ExposureOrigin.RISK_DETECTION)


def letters(text: object) -> str:
    """Return a word by its letters alone: `leakedCredentials` and `Leaked credentials` are one."""
    return _NO_LETTER.sub("", str(text or "").lower())


def translated(delivery: RawDelivery) -> Translation:
    """Return what the records of a reading say; detections of other kinds are counted. Never raises."""
    said: list[SaidOfExposure] = []
    unsaid: list[Unsaid] = []
    problems: list[str] = []
    try:
        records = exposure_record.records_in(delivery)
    except Unreadable as error:
        return Translation(problems=(str(error),))
    named = exposure_record.named_in(records)
    for index, record in enumerate(records):
        try:
            made = _made(Place(delivery, index, named), record)
        except Unreadable as error:
            problems.append(f"records.{index}.{error}")
        else:
            said += [made] if isinstance(made, SaidOfExposure) else []
            unsaid += [made] if isinstance(made, Unsaid) else []
    return Translation(exposures=said, unsaid=unsaid, problems=problems)


def _made(place: Place, record: JsonObject) -> SaidOfExposure | Unsaid:
    document = fields.name(record.get("document"), "document")
    kind, state = letters(record.get("kind")), letters(record.get("state"))
    if kind in EXPOSING and state not in SETTLED:
        return exposure_record.said_of(place, record, _WORDS)
    code = f"detection/{kind or 'none'}" + (f"/{state}" if kind in EXPOSING else "")
    return Unsaid(ids.event_id_of_vendor(place.delivery.source, f"{document}/{code}"), code, is_known=True)
