"""What somebody types when they ask for an exception, read strictly into a request. Pure."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from chassis.errors import NeverWorks
from services.compliance.exceptions.records import Control, ControlKind

A_DAY: Final = timedelta(days=1)


class NotAsked(NeverWorks):
    """What was typed cannot be asked for; the text says why."""


def control_of(text: str) -> Control:
    """Return the control in `kind: what is done`.

    Raises:
        NotAsked: its kind is none, or nothing is done.
    """
    kind, colon, words = text.partition(":")
    found = {each.value: each for each in ControlKind}.get(kind.strip().lower().replace(" ", "_").replace("-", "_"))
    if found is None or not colon or not words.strip():
        kinds = ", ".join(each.value for each in ControlKind)
        raise NotAsked(f"--control {text!r}: write 'kind: what is done', such as 'segmentation: VLAN 40' ({kinds})")
    return Control(found, words.strip())


def moment_of(text: str, zone: tzinfo) -> datetime:
    """Return the moment in `text`: a date means through that day in the client's zone; a moment has its own zone.

    Raises:
        NotAsked: it is neither, or a moment without a zone.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass
    else:
        return datetime.combine(day + A_DAY, time(0), tzinfo=zone).astimezone(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise NotAsked(f"{text}: write a date (2026-12-31) or a moment with its zone (2026-12-31T18:00:00Z)") from error
    if at.tzinfo is None:
        raise NotAsked(f"{text}: write the time zone too, such as 2026-12-31T18:00:00Z")
    return at.astimezone(UTC)
