"""A real Request Tracker 5: notes, another status, rounds, merges, and what it tells."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from patchline.local.request_tracker import API_USER, QUEUE
from patchline.local.request_tracker import RequestTracker as LocalRequestTracker
from services.ticketing.adapters import request_tracker_wire
from services.ticketing.adapters.request_tracker import Names, RequestTracker
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Note, TicketRef
from tests.ticketing.conftest import HOOK_SECRET, Hooked
from tests.ticketing.request_tracker.drafts import draft, note
from tests.ticketing.rt_desk import Meddling, RtDesk, connected


class TestNotes:
    async def test_a_note_is_ours_once_and_the_status_stays(
        self, tracker: RequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        ref = await tracker.create(draft(key), None)
        said = note(key, 2, "append", "ü: more\nthan one line")

        assert not await tracker.has_note(ref, said.marker)
        await tracker.append(ref, said)

        assert await tracker.has_note(ref, said.marker)
        assert not await tracker.has_note(ref, f"{key}/2")
        assert await tracker.last_note(ref, key) == said.marker
        issue = rt_desk.issue_of(ref.id)
        assert (issue.status, issue.notes[1:]) == ("new", [said.text])

    async def test_a_person_who_copies_our_subject_says_nothing_for_us(
        self, tracker: RequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        ref = await tracker.create(draft(key), None)
        said = note(key, 2, "append")

        rt_desk.say(ref.id, "mine", Subject=f"[{said.marker}]")

        assert not await tracker.has_note(ref, said.marker)
        assert await tracker.last_note(ref, key) is None

    async def test_one_that_meets_a_persons_closing_was_said_to_nobody(
        self, request_tracker: LocalRequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        number = rt_desk.create(key)
        ref, said = TicketRef(id=number, is_open=True), note(key, 2, "append")
        meddling = Meddling("POST", lambda: rt_desk.edit(number, status="resolved"))
        tracker = connected(request_tracker, transport=meddling)

        with pytest.raises(ChangedMeanwhile, match="closed"):
            await tracker.append(ref, said)

        assert not await tracker.has_note(replace(ref, is_open=False), said.marker)
        assert rt_desk.issue_of(number).status == "resolved"
        await tracker.close()

    async def test_many_notes_are_read_to_the_last(
        self, tracker: RequestTracker, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(request_tracker_wire, "PAGE_ROWS", 2)
        ref = await tracker.create(draft(key), None)
        for number in range(2, 7):
            await tracker.append(ref, note(key, number, "append"))

        assert await tracker.has_note(ref, note(key, 2, "append").marker)
        assert await tracker.last_note(ref, key) == note(key, 6, "append").marker

    async def test_a_reply_is_ours_too_and_opens_a_new_ticket_by_itself(
        self, request_tracker: LocalRequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        tracker = connected(request_tracker, names=Names(queue=QUEUE, notes="correspond"))
        ref = await tracker.create(draft(key), None)
        for number, act in enumerate((tracker.append, tracker.resolve), start=2):
            await act(ref, note(key, number, act.__name__))
        closed = replace(ref, is_open=False)
        await tracker.reopen(closed, note(key, 4, "reopen"))

        done = [await tracker.has_note(ref, note(key, n, a).marker) for n, a in ((2, "append"), (3, "resolve"))]
        await tracker.close()
        issue = rt_desk.issue_of(ref.id)
        assert (done, issue.status, len(issue.notes)) == ([True, True], "open", 4)


class TestStatus:
    async def test_it_is_set_and_read_back(self, tracker: RequestTracker, rt_desk: RtDesk, key: str) -> None:
        ref = await tracker.create(draft(key), None)

        await tracker.resolve(ref, note(key, 2, "resolve"))
        resolved = rt_desk.issue_of(ref.id)
        closing = await tracker.last_note(ref, key)
        await tracker.reopen(replace(ref, is_open=False), note(key, 3, "reopen"))

        assert (resolved.status, closing) == ("resolved", note(key, 2, "resolve").marker)
        assert (rt_desk.issue_of(ref.id).status, await tracker.last_note(ref, key)) == (
            "open",
            note(key, 3, "reopen").marker,
        )

    async def test_a_status_that_rt_does_not_know_needs_a_person_and_says_why(
        self, request_tracker: LocalRequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        tracker = connected(request_tracker, names=Names(queue=QUEUE, resolved_status="bogus"))
        ref = await tracker.create(draft(key), None)
        for _ in range(2):
            with pytest.raises(NotAsWritten, match="bogus"):
                await tracker.resolve(ref, note(key, 2, "resolve"))
            assert not await tracker.has_note(ref, note(key, 2, "resolve").marker)
        await tracker.close()

        assert (rt_desk.issue_of(ref.id).status, len(rt_desk.issue_of(ref.id).notes)) == ("new", 2)

    async def test_a_person_who_writes_meanwhile_is_read_first(
        self, request_tracker: LocalRequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        number = rt_desk.create(key)
        meddling = Meddling("PUT", lambda: rt_desk.say(number, "wait"))
        tracker = connected(request_tracker, transport=meddling)

        await tracker.resolve(TicketRef(id=number, is_open=True), note(key, 2, "resolve"))
        await tracker.close()

        assert (meddling.left, rt_desk.issue_of(number).status) == ([], "resolved")
        assert rt_desk.issue_of(number).notes == ["words", "wait"]

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_a_person_who_closes_it_meanwhile_is_believed(
        self, request_tracker: LocalRequestTracker, rt_desk: RtDesk, key: str, method: str
    ) -> None:
        number = rt_desk.create(key)
        meddling = Meddling(method, lambda: rt_desk.edit(number, status="rejected"))
        tracker, ref = connected(request_tracker, transport=meddling), TicketRef(id=number, is_open=True)

        if method == "PUT":
            with pytest.raises(ChangedMeanwhile):
                await tracker.resolve(ref, note(key, 2, "resolve"))
        else:
            await tracker.resolve(ref, note(key, 2, "resolve"))

        assert rt_desk.issue_of(number).status == "rejected"
        assert not await tracker.has_note(ref, note(key, 2, "resolve").marker)
        assert await tracker.last_note(ref, key) is None  # so that it is taken for what it is: a person's closing
        await tracker.close()

    async def test_someone_who_never_stops_makes_us_look_again_and_the_note_stands_once(
        self, request_tracker: LocalRequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        number = rt_desk.create(key)
        ref = TicketRef(id=number, is_open=True)
        tracker = connected(request_tracker, transport=Meddling("PUT", *[lambda: rt_desk.say(number, "still")] * 2))

        with pytest.raises(ChangedMeanwhile):
            await tracker.resolve(ref, note(key, 2, "resolve"))
        await tracker.resolve(ref, note(key, 2, "resolve"))
        await tracker.close()

        assert rt_desk.issue_of(number).notes == ["words", "still", "still"]
        assert rt_desk.issue_of(number).status == "resolved"


class TestRound:
    async def test_the_open_ones_and_those_that_changed_lately_page_by_page(
        self, tracker: RequestTracker, rt_desk: RtDesk, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(request_tracker_wire, "PAGE_ROWS", 2)
        mine = [rt_desk.create(f"{key}{number}") for number in range(3)]
        strange = rt_desk.create("of another house")
        rt_desk.edit(mine[1], status="resolved")

        async def every(changed_since: datetime | None) -> list[str]:
            pages: list[list[str]] = [[]]
            while not pages[1:] or pages[-1]:
                pages.append(await tracker.marked(changed_since=changed_since, page=len(pages)))
            assert max(len(page) for page in pages) == 2
            return [each for page in pages for each in page]

        still_open, changed = await every(None), await every(datetime.now(UTC) - timedelta(hours=1))
        assert {*mine, strange} & set(still_open) == {mine[0], mine[2]}
        assert {*mine, strange} & set(changed) == set(mine)
        assert await tracker.marked(changed_since=datetime.now(UTC) + timedelta(days=2), page=1) == []

    async def test_a_number_has_the_key_of_its_own_ticket_only(
        self, tracker: RequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        kept, gone, bare = rt_desk.create(key), rt_desk.create(key), rt_desk.create("x", CustomFields={})
        rt_desk.edit(gone, MergeInto=int(kept))

        assert [await tracker.key_of(each) for each in (kept, gone, bare, "999999")] == [key, None, None, None]
        assert await tracker.find(key) == [TicketRef(id=kept, is_open=True)]
        with pytest.raises(ChangedMeanwhile, match="merged"):
            await tracker.append(TicketRef(id=gone, is_open=True), note(key, 2, "append"))


class TestMerge:
    async def test_what_people_wrote_is_repeated_once_and_nothing_is_deleted(
        self, tracker: RequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        kept = await tracker.create(draft(key), None)
        other = TicketRef(id=rt_desk.create(key, Content="First words", ContentType="text/plain"), is_open=True)
        rt_desk.say(other.id, "<p>In <b>HTML</b> &amp; so on</p>", ContentType="text/html")
        file = {"FileName": "log.txt", "FileType": "text/plain", "FileContent": "bG9n"}
        rt_desk.say(other.id, "See the file.", Attachments=[file])
        on_kept = Note(marker=f"{key}/merged/{other.id}", text="one of two")
        on_other = Note(marker=f"{key}/merged-into/{kept.id}", text="the other of two")

        for _ in range(2):
            await tracker.take_over(kept, other, key=key, note=on_kept)
            await tracker.give_way(other, kept, key=key, note=on_other)

        notes = rt_desk.issue_of(kept.id).notes[1:]
        assert [each.splitlines()[-1] for each in notes] == [
            "First words",
            "In HTML & so on",
            f"(Files that stay on ticket {other.id}: log.txt)",
            "one of two",
        ]
        assert notes[0].startswith(f"technician wrote on ticket {other.id}, 20")
        gone = rt_desk.issue_of(other.id)
        assert (gone.status, gone.notes[-1], rt_desk.superseders(other.id)) == ("resolved", on_other.text, [kept.id])
        assert len(gone.notes) == 5
        assert await tracker.last_note(kept, key) is None

    async def test_who_writes_meanwhile_keeps_it_open(self, tracker: RequestTracker, rt_desk: RtDesk, key: str) -> None:
        kept, other = (TicketRef(id=rt_desk.create(key), is_open=True) for _ in range(2))
        said = Note(marker=f"{key}/merged-into/{kept.id}", text="closed")
        rt_desk.say(other.id, "Wait!")

        with pytest.raises(ChangedMeanwhile, match="wrote"):
            await tracker.give_way(other, kept, key=key, note=said)

        assert rt_desk.issue_of(other.id).status == "new"

    async def test_who_writes_at_the_same_moment_keeps_it_open(
        self, request_tracker: LocalRequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        kept, other = (TicketRef(id=rt_desk.create(key), is_open=True) for _ in range(2))
        said = Note(marker=f"{key}/merged-into/{kept.id}", text="closed")
        tracker = connected(request_tracker, transport=Meddling("PUT", lambda: rt_desk.say(other.id, "Wait!")))

        with pytest.raises(ChangedMeanwhile, match="changed"):
            await tracker.give_way(other, kept, key=key, note=said)
        await tracker.close()

        assert (rt_desk.issue_of(other.id).status, rt_desk.superseders(other.id)) == ("new", [])


async def test_the_seeded_scrip_tells_signed_facts_and_no_words(
    tracker: RequestTracker, hooked: Hooked, key: str
) -> None:
    ref = await tracker.create(draft(key), None)
    await tracker.append(ref, note(key, 2, "append", "not for everyone"))
    await tracker.resolve(ref, note(key, 3, "resolve"))

    told = [(body, signature) for body, signature in hooked.told if key.encode() in body]
    assert all(
        hmac.compare_digest(hmac.new(HOOK_SECRET.encode(), body, hashlib.sha256).hexdigest(), signature)
        for body, signature in told
    )
    facts = [json.loads(body) for body, _ in told]
    assert {(each["ticket"], each["key"], each["by"]) for each in facts} == {(int(ref.id), key, API_USER)}
    assert [(each["type"], each["new"]) for each in facts] == [
        ("Create", None),
        ("Comment", None),
        ("Comment", None),
        ("Status", "resolved"),
    ]
    assert (facts[-1]["old"], facts[-1]["status"]) == ("new", "resolved")
    assert not any(b"not for everyone" in body for body, _ in told)


async def test_no_mail_is_sent_for_a_comment(
    request_tracker: LocalRequestTracker, tracker: RequestTracker, key: str
) -> None:
    ref = await tracker.create(draft(key), None)
    await tracker.append(ref, note(key, 2, "append", "an internal word"))

    sent = request_tracker.mail.read_text() if request_tracker.mail.exists() else ""
    assert "an internal word" not in sent
