"""A real agent's report of this machine, judged by its package manager; and why there may be none."""

import os
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged
from contracts.events.event import Event, OsFamily, Severity, Tier
from contracts.events.obligation import DeviceLabel, FigurePublished, ObligationStateChanged, State
from contracts.events.rmm import DeviceSeen
from patchline.demo import real_agent
from patchline.demo.database import Stored
from patchline.demo.judgement import Found
from patchline.demo.real_agent import CLIENT, SOURCE, Application, Login, Machine, judged, the_day
from patchline.demo.subscriber import Seen

AT = datetime(2025, 1, 15, 20, tzinfo=UTC)
NAME = os.uname().nodename.partition(".")[0]
BASH, CURL = ("bash", "5.2.15-2+b7"), ("curl", "7.88.1-10+deb12u8")
DAY = "rmm/ninjaone/main"


def machine(*applications: Application, hostname: str = NAME) -> Machine:
    return Machine(
        hostname=hostname,
        os_name="Debian GNU/Linux 12 (bookworm)",
        applications=frozenset(applications),
        installed=frozenset({BASH, CURL}),
    )


@pytest.mark.parametrize(
    ("found", "lost", "doubled", "wrong"),
    [
        pytest.param(machine(BASH, CURL), 0, 0, 0, id="all of them"),
        pytest.param(machine(BASH), 1, 0, 0, id="one is lost"),
        pytest.param(machine(BASH, ("curl", "1")), 1, 1, 0, id="one of another version"),
        pytest.param(machine(BASH, CURL, ("vim", "9")), 0, 1, 0, id="one that is not there"),
        pytest.param(machine(BASH, CURL, hostname="another"), 0, 0, 1, id="another machine"),
        pytest.param(Machine(installed=frozenset({BASH, CURL})), 2, 0, 1, id="nobody reported"),
    ],
)
def test_what_is_known_of_this_machine_is_compared_with_what_is_installed(
    found: Machine, lost: int, doubled: int, wrong: int
) -> None:
    [check] = judged(found)

    assert (check.lost, check.doubled, check.wrong) == (lost, doubled, wrong)


def test_where_no_agent_ran_nothing_is_judged_and_one_line_says_why() -> None:
    none = Machine(hindrance="fusioninventory-agent is not installed")

    assert judged(none) == []
    assert none.line == "No real agent reported: fusioninventory-agent is not installed."


def test_one_line_tells_which_machine_reported() -> None:
    assert machine(BASH, CURL).line == (
        f"Real agent: {NAME} reported itself, Debian GNU/Linux 12 (bookworm), 2 applications."
    )


@pytest.mark.parametrize(
    ("there", "is_writable", "expected"),
    [
        pytest.param({real_agent.AGENT, "dpkg-query"}, True, "", id="it can run"),
        pytest.param({"dpkg-query"}, True, "not installed", id="no agent"),
        pytest.param({real_agent.AGENT, "dpkg-query"}, False, "cannot be written", id="of another account"),
        pytest.param({real_agent.AGENT}, True, "no dpkg-query", id="nothing to check it by"),
    ],
)
def test_what_keeps_the_agent_from_running(
    monkeypatch: pytest.MonkeyPatch, *, there: set[str], is_writable: bool, expected: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    monkeypatch.setattr(os, "access", lambda _path, _mode: is_writable)

    assert expected in real_agent.hindrance()
    assert bool(real_agent.hindrance()) == bool(expected)


def agent(folder: Path, script: str) -> str:
    """Return a program that stands for the agent."""
    program = folder / "agent"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return str(program)


async def told(monkeypatch: pytest.MonkeyPatch, folder: Path, *, status: int = 200, script: str = "exit 0") -> str:
    """Let such an agent report to a door that gives such an answer."""
    transport = httpx.MockTransport(lambda request: httpx.Response(status, request=request))
    whole = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **given: whole(**given, transport=transport))
    monkeypatch.setattr(real_agent, "AGENT", agent(folder, script))
    login = Login(url="http://127.0.0.1/agents", user="desk", password="p" * 20, config=folder / "agent.cfg")
    return await real_agent.report(login)


async def test_an_agent_that_ends_well_has_nothing_to_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert await told(monkeypatch, tmp_path, script=f'echo "$1" > {tmp_path}/told') == ""
    assert (tmp_path / "told").read_text().strip() == f"--conf-file={tmp_path}/agent.cfg"


@pytest.mark.parametrize(
    ("status", "script", "expected"),
    [
        pytest.param(401, "exit 0", "was not believed", id="its password is not known"),
        pytest.param(200, "exit 3", "ended with code 3", id="it fails"),
        pytest.param(200, "exec sleep 30", "did not end", id="it hangs"),
    ],
)
async def test_what_went_wrong_with_the_agent_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, status: int, script: str, expected: str
) -> None:
    monkeypatch.setattr(real_agent, "BELIEVED_SECONDS", 0.6)
    monkeypatch.setattr(real_agent, "RUN_SECONDS", 0.5)

    assert expected in await told(monkeypatch, tmp_path, status=status, script=script)


def envelope(source: str, data: Event, tenant: str) -> Envelope:
    return Envelope(
        id=uuid4(), source=source, subject="x", time=AT, received=AT, tenant=ids.tenant_id(tenant), data=data
    )


def everything(source: str, tenant: str) -> Seen:
    """Return one of everything that a subscriber sees of a source's device."""
    asset = AssetChanged(
        asset=source,
        source=source,
        device="1",
        hostname="x",
        os_family=OsFamily.LINUX,
        tier=Tier.SERVER,
        first_seen_at=AT,
        last_seen_at=AT,
    )
    changed = ObligationStateChanged(
        label=DeviceLabel(asset=source, source=source, device="1"),
        requirement="r",
        product="p",
        train="t",
        state=State.UNKNOWN,
        why="w",
        failures=0,
    )
    figure = FigurePublished(
        os_family=OsFamily.LINUX,
        tier=Tier.SERVER,
        severity=Severity.HIGH,
        as_of=AT,
        as_known=AT,
        population=0,
        counts={},
        percent=None,
        policy="p",
        catalog="c",
        tzdata="t",
    )
    return Seen(
        webhooks=Counter({(source, b"{}"): 1}),
        events=[envelope(source, DeviceSeen(device="1"), tenant)],
        assets={source: envelope("patchline/inventory", asset, tenant)},
        obligations={(source, "r"): envelope("patchline/compliance", changed, tenant)},
        figures={source: envelope("patchline/compliance", figure, tenant)},
    )


def both() -> Seen:
    one, other = everything(DAY, "Acme"), everything(SOURCE, CLIENT)
    return Seen(
        webhooks=one.webhooks + other.webhooks,
        events=one.events + other.events,
        assets=one.assets | other.assets,
        obligations=one.obligations | other.obligations,
        figures=one.figures | other.figures,
    )


def test_the_day_is_judged_without_this_machine() -> None:
    stored = Stored(obligations={}, parked=[], unknown_codes={}, silent=[])

    rest = the_day(Found(sent=[], seen=both(), stored=stored, issues=[])).seen

    assert set(rest.webhooks) == {(DAY, b"{}")}
    assert [each.source for each in rest.events] == [DAY]
    assert (set(rest.assets), set(rest.obligations), set(rest.figures)) == ({DAY}, {(DAY, "r")}, {DAY})
