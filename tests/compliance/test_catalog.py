"""The catalog: what a file may say, what a name leads to, and what comes along."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from contracts import ids
from contracts.events.event import OsFamily, Tier
from services.compliance.catalog.bundled import BUNDLED
from services.compliance.catalog.document import CatalogRefused, document
from services.compliance.catalog.model import Catalog, Named, Product, Selector, System
from services.compliance.catalog.numbers import begins_with, is_at_least, numbers
from tests.compliance.house import House, bundled
from tests.compliance.stories import CUMULATIVE, DEC, DECEMBER_AT, JAN, JANUARY_AT, needed, release

RELEASE = {"release": "KB5049983", "kb": "5049983", "released_at": "2025-01-14T18:00:00Z", "fixed_build": "20348.3091"}
PRODUCT = {"product": "Windows Server 2022", "os_family": "windows", "reads": "build", "line": "20348"}


def written(*releases: dict[str, Any], **product: Any) -> str:
    trains = [{"train": "cumulative", "releases": list(releases or [RELEASE])}]
    return json.dumps({"name": "test", "products": [PRODUCT | {"trains": trains} | product]})


WRONG: dict[str, tuple[str, str]] = {
    "not JSON": ("{", "the catalog is not JSON"),
    "nested without end": ("[" * 100_000, "the catalog is not JSON"),
    "a list": ("[]", "the file: Input should be an object"),
    "no product": ('{"name": "x", "products": []}', "products: "),
    "an impossible KB": (
        written(RELEASE | {"kb": "KB5049983"}),
        "product 'Windows Server 2022', train 'cumulative', release 'KB5049983', kb: String should match pattern",
    ),
    "a moment without a zone": (
        written(RELEASE | {"released_at": "2025-01-14T18:00:00"}),
        "release 'KB5049983', released_at: Input should have timezone info",
    ),
    "a moment beyond all calendars": (
        written(RELEASE | {"released_at": "9999-12-31T23:59:59Z"}),
        "release 'KB5049983', released_at: no possible moment",
    ),
    "a severity of another scale": (
        written(RELEASE | {"severity": "Important"}),
        "release 'KB5049983', severity: Input should be 'critical', 'high', 'moderate', 'low' or 'unknown'",
    ),
    "a misspelt field": (written(RELEASE | {"superseeds": []}), "superseeds: Extra inputs are not permitted"),
    "a release that nothing can name": (
        written(RELEASE | {"kb": None}),
        "release 'KB5049983': has neither kb nor patches",
    ),
    "a build that is no number": (
        written(RELEASE | {"fixed_build": "newest"}),
        "fixed_build: begins with no number",
    ),
    "a build on another line": (
        written(RELEASE | {"fixed_build": "17763.6775"}),
        "release 'KB5049983', fixed_build: 17763.6775 is not on the line 20348",
    ),
    "a build where none is read": (written(reads="nothing"), "fixed_build: the product's readings are not compared"),
    "a release twice": (written(RELEASE, RELEASE), "release 'KB5049983': is there more than once"),
    "one KB for two releases": (
        written(RELEASE, RELEASE | {"release": "other"}),
        "train 'cumulative': the patch '5049983' names more than one release",
    ),
    "a circle of supersedence": (
        written(
            RELEASE | {"supersedes": ["B"]},
            {**RELEASE, "release": "B", "kb": "5048654", "supersedes": ["KB5049983"]},
        ),
        "release 'KB5049983', supersedes: leads back to itself",
    ),
    "a newer build that is lower": (
        written(
            RELEASE, RELEASE | {"release": "N", "kb": "5051979", "fixed_build": "20348.1", "supersedes": ["KB5049983"]}
        ),
        "release 'N', fixed_build: is lower than of 'KB5049983', which it supersedes",
    ),
    "a selector for everything": (written(select=[{"name_lacks": "server"}]), "it would select every device"),
}


@pytest.mark.parametrize(("text", "reason"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_catalog_is_refused_by_the_name_of_its_entry(text: str, reason: str) -> None:
    with pytest.raises(CatalogRefused) as refused:
        document(text)

    assert reason in str(refused.value)


def test_every_wrong_entry_is_named_at_once() -> None:
    with pytest.raises(CatalogRefused) as refused:
        document(written(RELEASE | {"kb": "1"}, RELEASE | {"release": "other", "kb": "2"}))

    assert "release 'KB5049983', kb" in str(refused.value)
    assert "release 'other', kb" in str(refused.value)


def test_spacing_and_order_of_fields_do_not_make_another_catalog() -> None:
    one = document(written())

    other = document(json.dumps(dict(reversed(json.loads(written()).items())), indent=8))

    assert other.digest == one.digest
    assert document(written(RELEASE | {"reboot": True})).digest != one.digest


NUMBERS = {
    "10.0.26100.2894": (26100, 2894),
    "26100.2894": (26100, 2894),
    "10.0.26100 N/A Build 26100": (26100,),
    "6.8.0-51-generic": (6, 8, 0, 51),
    "15.1.1": (15, 1, 1),
    "26.3.1 (a)": (26, 3, 1, 1),
    "15.2 (24C101)": (15, 2),
    "24C101": (24,),
    "newest": (),
    "": (),
}


@pytest.mark.parametrize(("text", "found"), NUMBERS.items())
def test_builds_and_versions_as_numbers(text: str, found: tuple[int, ...]) -> None:
    assert numbers(text) == found


def test_what_is_too_short_tells_nothing_and_a_whole_version_ends_in_zeros() -> None:
    assert is_at_least((26100,), (26100, 2894), is_whole=False) is None
    assert is_at_least((15, 3), (15, 3, 1), is_whole=True) is False
    assert is_at_least((15, 4), (15, 3, 1), is_whole=True) is True
    assert is_at_least((26100, 2894), (26100, 2894), is_whole=False) is True
    assert not begins_with((15,), ())


SYSTEMS: dict[str, tuple[System, str | None]] = {
    "by build": (System(os_family=OsFamily.WINDOWS, os_build="10.0.26100.2605"), "Windows 11 24H2 x64"),
    "by build alone, as NinjaOne has it": (
        System(os_family=OsFamily.WINDOWS, os_name="Windows 11 Professional Edition", os_build="22631"),
        "Windows 11 23H2 x64",
    ),
    "a server of the same build": (
        System(os_family=OsFamily.WINDOWS, os_name="Windows Server 2025 Datacenter", os_build="26100.2605"),
        "Windows Server 2025",
    ),
    "a workstation of a server's build": (
        System(os_family=OsFamily.WINDOWS, os_name="Windows 10 Enterprise LTSC", os_build="17763.6532"),
        None,
    ),
    "macOS by version": (
        System(os_family=OsFamily.MACOS, os_name="macOS Sequoia", os_version="15.1.1", os_build="24B91"),
        "macOS 15",
    ),
    "macOS by name": (System(os_family=OsFamily.MACOS, os_name="macOS 14 Sonoma"), "macOS 14"),
    "Ubuntu by name and version": (
        System(os_family=OsFamily.LINUX, os_name="Ubuntu", os_version="22.04.5 LTS"),
        "Ubuntu 22.04 LTS",
    ),
    "Ubuntu by name": (System(os_family=OsFamily.LINUX, os_name="Ubuntu 24.04.1 LTS"), "Ubuntu 24.04 LTS"),
    "Debian is not Ubuntu": (System(os_family=OsFamily.LINUX, os_name="Debian", os_version="22.04"), None),
    "a version that only begins alike": (System(os_family=OsFamily.MACOS, os_version="150.1"), None),
    "a build in another family": (System(os_family=OsFamily.LINUX, os_build="26100.1"), None),
    "nothing is known": (System(os_family=OsFamily.WINDOWS), None),
}


@pytest.fixture(scope="module")
def products() -> Catalog:
    return Catalog(
        version=1,
        name="test",
        products=[
            Product(
                name=each.product,
                os_family=each.os_family,
                for_servers=each.for_servers,
                selectors=tuple(Selector(**selector.model_dump()) for selector in each.select),
            )
            for each in bundled().products
        ],
        requirements=(),
        patches={},
    )


@pytest.mark.parametrize(("system", "product"), SYSTEMS.values(), ids=SYSTEMS.keys())
def test_the_product_that_a_device_is(products: Catalog, system: System, product: str | None) -> None:
    assert products.product_of(system) == product


MEANT: dict[str, tuple[list[str], str | None, Tier, str | None]] = {
    "what the device is": (["Windows 11 24H2 x64", "Windows Server 2025"], "Windows Server 2025", Tier.KIOSK, None),
    "another product than the device's": (["Windows 11 24H2 x64"], "Windows Server 2022", Tier.SERVER, "nothing"),
    "an application": (["Google Chrome"], "Windows Server 2022", Tier.SERVER, "Google Chrome"),
    "a server's, while the product is not known": (
        ["Windows 11 24H2 x64", "Windows Server 2025"],
        None,
        Tier.SERVER,
        "Windows Server 2025",
    ),
    "a workstation's, while the product is not known": (
        ["Windows 11 24H2 x64", "Windows Server 2025"],
        None,
        Tier.DO_NOT_DISRUPT,
        "Windows 11 24H2 x64",
    ),
    "two that cannot be told apart": (["Ubuntu 22.04 LTS", "Ubuntu 24.04 LTS"], None, Tier.SERVER, "nothing"),
    "nothing": ([], None, Tier.SERVER, "nothing"),
}


@pytest.mark.parametrize("case", MEANT.values(), ids=MEANT.keys())
def test_what_a_name_means_on_a_device(products: Catalog, case: tuple[list[str], str | None, Tier, str | None]) -> None:
    candidates, product, tier, meant = case
    named = [Named(ids.requirement_id(each, "t"), each, "r") for each in candidates]

    found = products.meant(named, product=product, tier=tier)

    assert (found.product if found else "nothing") == (meant or product)


def test_supersedence_reaches_all_the_way_up() -> None:
    newest = release("5051979", JANUARY_AT, supersedes=[JAN, "5040000"])

    train = needed(*CUMULATIVE.releases, newest)

    assert train.superseders == {DEC: {JAN, "5051979"}, JAN: {"5051979"}, "5051979": set()}
    assert [each.released_at for each in train.releases] == [DECEMBER_AT, JANUARY_AT, JANUARY_AT]


def test_the_bundled_catalog_has_the_true_numbers_of_two_patch_tuesdays() -> None:
    windows = {
        product.product: {release.release: release for train in product.trains for release in train.releases}
        for product in bundled().products
        if product.os_family == "windows" and product.select
    }

    facts = {
        name: [(each.release, each.fixed_build, each.supersedes, each.severity.value) for each in releases.values()]
        for name, releases in windows.items()
    }
    assert facts["Windows 11 24H2 x64"] == [
        ("KB5048667", "26100.2605", ("KB5046617",), "critical"),
        ("KB5050009", "26100.2894", ("KB5048667",), "critical"),
    ]
    assert [release for release, *_ in facts["Windows 11 23H2 x64"]] == ["KB5048685", "KB5050021"]
    assert [release for release, *_ in facts["Windows 10 22H2 x64"]] == ["KB5048652", "KB5049981"]
    assert [release for release, *_ in facts["Windows Server 2022"]] == ["KB5048654", "KB5049983"]
    assert [release for release, *_ in facts["Windows Server 2019"]] == ["KB5048661", "KB5050008"]
    for releases in windows.values():
        december, january = releases.values()
        assert (december.released_at, january.released_at) == (DECEMBER_AT, JANUARY_AT)
        assert january.supersedes == (december.release,)
        assert not december.build_confirmed


@pytest.mark.skipif("PATCHLINE_KB_FACTS" not in os.environ, reason="names a folder with the public KB lists")
def test_the_bundled_catalog_agrees_with_the_public_lists() -> None:
    """KB, product, severity and supersedence against bitsadmin/wesng; fixed builds and dates are not in that file."""
    folder = Path(os.environ["PATCHLINE_KB_FACTS"])
    with (folder / "windows_kb_2023_2026.csv").open() as file:
        rows = {(row["kb"], _plain(row["product"])): row for row in csv.DictReader(file)}
    with (folder / "kb_supersedence_edges.csv").open() as file:
        edges = {(row["kb"], row["supersedes_kb"]) for row in csv.DictReader(file)}

    checked = 0
    for product in bundled().products:
        for each in (each for train in product.trains for each in train.releases):
            if product.os_family == "windows" and product.select:
                row = rows[each.kb or "", _plain(product.product)]
                assert row["max_severity"].lower() == each.severity
                assert {(each.kb, name.removeprefix("KB")) for name in each.supersedes} <= edges
                checked += 1
    assert checked == 12


def _plain(product: str) -> str:
    return product.lower().replace("version ", "").replace(" for x64-based systems", "").replace(" x64", "")


async def test_loading_the_same_again_changes_nothing_and_versions_are_kept(house: House) -> None:
    await house.load_catalog(bundled(without=["macOS 14"]))
    before = await house.rows("SELECT version, digest FROM catalog_version ORDER BY version")

    await house.load_catalog(bundled(without=["macOS 14"]))
    again = await house.rows("SELECT version, digest FROM catalog_version ORDER BY version")
    await house.load_catalog(bundled())

    after = await house.rows("SELECT version, digest FROM catalog_version ORDER BY version")
    assert again == before
    assert [row["version"] for row in after] == [*(row["version"] for row in before), before[-1]["version"] + 1]
    kept = await house.rows("SELECT count(*) AS count FROM catalog_release GROUP BY version")
    assert len(kept) == len(after)


async def test_a_release_keeps_the_moment_at_which_it_was_first_catalogued(house: House) -> None:
    first = await house.rows("SELECT min(catalogued_at) AS at FROM catalog_release WHERE release = 'KB5049983'")
    house.now = JANUARY_AT.replace(year=2026)

    await house.load_catalog(bundled(without=["macOS 15"]))

    newest = "WHERE release = 'KB5049983' AND version = (SELECT max(version) FROM catalog_version)"
    assert await house.rows(f"SELECT catalogued_at AS at FROM catalog_release {newest}") == first


def test_the_bundled_file_is_a_part_of_the_package() -> None:
    assert BUNDLED.exists()


def test_an_entry_of_more_fields_than_any_has_is_refused_before_each_is_told_wrong() -> None:
    wide = json.dumps({"name": "n", "products": [dict.fromkeys(map(str, range(1001)), 0)]})

    with pytest.raises(CatalogRefused, match="an entry of 1001 fields; none has more than 1000"):
        document(wide)
