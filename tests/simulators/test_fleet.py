"""The simulated fleet: who is in it, and that a seed makes it once and for all."""

from collections import Counter

import pytest

from simulators import releases
from simulators.fleet import CLIENTS, PATCHLINE_SCRIPTS, SOURCES, fleet


@pytest.mark.parametrize("count", [10, 37, 400, 1000])
def test_a_fleet_has_exactly_as_many_devices_as_were_asked_for(count: int) -> None:
    devices = fleet(seed=1, count=count)

    assert len(devices) == count
    assert len({device.hostname for device in devices}) == count
    assert len({(device.source, device.number) for device in devices}) == count


def test_the_same_seed_makes_the_same_fleet_and_another_seed_another() -> None:
    assert fleet(seed=7, count=120) == fleet(seed=7, count=120)
    assert fleet(seed=7, count=120) != fleet(seed=8, count=120)


def test_a_fleet_of_400_has_every_kind_of_device_at_every_client() -> None:
    devices = fleet(seed=3, count=400)

    kinds = Counter((device.client.name, device.system.family, device.tier) for device in devices)
    for client in CLIENTS:
        assert kinds[client.name, "windows", "server"] > 0
        assert kinds[client.name, "windows", "workstation"] > 0
        assert kinds[client.name, "windows", "kiosk"] > 0
        assert kinds[client.name, "windows", "do_not_disrupt"] > 0
        assert kinds[client.name, "macos", "workstation"] > 0
        assert kinds[client.name, "linux", "server"] > 0
    assert {device.source for device in devices} == set(SOURCES)
    assert len({client.zone for client in CLIENTS}) == 3


def test_a_device_that_lacks_the_month_before_has_an_older_build() -> None:
    laggards = [device for device in fleet(seed=3, count=400) if device.lacks_month_before]

    assert laggards
    assert all(device.build == device.system.old_build != device.system.build for device in laggards)


def test_linux_is_looked_after_by_scripts() -> None:
    linux = [device for device in fleet(seed=3, count=400) if device.system is releases.UBUNTU]

    assert {device.source for device in linux} == {PATCHLINE_SCRIPTS}
