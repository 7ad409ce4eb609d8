"""Figures are summed from what changed, published when they changed, and always are what the obligations count to."""

import random
from datetime import timedelta

import asyncpg
import pytest

from chassis.postgres import transaction
from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import OUTSIDE_POPULATION, FigurePublished, State
from services.compliance import store_figures
from services.compliance.policy import DEFAULT_1
from services.compliance.rules_figures import Cell
from services.compliance.zones import TZDATA
from tests.builders import ACME
from tests.compliance.house import House, asset_changed, asset_removed
from tests.compliance.stories import booted, failed, gone, hour, listed, reported
from tests.compliance.test_order import sayings


def of(figure: FigurePublished) -> dict[str, int]:
    return {state.value: count for state, count in figure.counts.items() if count}


async def test_a_figure_is_published_with_all_that_it_was_counted_with(house: House) -> None:
    await house.hear(asset_changed(), listed(0), reported(1), booted(2), gone(3), asset_changed("dc02"))

    await house.figures.publish()

    [figure] = await house.told(FigurePublished)
    assert (figure.os_family, figure.tier, figure.severity) == (OsFamily.WINDOWS, Tier.SERVER, Severity.CRITICAL)
    assert (figure.population, figure.percent, of(figure)) == (2, 50.0, {"VERIFIED": 1, "UNKNOWN": 1})
    assert set(figure.counts) == set(State)
    assert (figure.formula, figure.policy, figure.tzdata) == ("F-STRICT", DEFAULT_1.id, TZDATA)
    assert figure.catalog.startswith("bundled-2025-01#")
    assert figure.as_of == figure.as_known == house.now
    [event] = [each for each in await house.published() if isinstance(each.data, FigurePublished)]
    assert (event.subject, event.tenant) == (f"{ACME}/windows/server/critical", ACME)
    assert event.sequence is not None


async def test_nothing_changed_publishes_nothing(house: House) -> None:
    await house.hear(asset_changed())
    await house.figures.publish()

    await house.hear(asset_changed(sequence=2))
    await house.figures.publish()

    assert len(await house.told(FigurePublished)) == 1


async def test_many_changes_are_published_once(house: House) -> None:
    for number in range(5):
        await house.hear(asset_changed(f"dc{number}"))

    await house.figures.publish()

    [figure] = await house.told(FigurePublished)
    assert figure.population == 5


async def test_what_leaves_a_cell_is_counted_out_of_it(house: House) -> None:
    await house.hear(asset_changed())
    await house.figures.publish()

    await house.hear(asset_changed(tier=Tier.KIOSK, sequence=2))
    await house.figures.publish()

    *_, one, other = await house.told(FigurePublished)
    by_tier = {each.tier: (each.population, each.percent) for each in (one, other)}
    assert by_tier == {Tier.SERVER: (0, None), Tier.KIOSK: (1, 0.0)}


async def test_what_is_outside_is_listed_beside_the_population(house: House) -> None:
    await house.hear(asset_changed(), asset_changed("dc02"))
    await house.hear(asset_removed(sequence=2, at=hour(1)))

    await house.figures.publish()

    [figure] = await house.told(FigurePublished)
    assert (figure.population, of(figure)) == (1, {"UNKNOWN": 1, "RETIRED": 1})


async def test_at_every_instant_the_states_sum_and_equal_the_obligations(house: House) -> None:
    chance = random.Random(3)
    await house.hear(*(asset_changed(f"dc{number}") for number in range(4)), asset_changed())
    for said in sayings(chance, 120):
        await house.hear(said)
        await house.figures.publish()

    figures = await house.told(FigurePublished)
    assert len(figures) >= 4
    for figure in figures:
        assert figure.population == sum(n for state, n in figure.counts.items() if state not in OUTSIDE_POPULATION)
    kept = await house.rows("SELECT counts, population FROM figure")
    owed = await house.rows("SELECT state, count(*) AS count FROM obligation GROUP BY state")
    together = {state: sum(row["counts"][state] for row in kept) for state in State}
    assert {state: count for state, count in together.items() if count} == {row["state"]: row["count"] for row in owed}
    assert sum(row["population"] for row in kept) == 5


async def test_while_another_process_counts_this_one_waits_its_turn(house: House) -> None:
    await house.hear(asset_changed(), failed(1))
    async with house.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('compliance.figures', 0))")

        await house.figures.publish()

    assert await house.told(FigurePublished) == []
    await house.figures.publish()
    assert len(await house.told(FigurePublished)) == 1


async def equal_what_is_counted(house: House) -> bool:
    """Return whether each published figure is what its obligations come to."""
    kept = await house.rows("SELECT tenant_id, os_family, tier, severity, counts, attested, as_of FROM figure")
    cells = [
        Cell(row["tenant_id"], OsFamily(row["os_family"]), Tier(row["tier"]), Severity(row["severity"])) for row in kept
    ]
    async with transaction(house.pool) as tx:
        counted = await store_figures.count(tx, cells)
    return [(dict(each.counts), each.attested) for each in counted] == [
        (row["counts"], row["attested"]) for row in kept
    ]


async def test_sums_over_many_changes_are_what_is_counted(house: House) -> None:
    chance = random.Random(5)
    machines = [asset_changed(f"dc{number}") for number in range(4)]
    await house.hear(*machines, asset_changed())
    for number, said in enumerate(sayings(chance, 150)):
        await house.hear(said)
        if number % 7 == 0:
            await house.figures.publish()
    await house.hear(asset_removed(sequence=2, at=hour(1)), asset_changed("dc02", tier=Tier.KIOSK, sequence=2))

    await house.figures.publish()

    assert await equal_what_is_counted(house)
    assert await house.rows("SELECT * FROM figure_touched") == []


async def test_what_another_release_published_is_counted_whole(house: House) -> None:
    await house.hear(asset_changed())
    await house.figures.publish()
    await house.hear(asset_changed("dc02"))
    await as_admin(
        house,
        "UPDATE compliance.figure SET counts = jsonb_set(counts, '{UNKNOWN}', '2'), as_of = as_of + interval '1 s'",
    )

    await house.figures.publish()

    assert await equal_what_is_counted(house)


async def test_what_another_release_touched_is_counted_whole(house: House, caplog: pytest.LogCaptureFixture) -> None:
    await house.hear(asset_changed(), asset_changed("dc02"))
    await house.figures.publish()
    await as_admin(house, "UPDATE compliance.figure SET counts = '{}'")
    await as_admin(
        house,
        "INSERT INTO compliance.figure_touched (tenant_id, os_family, tier, severity) "
        "SELECT tenant_id, os_family, tier, severity FROM compliance.figure",
    )
    await house.hear(asset_changed("dc03"))

    await house.figures.publish()

    assert await equal_what_is_counted(house)
    assert (await house.told(FigurePublished))[-1].population == 3
    assert "a figure was not" not in caplog.text


async def test_once_an_hour_each_cell_is_counted_whole_and_a_wrong_sum_is_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.hear(asset_changed(), asset_changed("dc02", tier=Tier.KIOSK))
    await house.figures.publish()
    await as_admin(
        house, "UPDATE compliance.figure SET counts = jsonb_set(counts, '{UNKNOWN}', '7') WHERE tier = 'kiosk'"
    )
    await house.figures.publish()
    assert not await equal_what_is_counted(house)

    house.now += timedelta(hours=1, seconds=1)
    await house.figures.publish()
    await house.figures.publish()

    assert await equal_what_is_counted(house)
    assert [record.__dict__["cell"] for record in caplog.records if "a figure was not" in record.message] == [
        f"{ACME}/windows/kiosk/critical"
    ]


async def test_a_sum_below_none_is_not_published_but_counted_anew(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.hear(asset_changed())
    await house.figures.publish()
    await as_admin(house, "UPDATE compliance.figure SET counts = jsonb_set(counts, '{UNKNOWN}', '0')")

    await house.hear(listed(0))
    await house.figures.publish()
    assert "a figure was not" in caplog.text
    assert len(await house.told(FigurePublished)) == 1
    await house.figures.publish()

    assert await equal_what_is_counted(house)
    assert len(await house.told(FigurePublished)) == 2


async def test_what_changed_before_and_after_a_whole_count_is_counted_once(house: House) -> None:
    await house.hear(asset_changed())
    async with house.pool.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock(hashtextextended('compliance.figures', 0))")
        await house.hear(asset_changed("dc02"))
        await house.figures.publish()
    await as_admin(
        house,
        "INSERT INTO compliance.figure_touched (tenant_id, os_family, tier, severity) "
        "SELECT DISTINCT tenant_id, os_family, tier, severity FROM compliance.obligation",
    )
    await house.figures.publish()
    await house.hear(asset_changed("dc03"))

    await house.figures.publish()

    assert [each.population for each in await house.told(FigurePublished)] == [2, 3]
    assert await equal_what_is_counted(house)


async def as_admin(house: House, statement: str) -> None:
    connection = await asyncpg.connect(house.database.admin)
    await connection.execute(statement)
    await connection.close()
