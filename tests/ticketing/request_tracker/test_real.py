"""A real Request Tracker 5: what it does that nobody expects, and that one ticket stays one ticket all the same."""

from uuid import uuid4

import pytest

from chassis.http import Refused, Unavailable
from patchline.local.request_tracker import QUEUE
from patchline.local.request_tracker import RequestTracker as LocalRequestTracker
from services.ticketing.adapters.request_tracker import Names, RequestTracker
from services.ticketing.records import TicketRef
from tests.ticketing.request_tracker.drafts import draft
from tests.ticketing.rt_desk import RtDesk, connected

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
