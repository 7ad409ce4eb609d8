"""The monitors of a compliance service on a database of its own."""

import pytest

from tests.compliance.house import House, asset_changed, client_in
from tests.compliance.monitors.room import Room


@pytest.fixture
async def room(house: House) -> Room:
    """A service that knows one server of one client in New York, who has no policy yet."""
    room = Room(house)
    await room.empty()
    await house.hear(client_in("America/New_York"), asset_changed())
    return room
