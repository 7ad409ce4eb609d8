"""Questions: asked once, answered by different people, counted once, never by the exposed account, never too late."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid5

from chassis.postgres import transaction
from contracts.approval import Claims, claims_in, digest_of, token_of
from contracts.events.credential import ApprovalAsked, ApprovalCounted
from services.credentials.people import approvals
from services.credentials.people.records import Approver, Asking, RequestState
from services.credentials.people.rules_approvals import DECIDED_ALREADY
from services.credentials.people.rules_links import approver_digest
from tests.credentials.people.conftest import KEY, URL, Room, click

Question = Callable[..., Asking]


async def linked(room: Room, case: UUID) -> dict[UUID, str]:
    """Send the links of a question, and return the digest of each by its approver."""
    await room.inviting.look()
    tokens = [each.text.partition(f"{URL}/")[2].split()[0] for each in room.mail.letters if URL in each.text]
    claims = {token: claims_in(token, KEY) for token in tokens}
    people = {approver_digest(each): each for each in room.signing}
    return {people[c.approver_digest]: digest_of(t) for t, c in claims.items() if c is not None and c.case == str(case)}


async def three(room: Room) -> tuple[Approver, Approver, Approver]:
    return await room.enroll("Ada"), await room.enroll("Bo"), await room.enroll("Root", accounts=["ROOT@acme.example"])


class TestAsking:
    async def test_tells_how_many_have_to_agree_and_writes_to_everyone_who_may(
        self, room: Room, case: UUID, question: Question
    ) -> None:
        ada, bo, _ = await three(room)

        async with transaction(room.pool) as tx:
            [fact] = await approvals.ask(tx, [question()], now=room.now)

        assert isinstance(fact.event, ApprovalAsked)
        assert (fact.event.needed, fact.event.expires_at) == (2, room.now + timedelta(hours=4))
        assert fact.event.why == "a privileged account"
        links = await linked(room, case)
        assert set(links) == {ada.id, bo.id}
        assert sorted(each.to for each in room.mail.letters) == ["ada@msp.example", "bo@msp.example"]

    async def test_again_asks_nothing_while_a_question_is_open(self, room: Room, question: Question) -> None:
        await three(room)

        assert [await room.ask(question()), await room.ask(question())] == [1, 0]
        assert await room.inviting.look() == 2

    async def test_again_after_its_time_asks_anew(self, room: Room, case: UUID, question: Question) -> None:
        await three(room)
        await room.ask(question())
        room.now += timedelta(hours=5)

        assert await room.ask(question(now=room.now)) == 1

        assert (await room.asked(case)).number == 2
        assert (await room.state(case)).state is RequestState.OPEN

    async def test_says_so_where_too_few_are_enrolled(self, room: Room, question: Question) -> None:
        await room.enroll("Ada")

        async with transaction(room.pool) as tx:
            [fact] = await approvals.ask(tx, [question()], now=room.now)

        assert isinstance(fact.event, ApprovalAsked)
        assert fact.event.why.endswith("Only 1 who may decide are enrolled: enrol more, or act by hand.")


class TestLinks:
    async def test_of_two_people_grant_it(self, room: Room, case: UUID, question: Question) -> None:
        ada, bo, _ = await three(room)
        await room.ask(question())
        links = await linked(room, case)

        first = await room.follow(click(case, links[ada.id]))
        second = await room.follow(click(case, links[bo.id]))

        assert ([each.state for each in first.verdicts], [each.state for each in second.verdicts]) == (
            [],
            [RequestState.GRANTED],
        )
        [fact] = second.facts
        assert isinstance(fact.event, ApprovalCounted)
        assert (fact.event.given, fact.event.needed, fact.event.approver) == (2, 2, str(bo.id))
        assert dict(fact.evidence) | {"name": "Bo", "way": "link", "mail": "bo@msp.example"} == dict(fact.evidence)
        assert fact.by == f"approver/{bo.id}"
        assert (await room.state(case)).by == tuple(sorted([ada.id, bo.id]))

    async def test_followed_again_change_nothing(self, room: Room, case: UUID, question: Question) -> None:
        ada, _, _ = await three(room)
        await room.ask(question())
        once = click(case, (await linked(room, case))[ada.id])
        await room.follow(once)

        again = await room.follow(once, click(case, once.data.token, approve=False))  # type: ignore[attr-defined]

        assert (again.facts, again.verdicts) == ((), ())
        assert again.repeated == {once.id}
        assert [why for _, why in again.uncounted] == [DECIDED_ALREADY]
        assert (await room.state(case)).given == 1

    async def test_twice_in_one_batch_count_once(self, room: Room, case: UUID, question: Question) -> None:
        ada, _, _ = await three(room)
        await room.ask(question())
        digest = (await linked(room, case))[ada.id]

        counting = await room.follow(
            click(case, digest), click(case, digest), click(case, digest, name="another event")
        )

        assert len(counting.facts) == 1
        assert (await room.state(case)).given == 1

    async def test_that_come_late_count_nothing(self, room: Room, case: UUID, question: Question) -> None:
        ada, bo, _ = await three(room)
        await room.ask(question())
        links = await linked(room, case)
        await room.follow(click(case, links[ada.id]))
        room.now += timedelta(hours=4)

        late = await room.follow(click(case, links[bo.id]))

        assert (late.facts, [why for _, why in late.uncounted]) == ((), ["the question has expired"])
        assert (await room.state(case)).state is RequestState.EXPIRED

    async def test_beside_bad_ones_count(self, room: Room, case: UUID, question: Question) -> None:
        ada, bo, _ = await three(room)
        await room.ask(question())
        links = await linked(room, case)
        forged = click(case, "0" * 64)

        counting = await room.follow(forged, click(case, links[ada.id]), click(uuid5(case, "?"), links[bo.id]))

        assert [event for event, _ in counting.uncounted] == [forged.id, click(uuid5(case, "?"), links[bo.id]).id]
        assert (await room.state(case)).given == 1

    async def test_one_no_ends_it(self, room: Room, case: UUID, question: Question) -> None:
        ada, bo, _ = await three(room)
        await room.ask(question())
        links = await linked(room, case)

        counting = await room.follow(click(case, links[ada.id], approve=False), click(case, links[bo.id]))

        assert [each.state for each in counting.verdicts] == [RequestState.REFUSED]
        assert [why for _, why in counting.uncounted] == ["the question has ended: refused"]

    async def test_of_an_earlier_question_decide_nothing_about_the_next(
        self, room: Room, case: UUID, question: Question
    ) -> None:
        ada, _, _ = await three(room)
        await room.ask(question())
        old = (await linked(room, case))[ada.id]
        room.now += timedelta(hours=5)
        await room.ask(question(now=room.now))

        await room.follow(click(case, old))

        assert (await room.state(case)).given == 0

    async def test_of_somebody_who_was_revoked_count_no_more(self, room: Room, case: UUID, question: Question) -> None:
        ada, bo, _ = await three(room)
        await room.ask(question())
        links = await linked(room, case)
        await room.follow(click(case, links[ada.id]), click(case, links[bo.id]))

        await room.revoke(bo)

        room.now += timedelta(seconds=1)
        assert (await room.state(case)).state is RequestState.WITHDRAWN


class TestMailing:
    async def test_a_link_that_may_have_arrived_counts_though_its_mail_was_never_noted(
        self, room: Room, case: UUID, question: Question
    ) -> None:
        from chassis.http import Unavailable

        ada = await room.enroll("Ada")
        await room.ask(question())
        room.mail.answers, room.mail.takes_all_the_same = [Unavailable("no answer", ambiguous=True)], True
        links = await linked(room, case)

        counting = await room.follow(click(case, links[ada.id]))
        room.now += timedelta(minutes=5)
        await room.inviting.look()

        assert len(counting.facts) == 1
        [first, *again] = room.mail.letters
        assert again == [], "who has decided is not asked again"
        assert first.message_id == f"approval.{case}.1.{ada.id}"

    async def test_a_mail_that_was_not_taken_is_sent_later_as_the_same(
        self, room: Room, case: UUID, question: Question
    ) -> None:
        from chassis.http import Unavailable

        await room.enroll("Ada")
        await room.ask(question())
        room.mail.answers = [Unavailable("greylisted")]
        await room.inviting.look()
        assert (await room.inviting.look(), room.mail.letters) == (0, [])

        room.now += timedelta(seconds=6)
        await room.inviting.look()

        [letter] = room.mail.letters
        [row] = await room.pool.fetch("SELECT state, attempts, sent_at FROM notice WHERE case_id = $1", case)
        assert tuple(row) == ("done", 2, room.now)
        assert letter.text.count(URL) == 1

    async def test_nobody_is_written_to_about_a_question_that_has_ended(
        self, room: Room, case: UUID, question: Question
    ) -> None:
        await room.enroll("Ada")
        await room.ask(question())
        async with transaction(room.pool) as tx:
            await approvals.withdraw(tx, [case], now=room.now)

        await room.inviting.look()

        assert room.mail.letters == []
        assert await room.pool.fetchval("SELECT state FROM notice WHERE case_id = $1", case) == "dropped"

    async def test_the_token_is_nowhere_in_the_database(self, room: Room, case: UUID, question: Question) -> None:
        ada = await room.enroll("Ada")
        await room.ask(question())
        await room.inviting.look()
        request = await room.asked(case)
        claims = Claims(
            case=str(case),
            approver_digest=approver_digest(ada.id),
            expires_at=request.expires_at,
            nonce=request.nonce,
        )
        token = token_of(claims, KEY)

        kept = [
            str(tuple(row))
            for table in ("notice", "link", "request")
            for row in await room.pool.fetch(f"SELECT * FROM {table}")
        ]

        assert token in room.mail.letters[0].text
        assert [row for row in kept if token in row or token.partition(".")[2] in row] == []
