"""Zones as Patchline ships them, whatever this machine has."""

import pytest

from services.compliance.zones import use_shipped_zones


@pytest.fixture(autouse=True, scope="session")
def _shipped_zones() -> None:
    use_shipped_zones()
