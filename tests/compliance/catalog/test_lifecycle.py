"""Ends of service and service packs as obligations: who owes a supported release, from when, until when."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.compliance.catalog.entries import ReleaseEntry
from services.compliance.catalog.feeds import lifecycle
from services.compliance.catalog.feeds.found import FeedRefused, File, Found, Options
from services.compliance.catalog.merge import merged
from services.compliance.subjects import Category
from tests.compliance.catalog import files
from tests.compliance.catalog.files import needs_public_data, public
from tests.compliance.house import House, asset_changed, bundled
from tests.compliance.stories import hour, scanned
from tests.compliance.stories import read as reads

EL23 = "Windows 11 23H2 x64"


def read(content: dict[str, Any] | None = None, notice_days: int = 180) -> Found:
    return lifecycle.read([files.lifecycle(content)], Options(known=bundled(), notice_days=notice_days))


def owed(found: Found) -> dict[tuple[str, str], ReleaseEntry]:
    return {(each.product, train.train): train.releases[0] for each in found.products for train in each.trains}


def test_a_system_owes_a_supported_release_by_the_day_on_which_its_service_ends() -> None:
    end = owed(read(notice_days=90))[EL23, "lifecycle"]

    assert (end.category, end.fixed_build) == (Category.LIFECYCLE, "10.0.26100")
    assert end.due_at == datetime(2025, 11, 11, 23, 59, 59, tzinfo=UTC)
    assert end.released_at == datetime(2025, 8, 13, 23, 59, 59, tzinfo=UTC)


def test_of_several_editions_of_a_build_the_first_end_counts_but_not_that_of_a_special_one() -> None:
    found = owed(read())

    assert found["Windows Server 2022", "lifecycle"].due_at == datetime(2031, 10, 14, 23, 59, 59, tzinfo=UTC)
    assert found[EL23, "lifecycle"].due_at == datetime(2025, 11, 11, 23, 59, 59, tzinfo=UTC)


def test_an_end_without_a_day_or_without_a_successor_makes_none_and_the_second_is_told() -> None:
    found = read()

    assert not [product for product, train in owed(found) if product.startswith("macOS")]
    assert any(note.startswith("Windows 11 24H2 x64 ends on 2026-10-13, and nothing is known") for note in found.notes)


def test_a_missing_point_release_is_a_service_pack() -> None:
    pack = owed(read())["Ubuntu 24.04 LTS", "service_pack"]

    assert (pack.fixed_build, pack.due_at) == ("24.04.4", None)
    assert pack.released_at == datetime(2026, 2, 12, tzinfo=UTC)


def test_an_end_that_moves_is_the_same_release() -> None:
    later: dict[str, Any] = json.loads(json.dumps(files.LIFECYCLE))
    later["windows"]["releases"][2]["eol"] = "2026-01-13"
    known = merged(bundled(), read().products, name="x")

    after = merged(known, read(later).products, name="x")

    [train] = [
        train for each in after.products if each.product == EL23 for train in each.trains if train.train == "lifecycle"
    ]
    assert [each.due_at for each in train.releases] == [datetime(2026, 1, 13, 23, 59, 59, tzinfo=UTC)]


def test_the_sites_own_answer_says_the_same() -> None:
    answer = {
        "schema_version": "1.2.0",
        "result": [
            {
                "name": name,
                "releases": [
                    {
                        "name": each["releaseCycle"],
                        "releaseDate": each["releaseDate"],
                        "isEol": each["eol"] is True,
                        "eolFrom": each["eol"] if isinstance(each["eol"], str) else None,
                        "latest": {"name": each.get("latest"), "date": each.get("latestReleaseDate")},
                    }
                    for each in product["releases"]
                ],
            }
            for name, product in files.LIFECYCLE.items()
        ],
    }

    assert read(answer).products == read().products


def test_without_a_catalog_there_is_nothing_whose_service_could_end() -> None:
    with pytest.raises(FeedRefused, match="load one first"):
        lifecycle.read([files.lifecycle()], Options())
    with pytest.raises(FeedRefused, match=r"l: windows\.releases\.0\.releaseCycle: Field required"):
        lifecycle.read([File("l", '{"windows": {"releases": [{}]}}')], Options(known=bundled()))


def hours_until(at: datetime) -> float:
    return (at - hour(0)).total_seconds() / 3600


async def test_a_machine_owes_it_until_it_is_upgraded_and_then_it_is_not_applicable(house: House) -> None:
    house.now = datetime(2025, 10, 1, tzinfo=UTC)
    await house.load_catalog(merged(bundled(), read().products, name="x"))
    await house.hear(asset_changed(build="22631.4602", os_name="Windows 11 Pro"))
    await house.hear(scanned(hours_until(house.now)), reads(hours_until(house.now), "22631.4602"))
    await house.settle()
    before = await _of_lifecycle(house)
    house.now = datetime(2025, 11, 12, tzinfo=UTC)
    await house.hear(scanned(hours_until(house.now)))
    await house.settle()
    overdue = await _of_lifecycle(house)

    await house.hear(asset_changed(sequence=2, build="26100.4000", os_name="Windows 11 Pro"))
    await house.settle()

    assert (before["due_at"], overdue["state"]) == (datetime(2025, 11, 11, 23, 59, 59, tzinfo=UTC), "MISSING_OVERDUE")
    assert before["state"] == "MISSING_IN_SLA"
    assert (await _of_lifecycle(house))["state"] == "NOT_APPLICABLE"


async def _of_lifecycle(house: House) -> dict[str, Any]:
    [row] = await house.rows("SELECT state, due_at FROM obligation WHERE product = $1 AND train = 'lifecycle'", EL23)
    return row


@needs_public_data
def test_the_real_data_ends_the_systems_that_are_in_the_catalog() -> None:
    found = lifecycle.read([public("endoflife/endoflife_products.json")], Options(known=bundled()))

    ends = {
        product: f"{release.due_at:%Y-%m-%d}"
        for (product, train), release in owed(found).items()
        if train == "lifecycle"
    }
    assert found.entries == 961
    assert (ends["Windows 10 22H2 x64"], ends["Windows Server 2019"]) == ("2025-10-14", "2029-01-09")


def test_more_products_than_there_can_be_are_refused_before_each_is_told_wrong() -> None:
    many = File("l", json.dumps(dict.fromkeys(map(str, range(lifecycle.MOST_PRODUCTS + 1)), 0)))

    with pytest.raises(FeedRefused, match="has 20001 products; at most 20000 are read"):
        lifecycle.read([many], Options())


@pytest.mark.parametrize("product", [{"name": []}, {"name": "a", "releases": 1}, {"name": "a", "releases": [None]}])
def test_an_answer_of_another_form_is_refused_in_words(product: object) -> None:
    with pytest.raises(FeedRefused):
        lifecycle.read([File("l", json.dumps({"result": [product]}))], Options())
