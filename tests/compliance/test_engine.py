"""What people decide changes obligations, is told once, and moves no deadline; through the real database."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from contracts import ids
from contracts.events.obligation import (
    FigurePublished,
    ObligationAttested,
    ObligationBreached,
    ObligationStateChanged,
    State,
)
from services.compliance import store_attestations
from tests.builders import ACME, BIRCH
from tests.compliance.deciding import CUMULATIVE, SERVER, People, policy
from tests.compliance.house import House, asset_changed
from tests.compliance.stories import (
    DEC_BUILD,
    JAN_BUILD,
    JANUARY_AT,
    SERVER_2022,
    B,
    booted,
    failed,
    gone,
    hour,
    listed,
    read,
    reported,
    scanned,
)
from tests.compliance.test_merges import GONE, ONE, OTHER, SURVIVING, apart, merged, states

LACKING = (asset_changed(build=DEC_BUILD), scanned(-1), read(-1, DEC_BUILD), listed(0))
DUE_AT = JANUARY_AT + timedelta(hours=24)
WAITING = """
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%attestation_applied%'
"""


@pytest.fixture
async def people(house: House) -> People:
    found = People(house)
    await found.forget()
    return found


async def obligation(house: House) -> dict[str, object]:
    [row] = await house.rows("SELECT * FROM obligation WHERE product = $1", SERVER_2022.name)
    return row


async def test_a_clients_own_policy_moves_the_deadlines_of_what_it_owes_already(house: House, people: People) -> None:
    await house.hear(*LACKING)
    before = await obligation(house)

    await people.apply(policy(critical="PT6H"))

    after = await obligation(house)
    assert (before["due_at"], after["due_at"]) == (DUE_AT, JANUARY_AT + timedelta(hours=6))
    assert (before["rule"], after["rule"]) == ("default:server/critical", "client:sla-1")
    [row] = await house.rows("SELECT policy, before, state FROM obligation_history WHERE state = 'MISSING_OVERDUE'")
    assert (row["policy"].startswith("default"), row["before"]) == (False, "MISSING_IN_SLA")


async def test_another_clients_obligations_are_judged_as_before(house: House, people: People) -> None:
    await house.hear(*LACKING, asset_changed("bx01", tenant=BIRCH))

    await people.apply(policy(critical="PT6H"))

    [row] = await house.rows("SELECT due_at, rule FROM obligation WHERE tenant_id = $1", BIRCH)
    assert (row["due_at"], row["rule"]) == (DUE_AT, "default:server/critical")


async def test_a_deadline_that_passes_is_told_as_a_breach_once(house: House, people: People) -> None:
    await people.apply(policy())
    await house.hear(*LACKING)

    await house.pass_time(13)
    await house.settle()

    [told] = await house.told(ObligationBreached)
    assert (told.breached, told.since, told.due_at, told.state) == (True, DUE_AT, DUE_AT, State.MISSING_OVERDUE)
    assert (told.requirement, told.rule) == (str(CUMULATIVE), "client:sla-1")
    [event] = [each for each in await house.published() if isinstance(each.data, ObligationBreached)]
    subject = f"{SERVER}/{CUMULATIVE}"
    assert event.id == ids.timer_fact_id(subject, ObligationBreached.TYPE, DUE_AT)


async def test_what_failed_and_is_overdue_too_is_a_breach_though_its_state_stays(house: House, people: People) -> None:
    await people.apply(policy())
    await house.hear(*LACKING, failed(1))

    await house.pass_time(13)

    [told] = await house.told(ObligationBreached)
    assert (told.breached, told.state) == (True, State.FAILED)
    assert (await house.told(ObligationStateChanged))[-1].state is State.FAILED


async def test_a_proof_ends_the_breach_and_a_client_without_a_policy_hears_of_none(
    house: House, people: People
) -> None:
    await house.hear(*LACKING)
    await house.pass_time(13)
    assert await house.told(ObligationBreached) == []
    await people.apply(policy())
    assert [each.breached for each in await house.told(ObligationBreached)] == [True]

    await house.hear(reported(14), booted(15, JAN_BUILD), gone(16))

    _, ended = await house.told(ObligationBreached)
    assert (ended.breached, ended.state, ended.continues_on) == (False, State.VERIFIED, None)
    assert (await obligation(house))["breached_at"] is None


async def test_a_policy_that_wants_no_tickets_ends_what_was_told(house: House, people: People) -> None:
    await people.apply(policy())
    await house.hear(*LACKING)
    await house.pass_time(13)

    await people.apply(policy(tickets=False))

    assert [each.breached for each in await house.told(ObligationBreached)] == [True, False]


async def test_at_the_end_of_an_exception_it_is_overdue_since_its_own_deadline(house: House, people: People) -> None:
    await people.apply(policy())
    await house.hear(*LACKING)
    request = await people.room.granted(until=house.now + timedelta(hours=40))
    assert await house.state() == "EXCEPTED"
    await people.room.pass_time(hours=39)
    assert (await house.state(), await house.told(ObligationBreached)) == ("EXCEPTED", [])

    await people.room.pass_time(hours=1)

    row = await obligation(house)
    assert (row["state"], row["since_at"], row["due_at"]) == ("MISSING_OVERDUE", DUE_AT, DUE_AT)
    [told] = await house.told(ObligationBreached)
    assert (told.breached, told.since) == (True, DUE_AT)
    [event] = [each for each in await house.published() if isinstance(each.data, ObligationBreached)]
    assert (event.time, event.causation) == (request.until, None)


async def test_an_exception_for_a_machine_goes_on_where_the_machine_does(house: House, people: People) -> None:
    await house.hear(*apart(), listed(0, source=GONE))
    await people.room.granted(asset_ids=(UUID(OTHER),), machines=("DC01",))
    assert await states(house) == {SURVIVING: "UNKNOWN", GONE: "EXCEPTED"}

    await house.hear(*merged(9))

    assert await states(house) == {SURVIVING: "EXCEPTED"}


async def test_a_breach_goes_on_with_the_asset_that_its_machine_was_merged_into(house: House, people: People) -> None:
    await people.apply(policy())
    await house.hear(*apart(), listed(0, source=GONE))
    await house.pass_time(13)
    first = len(await house.told(ObligationBreached))

    await house.hear(*merged(22))

    ended = [each for each in (await house.told(ObligationBreached))[first:] if not each.breached]
    assert [(each.label.asset, each.continues_on, each.continues_breached) for each in ended] == [(OTHER, ONE, True)]


async def test_who_takes_a_machine_over_does_not_get_the_others_breach(house: House, people: People) -> None:
    await people.apply(policy())
    await house.hear(*LACKING)
    await house.pass_time(13)

    await house.hear(asset_changed(sequence=2, tenant=BIRCH, at=hour(22)))

    told = [each for each in await house.published() if isinstance(each.data, ObligationBreached)]
    assert [(each.tenant, each.data.breached) for each in told if isinstance(each.data, ObligationBreached)] == [
        (ACME, True),
        (ACME, False),
    ]


async def test_what_a_person_attests_verifies_as_a_class_of_its_own(house: House, people: People) -> None:
    await house.hear(*LACKING)

    await people.attest()
    await house.figures.publish()

    row = await obligation(house)
    assert (row["state"], row["proof"], row["verified_at"]) == ("VERIFIED", "attested", house.now)
    [word] = await house.told(ObligationAttested)
    assert (word.attested_by, word.evidence) == ("Dana Fox", "ab" * 32)
    changed = (await house.told(ObligationStateChanged))[-1]
    assert (changed.proof, changed.witnesses) == ("attested", ())
    assert (await house.told(FigurePublished))[-1].attested == 1
    [witness] = await house.rows("SELECT source, method FROM witness WHERE method = 'attested'")
    assert witness == {"source": "Dana Fox", "method": "attested"}
    [line] = await house.rows("SELECT proof FROM obligation_history WHERE state = 'VERIFIED'")
    assert line["proof"] == "attested"


async def test_a_word_is_noticed_once_and_a_later_list_contradicts_it(house: House, people: People) -> None:
    await house.hear(*LACKING)
    await people.attest()
    await people.attest()

    await house.hear(listed(11))

    assert len(await house.told(ObligationAttested)) == 1
    changed = (await house.told(ObligationStateChanged))[-1]
    assert (changed.state, [each.source for each in changed.witnesses]) == (State.CONTRADICTED, [listed(0).source])
    assert "Dana Fox" in changed.why


async def test_two_processes_that_notice_at_once_tell_of_a_word_once(house: House, people: People) -> None:
    await people.say(number=1)
    async with house.pool.acquire() as one, house.pool.acquire() as other:
        async with one.transaction():
            mine = await store_attestations.take_news(one, 10)
            await people.say(number=2)
            theirs = asyncio.create_task(store_attestations.take_news(other, 10))
            while not await house.rows(WAITING):
                await asyncio.sleep(0.01)
        taken = [each.attestation.id.int for each in (*mine, *await theirs)]
        later = [each.attestation.id.int for each in await store_attestations.take_news(other, 10)]

    assert (taken, later) == ([1], [2])


async def test_tags_of_inventory_choose_the_row(house: House, people: People) -> None:
    await people.apply(policy().replace("sla:", "sla:\n  - {exposure: exposed, due: PT1H}"))
    await house.hear(*LACKING)
    before = await obligation(house)
    newer = asset_changed(build=DEC_BUILD, sequence=2)
    record = newer.data.model_copy(update={"tags": ("dmz",), "ephi": True})

    await house.hear(newer._replace(data=record))

    after = await obligation(house)
    assert (before["due_at"], after["due_at"]) == (DUE_AT, JANUARY_AT + timedelta(hours=1))
    [asset] = await house.rows("SELECT tags, ephi FROM asset")
    assert asset == {"tags": ["dmz"], "ephi": True}


async def test_a_policy_may_ask_for_two_sources(house: House, people: People) -> None:
    await house.hear(*apart(), *merged(0), listed(0), reported(1), read(2, JAN_BUILD), gone(3))
    before = await states(house)

    await people.apply(policy(more="evidence: {windows: {quorum: 2}}"))
    alone = await states(house)
    await house.hear(read(6, JAN_BUILD, source=B))

    assert (before, alone) == ({SURVIVING: "VERIFIED"}, {SURVIVING: "PENDING_REBOOT"})
    assert await states(house) == {SURVIVING: "VERIFIED"}
