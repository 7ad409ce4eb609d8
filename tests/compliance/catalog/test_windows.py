"""Windows' list of KBs: names, lines, and when a KB was released, which is not when it was posted."""

from datetime import date

import pytest

from services.compliance.catalog.entries import CatalogDocument, ProductEntry, TrainEntry
from services.compliance.catalog.feeds import windows
from services.compliance.catalog.feeds.found import FeedRefused, File, Options
from services.compliance.catalog.feeds.windows_dates import moments
from services.compliance.catalog.feeds.windows_names import normal_name, system_of
from services.compliance.catalog.graph import Supersedence
from services.compliance.catalog.merge import merged
from services.compliance.catalog.model import Owed
from tests.compliance.catalog import files
from tests.compliance.catalog.files import needs_public_data, public

NAMES = {
    "Windows 11 version 26H1 for ARM systems": "Windows 11 26H1 arm64",
    "Windows 11 Version 24H2 for x64-based Systems": "Windows 11 24H2 x64",
    "Windows 8.1 for x64-based systems": "Windows 8.1 x64",
    "Windows 10 Version 1809 for 32-bit Systems": "Windows 10 1809 x86",
    "Microsoft Windows  10 version 22h2 for ARM64-based Systems": "Windows 10 22H2 arm64",
    "Windows Server 2012 R2 (Server Core installation)": "Windows Server 2012 R2",
    "Windows Server 2022": "Windows Server 2022",
    "Windows Whistler": None,
    "Microsoft Office 2019": None,
}


@pytest.mark.parametrize(("spelled", "name"), NAMES.items(), ids=NAMES.keys())
def test_a_product_has_one_name_however_a_list_spells_it(spelled: str, name: str | None) -> None:
    assert normal_name(spelled) == name


def test_the_usual_kind_of_processor_selects_devices_and_the_others_do_not() -> None:
    usual, other = system_of("Windows 11 24H2 x64"), system_of("Windows 11 24H2 arm64")

    assert usual is not None
    assert (usual.builds, usual.name_lacks) == (("10.0.26100",), "server")
    assert other is None


MOMENTS: dict[str, tuple[dict[str, list[str]], list[tuple[str, str]], dict[str, tuple[str, bool]]]] = {
    "the vendor's Tuesday, in winter and in summer": (
        {"1": ["2024-01-09"], "2": ["2024-06-11"]},
        [("2", "1")],
        {"1": ("2024-01-09T18:00", True), "2": ("2024-06-11T17:00", True)},
    ),
    "posted again a month late: the Tuesday before what superseded it": (
        {"1": ["2023-01-27"], "2": ["2023-02-07"], "3": ["2023-01-10"]},
        [("2", "1"), ("3", "2")],
        {"1": ("2022-11-08T18:00", False), "2": ("2022-12-13T18:00", False), "3": ("2023-01-10T18:00", True)},
    ),
    "posted on a Tuesday before what it supersedes": (
        {"1": ["2025-03-11"], "2": ["2024-08-13"], "3": ["2025-05-13"]},
        [("2", "1"), ("3", "2")],
        {"1": ("2025-03-11T17:00", True), "2": ("2025-04-08T17:00", False), "3": ("2025-05-13T17:00", True)},
    ),
    "out of band: its own day, unconfirmed": (
        {"1": ["2025-10-14"], "2": ["2025-10-24"]},
        [("2", "1")],
        {"1": ("2025-10-14T17:00", True), "2": ("2025-10-24T17:00", False)},
    ),
    "of several days the last Tuesday": (
        {"1": ["2024-12-16", "2025-03-11", "2025-02-11"]},
        [],
        {"1": ("2025-03-11T17:00", True)},
    ),
    "nothing above and an impossible day: the Tuesday after what is below": (
        {"1": ["2025-03-11"], "2": ["2024-12-02"]},
        [("2", "1")],
        {"1": ("2025-03-11T17:00", True), "2": ("2025-04-08T17:00", False)},
    ),
}


@pytest.mark.parametrize(("posted", "edges", "expected"), MOMENTS.values(), ids=MOMENTS.keys())
def test_a_day_of_posting_is_no_moment_of_release(
    posted: dict[str, list[str]], edges: list[tuple[str, str]], expected: dict[str, tuple[str, bool]]
) -> None:
    days = {kb: [date.fromisoformat(each) for each in several] for kb, several in posted.items()}

    found = moments(days, Supersedence(edges))

    assert {kb: (f"{each.at:%Y-%m-%dT%H:%M}", each.is_confirmed) for kb, each in found.items()} == expected


def product(name: str, known: CatalogDocument | None = None) -> ProductEntry:
    found = windows.read([File("kbs.csv", files.KBS), File("edges.csv", files.EDGES)], Options(known=known))
    return next(each for each in found.products if each.product == name)


def line(of: ProductEntry, train: str) -> TrainEntry:
    return next(each for each in of.trains if each.train == train)


def test_kbs_that_lead_to_one_another_are_one_line_and_the_others_wait_for_evidence() -> None:
    server = product("Windows Server 2022")

    assert [(each.train, each.owed, len(each.releases)) for each in server.trains] == [
        ("cumulative", Owed.ALWAYS, 4),
        ("KB5900009", Owed.WHEN_NAMED, 1),
    ]
    newest = line(server, "cumulative").releases[-1]
    assert (newest.kb, newest.supersedes) == ("5900004", ("KB5900003",))
    assert (newest.severity, newest.reboot) == ("critical", True)
    assert newest.cves == ("CVE-2024-90004", "CVE-2024-90005")


def test_supersedence_goes_over_kbs_that_the_list_does_not_have() -> None:
    workstation = product("Windows 11 23H2 x64")

    newest = line(workstation, "cumulative").releases[-1]
    assert (newest.kb, newest.supersedes) == ("5900011", ("KB5900002",))


def test_a_product_that_no_build_tells_is_owed_where_evidence_names_it() -> None:
    unknown = product("Windows Whistler")

    assert unknown.select == ()


def test_a_line_keeps_its_name_when_more_of_it_becomes_known() -> None:
    known = merged(None, [product("Windows Server 2022")], name="test")
    renamed = known.model_dump(mode="json")
    renamed["products"][0]["trains"][0]["train"] = "ours"

    again = product("Windows Server 2022", CatalogDocument.model_validate(renamed))

    assert "ours" in [each.train for each in again.trains]


REFUSED = {
    "no list": (files.EDGES, "no file has the columns kb, product"),
    "no KB": (files.KBS.replace("5900004", "six", 1), "line 5: 'six' is no KB number"),
    "no day": (files.KBS.replace("2024-04-20", "20.4.24"), "line 6: '20.4.24' is no day"),
    "a circle": (files.KBS.replace("Critical,,2", "Critical,5900004,2"), "a patch supersedes itself: 5900001 ←"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_list_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(FeedRefused) as refused:
        windows.read([File("kbs.csv", text)], Options())

    assert reason in str(refused.value)


@needs_public_data
def test_the_real_list_makes_the_lines_that_the_vendor_released() -> None:
    real = [public("wesng/windows_kb_2023_2026.csv"), public("wesng/kb_supersedence_edges.csv")]

    found = windows.read(real, Options())
    again = merged(merged(None, found.products, name="x"), windows.read(real, Options()).products, name="x")

    server = next(each for each in found.products if each.product == "Windows Server 2022")
    at = {each.kb: (f"{each.released_at:%Y-%m-%d}", each.release_confirmed) for each in server.trains[0].releases}
    assert (found.entries, len(found.products), all(each.select for each in found.products)) == (607, 14, True)
    assert at["5022291"] == ("2023-01-10", True)
    assert (at["5021249"], at["5019081"]) == (("2022-12-13", False), ("2022-11-08", False))
    assert (at["5055526"], at["5058385"]) == (("2025-04-08", False), ("2025-05-13", False))
    assert again.digest == merged(None, found.products, name="x").digest
