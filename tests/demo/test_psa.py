"""What the judge reads in each ticket system is what ticketing's own adapter wrote there, and what a person did."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from chassis.settings import read
from patchline.demo import psa, technician
from patchline.demo.tracker import Issue
from patchline.local.connectwise import ConnectWise
from patchline.local.psa import page
from patchline.local.roundup import Roundup
from services.ticketing.adapters.choice import connected
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.records import Draft, Note
from services.ticketing.settings import TicketingSettings
from tests.demo.conftest import CLIENT, Standing

OPENED = """Windows 11: update fails at Hudson Dental Group.

Devices (1):
- HDG-WS-001 (windows, workstation): failed once, code 0x80070643. rmm/ninjaone/main, device 1, asset a

What to do:
1. Read the error code."""
APPENDED = """Failing too (1):
- HDG-WS-002 (windows, workstation): failed once. rmm/ninjaone/main, device 2, asset b

Failing on this ticket now: 2."""


@pytest.fixture
async def tracker(as_ticketing: None) -> AsyncIterator[Tracker]:  # noqa: ARG001 - its environment is what counts
    made = connected(read(TicketingSettings))
    yield made
    await made.close()


def draft(key: str) -> Draft:
    marker = f"{key}/1/open/{uuid4().hex}"
    return Draft(key=key, title=f"Fails: {key}", text=OPENED, company=CLIENT, severity="critical", marker=marker)


def note(key: str, act: str, text: str) -> Note:
    return Note(marker=f"{key}/2/{act}/{uuid4().hex}", text=text)


async def created(tracker: Tracker) -> tuple[str, str]:
    """Create a ticket, and return its key and number."""
    key = f"pl-{uuid4().hex}-g1"
    ref = await tracker.create(draft(key), await tracker.reserve())
    return key, ref.id


async def shown(standing: Standing, key: str) -> Issue:
    [issue] = [each for each in await psa.issues(standing.settings) if each.key == key]
    return issue


async def test_a_ticket_is_read_with_its_client_its_state_and_the_devices_of_its_notes(
    standing: Standing, tracker: Tracker
) -> None:
    key, number = await created(tracker)
    [ref] = await tracker.find(key)
    await tracker.append(ref, note(key, "append", APPENDED))

    issue = await shown(standing, key)

    assert (issue.number, issue.client, issue.title, issue.is_open) == (number, CLIENT, f"Fails: {key}", True)
    assert issue.devices == Counter({"HDG-WS-001": 1, "HDG-WS-002": 1})
    assert len(issue.notes) == 2


async def test_a_note_that_is_there_twice_introduces_its_device_twice(standing: Standing, tracker: Tracker) -> None:
    key, _ = await created(tracker)
    [ref] = await tracker.find(key)
    for _ in range(2):
        await tracker.append(ref, note(key, "append", APPENDED))

    issue = await shown(standing, key)

    assert issue.devices["HDG-WS-002"] == 2


async def test_what_ticketing_resolved_is_closed(standing: Standing, tracker: Tracker) -> None:
    key, _ = await created(tracker)
    [ref] = await tracker.find(key)
    await tracker.resolve(ref, note(key, "resolve", "No device on this ticket is failing any more."))

    assert not (await shown(standing, key)).is_open


async def test_what_a_technician_closed_is_closed_and_no_act_of_ours(standing: Standing, tracker: Tracker) -> None:
    key, number = await created(tracker)

    await technician.close(standing.settings, number)

    assert not (await shown(standing, key)).is_open
    [ref] = await tracker.find(key)
    assert not ref.is_open
    assert "/resolve/" not in (await tracker.last_note(ref, key) or "")


async def test_every_ticket_is_read_however_many_a_page_has(standing: Standing, tracker: Tracker) -> None:
    keys = {(await created(tracker))[0] for _ in range(3)}

    found = await psa.issues(standing.settings, page_rows=2)

    assert keys <= {each.key for each in found}
    assert len({each.number for each in found}) == len(found)


def test_a_person_is_told_where_to_look_and_as_whom(standing: Standing) -> None:
    where = page(standing.desk)

    assert where.url.startswith(standing.desk.url)
    assert (where.name == "") == isinstance(standing.desk, ConnectWise)
    assert (where.password == "") == (where.name == "")
    if where.name:
        api = f"{where.url}rest/data/issue" if isinstance(standing.desk, Roundup) else f"{where.url}REST/2.0/queues/all"
        asked = [
            httpx.get(api, auth=(where.name, each), timeout=20, trust_env=False) for each in (where.password, "no")
        ]
        assert [answer.status_code for answer in asked] == [200, 401]


def test_ticketings_secrets_are_in_files(standing: Standing) -> None:
    files = [name for name in standing.settings if name.endswith("_FILE")]
    values = set(standing.settings.values())

    assert "PATCHLINE_TRACKER_PASSWORD_FILE" in files
    for name in files:
        secret = Path(standing.settings[name]).read_text()
        assert secret
        assert secret not in values
