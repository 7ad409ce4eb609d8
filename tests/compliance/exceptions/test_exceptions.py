"""From asking to the end: nothing holds without ticket, signature, controls and expiry; each is told once."""

from datetime import timedelta
from uuid import UUID

from contracts.events.exception import ExceptionExpired, ExceptionGranted, ExceptionRefused, ExceptionRevoked
from services.compliance.exceptions import store_exceptions
from services.compliance.exceptions.records import Lane
from tests.builders import ACME, BIRCH
from tests.compliance.exceptions.asking import EXCEPTION, OTHER_KEY, OTHER_SERVER, SERVER, asked
from tests.compliance.exceptions.room import Room, enrolled, ticketed, unenrolled
from tests.compliance.house import client_in

OTHER = UUID("6c1e9b4f-7a8c-5e1b-9a63-1b5e9c2f3d42")


async def test_from_asking_to_its_end(room: Room) -> None:
    request = await room.granted()
    start = room.house.now

    await room.pass_time(days=16)
    warned = await room.types()
    await room.pass_time(days=14)

    assert warned == ["requested", "granted", "expiring"]
    assert await room.types() == ["requested", "granted", "expiring", "expired"]
    granted = [each for each in await room.told() if isinstance(each, ExceptionGranted)]
    assert [(each.ticket, each.owner, each.valid_from) for each in granted] == [("4711", "Nora West", start)]
    [last] = [each for each in await room.house.published() if isinstance(each.data, ExceptionExpired)]
    assert (last.time, last.tenant, last.subject) == (request.until, ACME, f"exception/{EXCEPTION}")


async def test_its_end_is_told_within_a_second_and_not_before(room: Room) -> None:
    await room.granted()

    await room.pass_time(days=30, seconds=-1)
    before = await room.types()
    await room.pass_time(seconds=1)

    assert (before[-1], (await room.types())[-1]) == ("expiring", "expired")


async def test_looking_again_changes_nothing(room: Room) -> None:
    await room.granted()
    await room.pass_time(days=31)
    before = await room.told()

    await room.settle()

    assert await room.told() == before


async def test_a_signature_without_a_ticket_does_not_count(room: Room) -> None:
    request = await room.ask()
    await room.house.hear(client_in("America/New_York"), enrolled())

    signoff = await room.sign(request)

    answer = await room.answer(signoff)
    assert answer is not None
    assert (answer[0], "no ticket yet" in str(answer[1])) == (False, True)
    assert await room.house.rows("SELECT FROM exception") == []


async def test_the_ticket_of_another_kind_or_client_is_not_its_ticket(room: Room) -> None:
    await room.ask()

    await room.house.hear(ticketed(EXCEPTION, kind="patch_failed"), ticketed(EXCEPTION, tenant=BIRCH))

    assert await room.house.rows("SELECT FROM exception_ticket") == []


async def test_a_ticket_told_twice_is_kept_once_and_a_bad_neighbour_is_refused(room: Room) -> None:
    await room.ask()
    nonsense = ticketed(EXCEPTION)
    bad = nonsense._replace(id=UUID(int=5), data=nonsense.data.model_copy(update={"subject": "no id"}))

    batch = await room.house.hear(ticketed(EXCEPTION), bad, ticketed(EXCEPTION, "9999"))

    assert await room.house.rows("SELECT ticket FROM exception_ticket") == [{"ticket": "4711"}]
    assert len(batch.refused) == 1


async def test_another_key_a_stranger_and_a_revoked_owner_sign_nothing(room: Room) -> None:
    request = await room.ask()
    await room.house.hear(client_in("America/New_York"), unenrolled(room, OTHER), enrolled(), ticketed(request.id))
    await room.house.hear(enrolled(OTHER))

    forged = await room.sign(request, key=OTHER_KEY)
    stranger = await room.sign(request, approver=UUID(int=9))
    revoked = await room.sign(request, approver=OTHER)

    answers = [await room.answer(each) for each in (forged, stranger, revoked)]
    assert [each[0] for each in answers if each] == [False, False, False]
    assert [str(each[1]).split()[0:3] for each in answers if each] == [
        ["the", "signature", "is"],
        ["whoever", "signed", "is"],
        ["Nora", "West", "is"],
    ]
    assert await room.house.rows("SELECT FROM exception") == []


async def test_a_second_signature_changes_nothing(room: Room) -> None:
    request = await room.granted()

    again = await room.sign(request, at=room.house.now + timedelta(seconds=1))

    assert await room.answer(again) == (False, "it is granted already")
    assert await room.types() == ["requested", "granted"]


async def test_an_owner_can_say_no(room: Room) -> None:
    request = await room.ask()
    await room.house.hear(client_in("America/New_York"), enrolled(), ticketed(request.id))

    await room.sign(request, approve=False)
    await room.pass_time(days=31)

    assert await room.types() == ["requested", "refused"]


async def test_what_nobody_signed_lapses_at_its_end(room: Room) -> None:
    await room.ask()

    await room.pass_time(days=30)

    [told] = [each for each in await room.told() if isinstance(each, ExceptionRefused)]
    assert told.why == "nobody signed it before its end"


async def test_what_the_policy_forbids_is_refused_before_a_ticket_is_opened(room: Room) -> None:
    await room.ask(until=room.house.now + timedelta(days=91))

    [told] = await room.told()
    assert isinstance(told, ExceptionRefused)
    assert "at the longest" in told.why


async def test_a_renewal_goes_on_and_is_counted(room: Room) -> None:
    first = await room.granted()
    await room.pass_time(days=20)

    again = await room.ask(
        id=OTHER, renews=first.id, renewal=1, valid_from=first.until, until=first.until + timedelta(days=30)
    )
    await room.house.hear(ticketed(OTHER, "4712"))
    await room.sign(again, ticket="4712")
    await room.pass_time(days=15)
    third = await room.ask(id=UUID(int=8), renews=OTHER, renewal=2)

    assert await room.types() == [
        "requested",
        "granted",
        "expiring",
        "requested",
        "granted",
        "renewed",
        "expired",
        "refused",
    ]
    assert third.renewal == 2


async def test_machines_that_a_renewal_leaves_out_are_warned_of_their_end(room: Room) -> None:
    first = await room.granted(asset_ids=(SERVER, OTHER_SERVER), machines=("DC01", "DC02"))
    some = {"asset_ids": (SERVER,), "valid_from": first.until, "until": first.until + timedelta(days=30)}
    again = await room.ask(id=OTHER, renews=first.id, renewal=1, **some)
    await room.house.hear(ticketed(OTHER, "4712"))
    await room.sign(again, ticket="4712")
    await room.pass_time(days=31)

    assert await room.types() == ["requested", "granted", "requested", "granted", "expiring", "expired"]


async def test_one_exception_cannot_be_renewed_twice_to_get_round_the_cap(room: Room) -> None:
    first = await room.granted()
    await room.pass_time(days=29)
    again = await room.ask(id=OTHER, renews=first.id, renewal=1, valid_from=first.until)
    await room.house.hear(ticketed(OTHER, "4712"))
    await room.sign(again, ticket="4712")
    await room.pass_time(days=31)

    await room.ask(id=UUID(int=8), renews=first.id, renewal=1)

    refused = (await room.told())[-1]
    assert isinstance(refused, ExceptionRefused)
    assert f"exception {OTHER} is or was about the same" in refused.why


async def test_a_revoked_one_ends_at_once_and_is_not_told_to_expire(room: Room) -> None:
    request = await room.granted()
    await room.pass_time(days=2)

    await room.revoke(request)
    await room.pass_time(days=40)

    assert await room.types() == ["requested", "granted", "revoked"]
    [told] = [each for each in await room.told() if isinstance(each, ExceptionRevoked)]
    assert told.why == "patched after all"


async def test_what_is_in_force_is_read_by_client(room: Room) -> None:
    request = await room.granted()
    await room.revoke(request)

    async with room.house.pool.acquire() as tx:
        found = await store_exceptions.in_force(tx, [ACME, BIRCH])

    [granted] = found[ACME]
    assert BIRCH not in found
    assert (granted.covers(SERVER, request.requirement_id or UUID(int=0)), granted.lane) == (True, Lane.DEFERRAL)
    assert (granted.holds_at(room.house.now), granted.ends_at) == (False, room.house.now)


async def test_asking_twice_is_asking_once(room: Room) -> None:
    await room.ask()
    await room.ask()

    assert await room.types() == ["requested"]
    assert asked().id == EXCEPTION
