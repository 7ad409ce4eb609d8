"""A real Request Tracker 5: what it does that nobody expects, and that one ticket stays one ticket all the same."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from chassis.http import Refused, Unavailable
from patchline.local.request_tracker import API_USER, QUEUE
from patchline.local.request_tracker import RequestTracker as LocalRequestTracker
from services.ticketing.adapters import request_tracker_wire
from services.ticketing.adapters.request_tracker import Names, RequestTracker
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Draft, Note, TicketRef
from tests.ticketing.conftest import HOOK_SECRET, Hooked
from tests.ticketing.rt_desk import Meddling, RtDesk, connected

UGLY = [
    "o'clock",
    "x' OR id > 0 OR Subject = 'y",
    'quote " and \\',
    "\\' OR id > 0 OR Subject = \\'y",
    "%",
    "CF",
    "} AND id > 0",
    "Grüße, 世界",
]


@pytest.fixture
def key() -> str:
    return f"pl-patch_failed-{uuid4()}-g1"


@pytest.fixture
def rt_desk(request_tracker: LocalRequestTracker) -> Iterator[RtDesk]:
    with RtDesk.of(request_tracker) as open_desk:
        yield open_desk


@pytest.fixture
async def tracker(request_tracker: LocalRequestTracker) -> AsyncIterator[RequestTracker]:
    made = connected(request_tracker)
    yield made
    await made.close()


def draft(key: str, **changes: str) -> Draft:
    asked = Draft(key=key, title="T: ü", text="body\n\nü", company="Acme", severity="high", marker=f"{key}/1/open/e")
    return replace(asked, **changes)


def note(key: str, number: int, act: str, text: str = "words") -> Note:
    return Note(marker=f"{key}/{number}/{act}/e", text=text)


class TestAssumptions:
    """What makes Request Tracker dangerous, so that we notice if another release changes it."""

    def test_an_unknown_field_is_dropped_with_a_201(self, rt_desk: RtDesk, key: str) -> None:
        number = rt_desk.create(key, CustomFields={"CorrelationKye": key})

        assert [each["values"] for each in rt_desk.get(f"ticket/{number}")["CustomFields"]] == [[], []]

    def test_a_search_by_an_unknown_field_finds_nothing_and_says_nothing(self, rt_desk: RtDesk, key: str) -> None:
        rt_desk.create(key)

        answer = rt_desk.client.get("tickets", params={"query": f"CF.{{CorrelationKye}} = '{key}'"})

        assert (answer.status_code, answer.json()["items"]) == (200, [])

    def test_a_refused_status_is_a_200(self, rt_desk: RtDesk, key: str) -> None:
        answer = rt_desk.client.put(f"ticket/{rt_desk.create(key)}", json={"Status": "bogus"})

        assert answer.status_code == 200
        assert "bogus" in answer.text

    def test_equal_is_equal_without_regard_to_case(self, rt_desk: RtDesk, key: str) -> None:
        assert rt_desk.numbers(key.upper()) == rt_desk.numbers(key)
        rt_desk.create(key)
        assert rt_desk.numbers(key.upper()) == rt_desk.numbers(key) != []


class TestSetUp:
    @pytest.mark.parametrize(
        ("names", "named"),
        [
            pytest.param(Names(queue=QUEUE, key_field="CorrelationKye"), "CorrelationKye", id="key"),
            pytest.param(Names(queue=QUEUE, client_field="Klient"), "Klient", id="client"),
            pytest.param(Names(queue="Patchign"), "Patchign", id="queue"),
            pytest.param(Names(queue="General"), "General", id="a queue that is not for us"),
        ],
    )
    async def test_a_wrong_name_makes_no_ticket_and_is_named(
        self, request_tracker: LocalRequestTracker, rt_desk: RtDesk, key: str, *, names: Names, named: str
    ) -> None:
        tracker = connected(request_tracker, names=names)
        for act in (tracker.find(key), tracker.create(draft(key), None)):
            with pytest.raises(Unavailable, match=named):
                await act
        await tracker.close()

        assert rt_desk.numbers(key) == []

    async def test_a_wrong_token_is_nobodys_tickets_fault(self, request_tracker: LocalRequestTracker, key: str) -> None:
        tracker = connected(request_tracker, token="1-14-" + "0" * 32)

        with pytest.raises(Unavailable, match="refuses the token"):
            await tracker.find(key)
        await tracker.close()

    async def test_our_user_can_do_no_more_than_it_must(
        self, tracker: RequestTracker, rt_desk: RtDesk, key: str
    ) -> None:
        ref = await tracker.create(draft(key), None)
        wire = tracker._wire

        await wire.call("PUT", f"/ticket/{ref.id}", json={"CustomFields": {"CorrelationKey": "another"}})
        await wire.call("PUT", f"/ticket/{ref.id}", json={"Status": "deleted"})

        assert rt_desk.numbers(key) == [ref.id]
        with pytest.raises(Refused):
            await wire.call("GET", "/queue/General")


class TestCreation:
    async def test_what_is_written_is_there_and_found(self, tracker: RequestTracker, rt_desk: RtDesk, key: str) -> None:
        assert await tracker.find(key) == []

        ref = await tracker.create(draft(key), await tracker.reserve())

        assert await tracker.find(key) == [ref] == [TicketRef(id=ref.id, is_open=True)]
        issue = rt_desk.issue_of(ref.id)
        assert (issue.title, issue.client, issue.status, issue.notes) == ("T: ü", "Acme", "new", ["body\n\nü"])
        assert await tracker.key_of(ref.id) == key

    @pytest.mark.parametrize("ugly", UGLY)
    async def test_no_key_is_a_command(self, tracker: RequestTracker, rt_desk: RtDesk, ugly: str) -> None:
        mine = f"pl-{ugly}-{uuid4()}"
        ref = await tracker.create(draft(mine, company=ugly), None)

        assert await tracker.find(mine) == [ref]
        assert await tracker.find(f"{mine}'") == []
        assert rt_desk.issue_of(ref.id).client == ugly

    async def test_only_the_very_key_counts(self, tracker: RequestTracker, rt_desk: RtDesk, key: str) -> None:
        rt_desk.create(key.upper())
        mine = [rt_desk.create(key), rt_desk.create(key)]
        rt_desk.edit(mine[0], status="rejected")

        refs = await tracker.find(key)

        assert [(ref.id, ref.is_open) for ref in refs] == [(mine[0], False), (mine[1], True)]


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
