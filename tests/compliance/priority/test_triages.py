"""A triage begins where a rule asks for one, is late within a second, and tells when a patch came first."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from contracts import ids
from contracts.events.priority import TriageChanged
from services.compliance.policies.store_policies import PolicyShelf
from services.compliance.priority import store_commands_triage, store_triage
from services.compliance.priority.store_commands_triage import Done
from tests.builders import ACME
from tests.compliance.house import client_in
from tests.compliance.policies.room import Room as Agreement
from tests.compliance.priority.room import ASSET, Room, directive
from tests.compliance.stories import B, booted, gone, hour, listed, reported
from tests.compliance.test_merges import GONE, ONE, OTHER, apart, merged, unmerged

KEV = hour(9)
SECOND = timedelta(seconds=1)
DIGEST = "0" * 64


@pytest.fixture
async def begun(room: Room) -> Room:
    """Acme agreed to the directive; its exposed server lacks what was listed as exploited an hour ago."""
    room.agreed.by_tenant[ACME] = directive()
    await room.lacking("internet-facing")
    await room.feed("kev", "2025.01.14", kev_added_at=KEV)
    await room.look()
    return room


async def done(room: Room, step: str, at: datetime, *, found: str | None = None, asset: UUID = ASSET) -> bool:
    told = Done(
        step=step,
        done_at=at,
        found=found,
        note="memory image, safe 3",
        evidence=DIGEST if step == "evidence" else None,
        evidence_name="dc01.raw" if step == "evidence" else None,
        by="operator jo@desk",
        recorded_at=max(at, room.house.now),
    )
    async with room.operator() as tx:
        [triage] = await store_commands_triage.of_machine(tx, str(asset), None)
        return await store_commands_triage.record(tx, triage, told)


async def told(room: Room) -> TriageChanged:
    return (await room.house.told(TriageChanged))[-1]


async def test_a_triage_begins_with_the_obligation_whose_rule_asks_for_it(begun: Room) -> None:
    began = await told(begun)

    assert (began.rule, began.started_at, began.label.asset) == ("cisa-bod-26-04:exploited", KEV, str(ASSET))
    assert [(each.step, each.due_at) for each in began.steps] == [
        ("scoping", KEV + timedelta(hours=2)),
        ("evidence", KEV + timedelta(hours=24)),
        ("decision", KEV + timedelta(hours=72)),
    ]
    assert (began.closed, began.order_violated) == (False, False)


async def test_where_no_rule_asks_for_one_none_begins(room: Room) -> None:
    await room.lacking("internet-facing")
    await room.feed("kev", "2025.01.14", kev_added_at=KEV)
    await room.look()
    room.agreed.by_tenant[ACME] = directive()
    await room.house.hear()

    assert await room.house.told(TriageChanged) == []
    await room.look()
    assert len(await room.house.told(TriageChanged)) == 1


@pytest.mark.parametrize(("hours", "late"), [(2, ["scoping"]), (24, ["scoping", "evidence"])], ids=["two", "a day"])
async def test_a_step_is_told_as_late_in_the_second_in_which_it_is(begun: Room, hours: int, late: list[str]) -> None:
    due_at = KEV + timedelta(hours=hours)
    begun.house.now = due_at - SECOND
    await begun.triages.ring()
    before = await told(begun)
    begun.house.now = due_at

    await begun.triages.ring()
    await begun.triages.ring()

    after = await begun.house.told(TriageChanged)
    assert [each.step for each in before.steps if each.late] == late[:-1]
    assert [each.step for each in after[-1].steps if each.late] == late
    assert len(after) == 1 + len(late)
    assert (await begun.house.published())[-1].time == due_at


async def test_a_patch_before_the_evidence_is_a_fact(begun: Room) -> None:
    await begun.house.hear(reported(11), booted(12))

    await begun.look()

    found = await told(begun)
    assert (found.order_violated, found.deployed_at) == (True, hour(11))
    assert "before volatile evidence was captured" in found.why


async def test_a_patch_after_the_evidence_is_in_order_and_does_not_close_the_triage(begun: Room) -> None:
    begun.house.now = hour(10.9)
    await done(begun, "evidence", hour(10.5))
    await begun.house.hear(reported(11), booted(12), gone(13))

    await begun.look()

    found = await told(begun)
    assert await begun.house.state() == "VERIFIED"
    assert (found.order_violated, found.closed, found.deployed_at) == (False, False, hour(11))


async def test_what_is_recorded_closes_it_and_time_says_nothing_any_more(begun: Room) -> None:
    begun.house.now = hour(20)
    for step, found in (("scoping", None), ("evidence", None), ("decision", "suspected")):
        assert await done(begun, step, hour(10), found=found)
    await begun.look()
    closed = await told(begun)
    begun.house.now = hour(200)

    await begun.triages.ring()
    await begun.look()

    assert (closed.closed, closed.finding) == (True, "suspected")
    assert await told(begun) == closed


async def test_the_same_typed_again_is_recorded_once(begun: Room) -> None:
    begun.house.now = hour(11)

    first, again = await done(begun, "scoping", hour(10)), await done(begun, "scoping", hour(10))

    assert (first, again) == (True, False)


async def test_the_late_ones_are_found_by_their_index(begun: Room) -> None:
    await begun.house.rows(
        "INSERT INTO forensic_triage (asset_id, requirement_id, started_at, tenant_id, rule, product, train, release,"
        " began_at, standing, next_change_at) SELECT gen_random_uuid(), gen_random_uuid(), now(), tenant_id, '', '',"
        " '', '', now(), '{}', now() + make_interval(hours => n) FROM forensic_triage, generate_series(1, 20000) AS n"
    )
    await begun.house.rows("ANALYZE forensic_triage")

    plan = await begun.house.rows("EXPLAIN " + store_triage.RUNG.replace("$1", "now()").replace("$2", "200"))

    assert any("forensic_triage_next_change" in line for row in plan for line in row.values())


async def test_a_triage_goes_on_where_the_machine_does_and_comes_back(room: Room) -> None:
    gone_asset = ids.asset_id(GONE, "dc01")
    room.agreed.by_tenant[ACME] = directive()
    exposed = [each._replace(data=each.data.model_copy(update={"tags": ("dmz",)})) for each in (*apart(), *merged(11))]
    await room.house.hear(client_in("UTC"), exposed[1 if GONE == B else 0], listed(0, source=GONE))
    await room.feed("kev", "2025.01.14", kev_added_at=KEV)
    await room.look()
    room.house.now = hour(10.6)
    await done(room, "evidence", hour(10.5), asset=gone_asset)

    await room.house.hear(exposed[2], merged(11)[1])
    await room.house.settle()
    await room.look()
    told_of = {each.label.asset: each for each in await room.house.told(TriageChanged)}
    await room.house.hear(*unmerged(12))
    await room.house.settle()
    await room.look()

    one, other = told_of[ONE], told_of[OTHER]
    assert (other.closed, other.why.split(";")[0]) == (True, f"goes on with asset {ONE}")
    assert [each.done_at for each in one.steps] == [None, hour(10.5), None]
    assert {each.label.asset: each.closed for each in await room.house.told(TriageChanged)}[OTHER] is False


async def test_a_client_who_follows_the_directive_needs_evidence_before_the_patch(room: Room) -> None:
    """From a policy file that names the preset, with what is not known of the machine at its worst, to the fact."""
    agreed = Agreement(room.house)
    await agreed.empty()
    room.house.shelf.policies = PolicyShelf()
    await room.lacking()
    await room.feed("kev", "2025.01.14", kev_added_at=KEV)
    await agreed.record(
        regimes=[{"preset": "cisa-bod-26-04"}], valid_from="2025-01-01T00:00:00Z", breaches={"tickets": True}
    )
    await agreed.notice()

    await room.look()

    [owed] = await room.house.rows("SELECT why FROM obligation WHERE asset_id = $1", ASSET)
    began = await told(room)
    assert "before it is deployed: forensic_triage" in owed["why"]
    assert began.rule == "cisa-bod-26-04:KEV, exposed, not automatable, total"
    assert [row["outcome"] for row in await room.log()] == ["3_days_and_forensics"]
