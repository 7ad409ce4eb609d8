"""CISA's list of vulnerabilities that are known to be exploited (KEV), as its JSON file.

A due date in it is a hint: 15 of 1,404 real entries have one before the day on which they were added, and newer ones
say that the date depends on the machine's exposure. Clocks count from the day of addition.
"""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from services.compliance.catalog.entries import Cve
from services.compliance.catalog.feeds.found import Facts, FeedRefused, File, Found, Options, only, parsed
from services.compliance.catalog.intelligence import Feed, Known


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    cve: Cve = Field(alias="cveID")
    added_on: date = Field(alias="dateAdded")
    due_on: date | None = Field(default=None, alias="dueDate")
    ransomware: Literal["Known", "Unknown"] | None = Field(default=None, alias="knownRansomwareCampaignUse")


class _List(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str = Field(alias="catalogVersion", min_length=1, max_length=100)
    released_at: AwareDatetime = Field(alias="dateReleased")
    count: int
    vulnerabilities: tuple[_Entry, ...] = Field(min_length=1)


LIST: TypeAdapter[_List] = TypeAdapter(_List)


def read(files: Sequence[File], _: Options) -> Found:
    """Return what KEV says.

    Raises:
        FeedRefused: the file is not KEV's, or not whole.
    """
    file = only(files, "KEV")
    try:
        content = json.loads(file.text)
    except (ValueError, RecursionError) as error:
        raise FeedRefused(f"{file.name}: is not JSON: {error}") from error
    found = parsed(LIST, content, file)
    if found.count != len(found.vulnerabilities):
        raise FeedRefused(f"{file.name}: says {found.count} entries and has {len(found.vulnerabilities)}")
    known = tuple(_known(each) for each in found.vulnerabilities)
    facts = Facts(feed=Feed.KEV, label=found.version, known=known, published_at=found.released_at)
    return Found(
        label=found.version, entries=len(known), facts=(facts,), notes=_notes(found), published_at=found.released_at
    )


def _known(entry: _Entry) -> Known:
    """Return the entry's facts; the list names days only, so an addition counts from the first moment of its day."""
    return Known(
        cve=entry.cve,
        kev_added_at=_start_of(entry.added_on),
        kev_due_at=_start_of(entry.due_on) if entry.due_on else None,
        ransomware=True if entry.ransomware == "Known" else None,
    )


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _notes(found: _List) -> tuple[str, ...]:
    before = [each.cve for each in found.vulnerabilities if each.due_on and each.due_on < each.added_on]
    if not before:
        return ()
    said = f"{len(before)} entries are due before the day on which they were added ({before[0]} …)"
    return (f"{said}: due dates are kept as hints, clocks count from the addition",)
