"""A desk at the real Request Tracker, and the adapter to it."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from patchline.local.request_tracker import RequestTracker as LocalRequestTracker
from services.ticketing.adapters.request_tracker import RequestTracker
from tests.ticketing.rt_desk import RtDesk, connected


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
