"""A sandbox of ConnectWise PSA for each test, and a desk at it."""

from collections.abc import AsyncIterator

import pytest

from services.ticketing.adapters.connectwise import ConnectWise
from simulators.connectwise import Sandbox
from tests.ticketing.psa import of, renewed


@pytest.fixture
def psa(connectwise: Sandbox) -> Sandbox:
    return renewed(connectwise)


@pytest.fixture
async def desk(psa: Sandbox) -> AsyncIterator[ConnectWise]:
    connected = of(psa)
    yield connected
    await connected.close()
