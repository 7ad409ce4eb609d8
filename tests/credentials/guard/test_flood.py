"""An alert that names ten thousand accounts: all of it is kept, one breaker trips, and nobody is reset."""

from collections.abc import Iterator, Sequence
from itertools import islice

import pytest

from chassis.postgres import transaction
from contracts.envelope import Envelope
from contracts.events.credential import BreakerMoved, CaseOpened, Decision
from contracts.events.event import Method
from contracts.events.exposure import ExposureFound, ExposureOrigin, SecretForm
from services.credentials.cases.handlers import CredentialsHandler
from services.credentials.guard.records import EVERYONE
from tests.builders import ACME, BIRCH, NOON, batch_of, event
from tests.credentials.guard.conftest import SPYCLOUD, Room

ACCOUNTS = 10_000
BATCH = 2_000


def exposures(count: int, *, named: int, name: str = "person", first: int = 0) -> Iterator[Envelope]:
    """Yield what one alert, or several, say of different persons."""
    for number in range(first, first + count):
        login = f"{name}-{number}@acme.example"
        found = ExposureFound(
            feed="spycloud",
            method=Method.WEBHOOK,
            login=login,
            domain="acme.example",
            document=f"{name}-{number}",
            origin=ExposureOrigin.STEALER_LOG,
            form=SecretForm.PLAINTEXT,
            exposed_at=NOON,
            named=named,
        )
        yield event(found, subject=f"{ACME}/{login}", source=SPYCLOUD)


async def handle(room: Room, events: Sequence[Envelope]) -> None:
    async with transaction(room.pool) as tx:
        await CredentialsHandler().on_batch(tx, batch_of(events, recorded_at=room.now))


async def counted(room: Room, question: str) -> int:
    return int(await room.pool.fetchval(f"SELECT count(*) FROM {question}"))


@pytest.fixture(autouse=True)
async def live(room: Room) -> None:
    """The client is past its dry run, and so is the feed."""
    await room.set_policy(mode="live", reset_persons=True, live_feeds=[SPYCLOUD])


async def test_ten_thousand_accounts_trip_one_breaker_once_and_open_no_case(room: Room) -> None:
    told = exposures(ACCOUNTS, named=ACCOUNTS)

    while batch := list(islice(told, BATCH)):
        await handle(room, batch)

    [move] = await room.told(BreakerMoved)
    assert isinstance(move.data, BreakerMoved)
    assert (move.tenant, move.data.scope, move.data.held) == (ACME, "tenant", ACCOUNTS)
    assert await room.told(CaseOpened) == []
    assert await counted(room, "guard_act") == 0
    assert await counted(room, "exposure WHERE case_id IS NULL") == ACCOUNTS
    assert (await room.state(BIRCH), await room.state(EVERYONE)) == ("armed", "armed")


async def test_a_flood_that_is_delivered_again_adds_nothing(room: Room) -> None:
    for _ in range(2):
        await handle(room, list(exposures(50, named=50)))

    assert await counted(room, "exposure") == 50
    assert len(await room.told(BreakerMoved)) == 1


async def test_after_a_flood_another_persons_case_is_opened_and_nobody_is_reset(room: Room) -> None:
    await handle(room, list(exposures(50, named=50)))

    await handle(room, list(exposures(1, named=1, name="somebody-else")))

    [opened] = await room.told(CaseOpened)
    assert isinstance(opened.data, CaseOpened)
    assert opened.data.decision is Decision.NOTIFY


async def test_a_flood_for_one_client_beside_an_ordinary_exposure_of_another(room: Room) -> None:
    ordinary = [each._replace(tenant=BIRCH) for each in exposures(1, named=1, name="neighbour")]

    await handle(room, [*exposures(50, named=50), *ordinary])

    [opened] = await room.told(CaseOpened)
    assert opened.tenant == BIRCH
    assert await room.state(BIRCH) == "armed"
