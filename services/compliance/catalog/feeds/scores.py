"""CVSS: from vectors, which are worked out here, and from a list that has base scores (KEV, EPSS and NVD in one)."""

import hashlib
from collections.abc import Sequence

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError

from services.compliance.catalog.feeds.epss import cve, label_of, share
from services.compliance.catalog.feeds.found import Facts, FeedRefused, File, Found, Options, only
from services.compliance.catalog.feeds.tables import rows
from services.compliance.catalog.intelligence import Feed, Known


def score_of(vector: str) -> float | None:
    """Return the base score of a vector of CVSS 2, 3 or 4; `None`: it is none.

    Source: FIRST's specifications, by the library `cvss`.
    """
    kind = CVSS4 if vector.startswith("CVSS:4") else CVSS3 if vector.startswith("CVSS:3") else CVSS2
    try:
        return float(kind(vector).scores()[0])
    except CVSSError:
        return None


def digest_label(file: File) -> str:
    """Return what a file without a version of its own is called: the beginning of its digest."""
    return hashlib.sha256(file.text.encode()).hexdigest()[:12]


def read_vectors(files: Sequence[File], _: Options) -> Found:
    """Return base scores from a CSV file of `cve,vector`.

    Raises:
        FeedRefused: names the line whose vector is none.
    """
    file = only(files, "a list of vectors")
    known = []
    for number, row in rows(file, ("cve", "vector")):
        score = score_of(row["vector"].strip())
        if score is None:
            raise FeedRefused(f"{file.name}, line {number}: {row['vector'][:60]!r} is no vector of CVSS 2, 3 or 4")
        known.append(Known(cve=cve(row["cve"], file, number), cvss=score, cvss_vector=row["vector"].strip()))
    label = digest_label(file)
    return Found(label=label, entries=len(known), facts=(Facts(feed=Feed.CVSS, label=label, known=tuple(known)),))


def read_kev_list(files: Sequence[File], options: Options) -> Found:
    """Return what the list of exploited vulnerabilities with their scores says (columns CVE, CVSS3, EPSS, …).

    It does not name its EPSS model: those scores are left out unless a person says the model and the day.

    Raises:
        FeedRefused: names the line that is wrong.
    """
    file = only(files, "the list of scores")
    scores, likelihoods = [], []
    for number, row in rows(file, ("CVE", "CVSS3", "EPSS", "EPSS Percentile")):
        name = cve(row["CVE"], file, number)
        if row["CVSS3"].strip():
            scores.append(Known(cve=name, cvss=share(row["CVSS3"], file, number, of=10)))
        if row["EPSS"].strip():
            likely, percentile = (share(row[column], file, number) for column in ("EPSS", "EPSS Percentile"))
            likelihoods.append(Known(cve=name, epss=likely, epss_percentile=percentile))
    label = digest_label(file)
    facts = [Facts(feed=Feed.CVSS, label=label, known=tuple(scores))]
    notes = []
    if options.epss_model and options.score_date:
        said = label_of(options.epss_model, options.score_date)
        facts.append(Facts(feed=Feed.EPSS, label=said, known=tuple(likelihoods), published_at=options.score_date))
    else:
        notes.append(
            f"{len(likelihoods)} EPSS scores are left out: the file does not say their model; say --epss-model and "
            "--score-date if you know them"
        )
    return Found(label=label, entries=len(scores), facts=tuple(facts), notes=tuple(notes))
