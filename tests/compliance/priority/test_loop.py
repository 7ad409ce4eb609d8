"""What is open is decided once, and again only when something that it depends on changed; the log keeps all of it."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from contracts.events.event import Tier
from contracts.events.priority import MachineClass, PriorityDecided
from services.compliance.priority import store_commands
from services.compliance.priority.store_commands import Word
from services.compliance.priority.tables import BOD_26_04, DEPLOYER
from tests.builders import ACME
from tests.compliance.priority.room import CVE, REQUIREMENT, Room, directive, tagged
from tests.compliance.stories import booted, gone, reported

KEV = datetime(2025, 1, 14, tzinfo=UTC)


def word(room: Room, outcome: str | None = "defer", *, hours: float = 24) -> Word:
    now = room.house.now
    return Word(
        tenant=ACME,
        requirement=REQUIREMENT,
        machines=None,
        table=DEPLOYER,
        outcome=outcome,
        reason="the vendor tells of a broken update",
        by="operator jo@desk",
        valid_from=now,
        until=now + timedelta(hours=hours),
        at=now,
    )


async def test_what_is_open_is_decided_logged_and_told_once(room: Room) -> None:
    await room.lacking("internet-facing", "impact:low")
    await room.feed("kev", "2025.01.14", kev_added_at=KEV)

    first, again = await room.look(), await room.look()

    [row] = await room.log()
    assert (first, again) == (1, 1)
    assert (row["table_id"], row["outcome"], row["before"]) == (DEPLOYER, "out_of_cycle", None)
    assert row["verdict"]["unknown"] == ["automatable"]
    assert row["verdict"]["at_best"] == "scheduled"
    assert (row["inputs"]["cves"], row["inputs"]["versions"]) == ([CVE], ["kev 2025.01.14"])
    [told] = await room.house.told(PriorityDecided)
    assert told.machines == MachineClass(tier=Tier.SERVER, exposed=True, business="low")
    assert (told.outcome, told.requirement) == ("out_of_cycle", str(REQUIREMENT))
    assert {each.id for each in await room.house.published()} >= {row["decision_id"]}


async def test_a_feed_that_says_more_is_news_and_one_that_says_the_same_is_none(room: Room) -> None:
    await room.lacking("internet-facing", "impact:high")
    await room.feed("ssvc", "1", exploitation="none", automatable=False)
    await room.look()
    await room.feed("ssvc", "2", exploitation="none", automatable=False)
    same = await room.look()

    await room.feed("kev", "2025.01.15", kev_added_at=KEV)
    more = await room.look()

    assert (same, more) == (1, 2)
    assert [(row["before"], row["outcome"]) for row in await room.log()] == [
        (None, "scheduled"),
        ("scheduled", "out_of_cycle"),
    ]


async def test_new_tags_make_another_class_at_the_next_look(room: Room) -> None:
    await room.lacking("internal", "impact:low")
    await room.look()
    await room.house.hear(tagged("internet-facing", "impact:low", sequence=2))

    await room.look()

    standing = {row["machines"]: row["open"] for row in await room.house.rows("SELECT * FROM priority_standing")}
    assert standing == {"server not-exposed low": 0, "server exposed low": 1}


async def test_another_policy_is_decided_by_its_own_table(room: Room) -> None:
    await room.lacking("internet-facing")
    await room.look()
    room.agreed.by_tenant[ACME] = directive()

    await room.look()

    assert [(row["table_id"], row["policy"]) for row in await room.log()] == [
        (DEPLOYER, "default-1"),
        (BOD_26_04, "acme-1"),
    ]


async def test_a_persons_word_holds_until_its_moment_and_the_table_decides_again(room: Room) -> None:
    await room.lacking("internet-facing")
    await room.look()
    async with room.operator() as tx:
        await store_commands.override(tx, word(room))
    await room.look()
    room.house.now += timedelta(hours=24)

    await room.look()

    log = await room.log()
    assert [row["outcome"] for row in log] == ["immediate", "defer", "immediate"]
    assert [row["decided_by"] for row in log] == [f"table {DEPLOYER}", "operator jo@desk", f"table {DEPLOYER}"]
    assert log[1]["override"]["reason"] == "the vendor tells of a broken update"
    assert [each.override is not None for each in await room.house.told(PriorityDecided)] == [False, True, False]


async def test_what_is_verified_is_no_longer_open_and_its_log_stays(room: Room) -> None:
    await room.lacking("internet-facing")
    await room.look()
    await room.house.hear(reported(1), booted(2), gone(3))

    decisions = await room.look()

    [standing] = await room.house.rows("SELECT open FROM priority_standing")
    assert (await room.house.state(), standing["open"], decisions) == ("VERIFIED", 0, 1)


async def test_nothing_is_written_while_nothing_changes(room: Room) -> None:
    await room.lacking("internet-facing")
    await room.look()
    await room.look()
    version = "SELECT xmin::text AS version FROM priority_mark UNION ALL SELECT xmin::text FROM priority_standing"
    before = await room.house.rows(version)

    await room.look()

    assert await room.house.rows(version) == before


@pytest.mark.parametrize("table", ["priority_decision", "priority_override", "triage_record"])
async def test_not_even_the_services_own_writer_changes_what_was_logged(room: Room, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await room.house.rows(f"DELETE FROM {table}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await room.house.rows(f"UPDATE {table} SET tenant_id = tenant_id")


async def test_an_override_without_an_end_or_reason_cannot_be_stored(room: Room) -> None:
    async with room.operator() as tx:
        await store_commands.override(tx, word(room))
    for column, wrong in (("reason", "''"), ("until", "'infinity'"), ("until", "valid_from"), ("said_by", "''")):
        row = {name: name for name in COLUMNS} | {"override_id": "gen_random_uuid()", column: wrong}
        with pytest.raises(asyncpg.CheckViolationError):
            async with room.operator() as tx:
                await tx.execute(
                    f"INSERT INTO compliance.priority_override ({', '.join(row)})"
                    f" SELECT {', '.join(row.values())} FROM compliance.priority_override"
                )


COLUMNS = (
    "override_id",
    "tenant_id",
    "requirement_id",
    "table_id",
    "outcome",
    "reason",
    "said_by",
    "valid_from",
    "until",
    "recorded_at",
)
