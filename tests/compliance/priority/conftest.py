"""Priorities in a house whose server may lack a release that fixes a vulnerability."""

import pytest

from tests.compliance.house import House
from tests.compliance.priority.room import Room, with_cve


@pytest.fixture
async def room(house: House) -> Room:
    """Nothing decided yet, no feed loaded, no policy agreed."""
    room = Room(house)
    await room.empty()
    await house.load_catalog(with_cve())
    return room
