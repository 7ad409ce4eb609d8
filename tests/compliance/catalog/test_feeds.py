"""KEV, EPSS, CVSS and SSVC as their publishers write them: what is read, what is told as a hint, what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from services.compliance.catalog.feeds import applications, epss, kev, scores, ssvc
from services.compliance.catalog.feeds.found import FeedRefused, File, Found, Options
from services.compliance.catalog.intelligence import Feed
from tests.compliance.catalog import files
from tests.compliance.catalog.files import needs_public_data, public

NONE = Options()


def test_an_addition_counts_from_the_first_moment_of_its_day_and_a_due_date_is_a_hint() -> None:
    untold = {"dueDate": "2025-12-31", "knownRansomwareCampaignUse": "Unknown"}
    early = files.KEV_ENTRY | {"cveID": "CVE-2021-90007"} | untold

    found = kev.read([files.kev(files.KEV_ENTRY, early)], NONE)

    [facts] = found.facts
    ordinary, hinted = facts.known
    assert (facts.feed, facts.label) == (Feed.KEV, "2026.02.03")
    assert (ordinary.kev_added_at, ordinary.ransomware) == (datetime(2026, 2, 1, tzinfo=UTC), True)
    assert hinted.kev_due_at == datetime(2025, 12, 31, tzinfo=UTC)
    assert hinted.ransomware is None
    assert found.notes[0].startswith("1 entries are due before the day on which they were added (CVE-2021-90007")


def test_a_score_keeps_its_model_and_its_day() -> None:
    found = epss.read([files.epss("CVE-2024-90001,0.01,0.5")], NONE)

    assert found.label == "v2026.01.01 of 2026-02-02"
    assert [(each.epss, each.epss_percentile) for each in found.facts[0].known] == [(0.01, 0.5)]


def test_a_file_without_its_model_needs_a_person_who_knows_it() -> None:
    bare = File("epss.csv", "cve,epss,percentile\nCVE-2024-90001,0.01,0.5\n")

    with pytest.raises(FeedRefused, match="does not say its model"):
        epss.read([bare], NONE)
    said = epss.read([bare], Options(epss_model="v1", score_date=datetime(2026, 2, 2, tzinfo=UTC)))

    assert said.label == "v1 of 2026-02-02"


def test_a_list_of_scores_without_a_model_gives_cvss_alone() -> None:
    listed = File("list.csv", "CVE,CVSS3,EPSS,EPSS Percentile\nCVE-2024-90001,9.8,0.5,0.9\nCVE-2024-90002,,0.1,0.2\n")

    found = scores.read_kev_list([listed], NONE)
    whole = scores.read_kev_list([listed], Options(epss_model="v1", score_date=datetime(2026, 2, 2, tzinfo=UTC)))

    assert [(each.feed, [known.cvss for known in each.known]) for each in found.facts] == [(Feed.CVSS, [9.8])]
    assert "2 EPSS scores are left out" in found.notes[0]
    assert [each.feed for each in whole.facts] == [Feed.CVSS, Feed.EPSS]


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        (files.WORST, 9.8),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
        ("CVSS:3.1/AV:N", None),
        ("", None),
    ],
)
def test_a_base_score_is_worked_out_from_its_vector(vector: str, score: float | None) -> None:
    assert scores.score_of(vector) == score


def test_the_points_of_a_record_are_read_and_a_record_without_is_counted() -> None:
    bare = File("CVE-2024-90009.json", '{"cveMetadata": {"cveId": "CVE-2024-90009"}, "containers": {"cna": {}}}')

    found = ssvc.read([files.record(automatable="no", impact="partial", exploitation="poc"), bare], NONE)

    [known] = found.facts[0].known
    assert (known.exploitation, known.automatable, known.technical_impact_total) == ("poc", False, False)
    assert found.notes == ("1 records have no points of SSVC",)


def test_applications_are_put_in_the_order_of_their_versions() -> None:
    text = "product,version,released_at,severity,cves\nThing,10.0,2026-02-02,Critical,CVE-2026-90001\n"

    found = applications.read([File("apps.csv", text)], NONE)

    [product] = found.products
    [release] = product.trains[0].releases
    assert (product.product, release.release, release.fixed_version) == ("Thing", "Thing 10.0", "10.0")
    assert (release.release_confirmed, release.cves, release.severity) == (False, ("CVE-2026-90001",), "critical")


REFUSED: dict[str, tuple[Callable[[], Found], str]] = {
    "applications, a header without an end": (
        lambda: applications.read([File("a", "product" * 20_000)], NONE),
        "a: is no CSV: field larger",
    ),
    "KEV, not JSON": (lambda: kev.read([File("k", "{")], NONE), "k: is not JSON"),
    "KEV, not KEV": (lambda: kev.read([File("k", "{}")], NONE), "k: catalogVersion: Field required"),
    "KEV, cut off": (lambda: kev.read([files.kev(count=9)], NONE), "says 9 entries and has 1"),
    "KEV, no CVE": (lambda: kev.read([files.kev(files.KEV_ENTRY | {"cveID": "X"})], NONE), "vulnerabilities.0.cveID"),
    "two files of KEV": (lambda: kev.read([files.kev(), files.kev()], NONE), "KEV is one file; 2 were given"),
    "EPSS over 1": (lambda: epss.read([files.epss("CVE-2024-90001,1.5,0.5")], NONE), "line 3: '1.5' is no number"),
    "EPSS, not a number": (lambda: epss.read([files.epss("CVE-2024-90001,nan,0.5")], NONE), "line 3: 'nan' is no"),
    "EPSS, no CVE": (lambda: epss.read([files.epss("CWE-79,0.5,0.5")], NONE), "line 3: 'CWE-79' is no CVE"),
    "EPSS, a short row": (
        lambda: epss.read([files.epss("CVE-2024-90001,0.5")], NONE),
        "line 3: has not as many",
    ),
    "CVSS, no vector": (
        lambda: scores.read_vectors([File("v", "cve,vector\nCVE-2024-90001,CVSS:3.1/AV:X\n")], NONE),
        "line 2: 'CVSS:3.1/AV:X' is no vector",
    ),
    "SSVC, another value": (lambda: ssvc.read([files.record(impact="huge")], NONE), "has a value that SSVC does not"),
    "SSVC, no record": (lambda: ssvc.read([File("s", "[]")], NONE), "s: is no CVE record"),
    "SSVC, no moment": (lambda: ssvc.read([files.record(at="yesterday")], NONE), "have no timestamp"),
    "an application without a version": (
        lambda: applications.read([File("a", "product,version,released_at\nThing,,2026-02-02\n")], NONE),
        "line 2: '' is no version",
    ),
    "an application of no day": (
        lambda: applications.read([File("a", "product,version,released_at\nThing,1,soon\n")], NONE),
        "line 2: Invalid isoformat",
    ),
    "a list without its columns": (
        lambda: applications.read([File("a", "product\nThing\n")], NONE),
        "a: has no column version, released_at",
    ),
}


@pytest.mark.parametrize(("read", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_used_is_refused_with_its_place(read: Callable[[], Found], reason: str) -> None:
    with pytest.raises(FeedRefused) as refused:
        read()

    assert reason in str(refused.value)


@needs_public_data
def test_the_real_lists_are_read_with_their_traps() -> None:
    listed = kev.read([public("kev/known_exploited_vulnerabilities.json")], NONE)
    scored = scores.read_kev_list([public("epss/epss_kev_nvd.csv")], NONE)

    assert (listed.label, listed.entries) == ("2025.08.25", 1404)
    assert listed.notes[0].startswith("15 entries are due before")
    assert sum(1 for each in listed.facts[0].known if each.ransomware) == 293
    assert (scored.entries, sum(1 for each in scored.facts[0].known if each.cvss and each.cvss < 7)) == (1552, 192)
