"""EPSS: how likely it is that a vulnerability is exploited within 30 days, as FIRST's CSV file.

Its first line names the model and the day: `#model_version:v2026.06.15,score_date:2026-09-29T12:00:22Z`. Scores of two
models are not comparable, so a file that does not say its model is refused unless a person says it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from services.compliance.catalog.feeds.found import Facts, FeedRefused, File, Found, Options, only
from services.compliance.catalog.feeds.tables import rows
from services.compliance.catalog.intelligence import Feed, Known

HEADER: Final = re.compile(r"#\s*model_version:(?P<model>[^,\s]{1,40}),\s*score_date:(?P<date>[^,\s]{10,40})\s*")
CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")


def read(files: Sequence[File], options: Options) -> Found:
    """Return what EPSS says.

    Raises:
        FeedRefused: the file names no model, or a row has no score.
    """
    file = only(files, "EPSS")
    model, scored_at = _said(file, options)
    known = tuple(
        Known(
            cve=cve(row["cve"], file, number),
            epss=share(row["epss"], file, number),
            epss_percentile=share(row["percentile"], file, number),
        )
        for number, row in rows(file, ("cve", "epss", "percentile"))
    )
    label = label_of(model, scored_at)
    facts = Facts(feed=Feed.EPSS, label=label, known=known, published_at=scored_at)
    return Found(label=label, entries=len(known), facts=(facts,), published_at=scored_at)


def label_of(model: str, scored_at: datetime) -> str:
    """Return what a version of EPSS is called: its model and its day."""
    return f"{model} of {scored_at.astimezone(UTC):%Y-%m-%d}"


def cve(text: str, file: File, number: int) -> str:
    """Return a CVE's name.

    Raises:
        FeedRefused: it is none.
    """
    if not CVE.fullmatch(text.strip()):
        raise FeedRefused(f"{file.name}, line {number}: {text[:40]!r} is no CVE")
    return text.strip()


def share(text: str, file: File, number: int, *, of: float = 1) -> float:
    """Return a number from 0 to `of`.

    Raises:
        FeedRefused: it is none.
    """
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found <= of:
        raise FeedRefused(f"{file.name}, line {number}: {text[:40]!r} is no number from 0 to {of:g}")
    return found


def _said(file: File, options: Options) -> tuple[str, datetime]:
    said = HEADER.match(file.text)
    if said is None and options.epss_model and options.score_date:
        return options.epss_model, options.score_date
    if said is None:
        raise FeedRefused(
            f"{file.name}: does not say its model, and scores of two models never compare; "
            "say --epss-model and --score-date if you know them"
        )
    try:
        at = datetime.fromisoformat(said["date"])
    except ValueError as error:
        raise FeedRefused(f"{file.name}: {said['date']} is no moment") from error
    return said["model"], at if at.tzinfo else at.replace(tzinfo=UTC)
