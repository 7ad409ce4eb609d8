"""Each ticket system that the demo can have, running: real ones, and the simulated ConnectWise PSA."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from patchline.local import PartUnavailable, place, psa
from patchline.local.connectwise import add_companies
from patchline.local.psa import Psa, TicketSystem
from patchline.stack import programs

CLIENT = "Hudson Dental Group"


@dataclass(frozen=True)
class Standing:
    """A ticket system that runs, and the settings that a stack with it has."""

    desk: TicketSystem
    settings: Mapping[str, str]


def say(line: str) -> None:
    sys.stderr.write(f"[parts] {line}\n")


@pytest.fixture(scope="session", params=list(Psa))
def standing(request: pytest.FixtureRequest) -> Iterator[Standing]:
    with place.throwaway_home() as home:
        try:
            desk = psa.ticket_system(request.param, home, port=0)
        except PartUnavailable as error:
            pytest.skip(str(error))
        desk.start(say)
        try:
            yield Standing(desk, prepared(desk, home))
        finally:
            desk.stop()


def prepared(desk: TicketSystem, home: Path) -> dict[str, str]:
    """Write the secrets as a stack does, add the client where a company is wanted, and return the settings."""
    access, secrets = psa.access(desk), home / "secrets"
    place.write_private(secrets / "tracker", access.password)
    for name, secret in access.secrets.items():
        place.write_private(secrets / name.lower(), secret)
    if access.kind is Psa.CONNECTWISE:
        add_companies(desk.url, {CLIENT: CLIENT})
    return programs.tracker_settings(access, secrets) | {"PATCHLINE_HOME": str(home)}


@pytest.fixture
def as_ticketing(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this process the environment of ticketing."""
    for name in [each for each in os.environ if each.startswith("PATCHLINE_")]:
        monkeypatch.delenv(name)
    elsewhere = {"PATCHLINE_DATABASE_URL": "postgresql://nobody@127.0.0.1/none", "PATCHLINE_KAFKA": "127.0.0.1:1"}
    for name, value in {**standing.settings, **elsewhere}.items():
        monkeypatch.setenv(name, value)
