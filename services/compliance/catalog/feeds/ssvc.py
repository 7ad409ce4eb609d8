"""SSVC's decision points by CISA (Vulnrichment): exploitation, automatable, technical impact, in CVE records of JSON 5.

Source: CISA's Vulnrichment; the points stand in `containers.adp[].metrics[].other` of type `ssvc`. Unconfirmed: no file
of it was at hand here; the form is that of the CVE record format 5.1 with SSVC's own names.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from services.compliance.catalog.feeds.epss import CVE
from services.compliance.catalog.feeds.found import Facts, FeedRefused, File, Found, Options
from services.compliance.catalog.feeds.scores import digest_label
from services.compliance.catalog.intelligence import EXPLOITATION, Feed, Known

YES_NO: Final = {"yes": True, "no": False}
IMPACT: Final = {"total": True, "partial": False}
MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def read(files: Sequence[File], _: Options) -> Found:
    """Return the newest points of each CVE.

    Raises:
        FeedRefused: a file is no CVE record, or a point has a value that SSVC does not know.
    """
    known = [found for file in files if (found := _of(file)) is not None]
    label = digest_label(File("all", "".join(file.text for file in files)))
    without = len(files) - len(known)
    return Found(
        label=label,
        entries=len(known),
        facts=(Facts(feed=Feed.SSVC, label=label, known=tuple(known)),),
        notes=(f"{without} records have no points of SSVC",) if without else (),
    )


def _of(file: File) -> Known | None:
    try:
        record = json.loads(file.text)
        cve = str(record["cveMetadata"]["cveId"])
        told = [each for each in _told(record) if isinstance(each.get("options"), list)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FeedRefused(f"{file.name}: is no CVE record: {error}") from error
    if not CVE.fullmatch(cve):
        raise FeedRefused(f"{file.name}: {cve[:40]!r} is no CVE")
    if not told:
        return None
    newest = max(told, key=lambda each: _at(each, file))
    return _known(cve, newest["options"], file)


def _told(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for container in record["containers"].get("adp", ()):
        for metric in container.get("metrics", ()):
            other = metric.get("other") or {}
            if other.get("type") == "ssvc":
                yield other["content"]


def _at(told: Mapping[str, Any], file: File) -> datetime:
    try:
        return MOMENT.validate_python(told.get("timestamp"))
    except ValidationError as error:
        raise FeedRefused(f"{file.name}: the points of SSVC have no timestamp") from error


def _known(cve: str, options: Sequence[Mapping[str, Any]], file: File) -> Known:
    points = {str(name).casefold(): str(value).casefold() for each in options for name, value in each.items()}
    exploitation = points.get("exploitation")
    automatable, impact = points.get("automatable"), points.get("technical impact")
    if exploitation not in {None, *EXPLOITATION} or automatable not in {None, *YES_NO} or impact not in {None, *IMPACT}:
        raise FeedRefused(f"{file.name}: {points} has a value that SSVC does not know")
    return Known(
        cve=cve,
        exploitation=exploitation,
        automatable=YES_NO[automatable] if automatable else None,
        technical_impact_total=IMPACT[impact] if impact else None,
    )
