"""Debian's own agents against the real door: asked who they are, asked for an inventory, understood, twice in a row."""

import asyncio
import base64
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from contracts.events import rmm
from contracts.events.event import OsFamily
from patchline.local import ports
from services.gateway.vendors import agent
from services.gateway.vendors.translation import Translation
from tests.gateway.agent_reports import facts_of, listing_of
from tests.gateway.doors import OpenDoor, RawTopic, open_door, raw_topic
from tests.gateway.held import opened
from tests.gateway.test_agents import AGENTS, KEY, PASSWORD, PATH

FUSION = "/usr/bin/fusioninventory-agent"
FUSION_STATE = "/var/lib/fusioninventory-agent"
OCS = "/usr/bin/ocsinventory-agent"
OCS_CONFIG = "/usr/share/perl5/Ocsinventory/Agent/Config.pm"

needs_fusion = pytest.mark.skipif(
    not (shutil.which(FUSION) and os.access(FUSION_STATE, os.W_OK)),
    reason="needs Debian's fusioninventory-agent, and the right to write its state",
)
needs_ocs = pytest.mark.skipif(not Path(OCS_CONFIG).exists(), reason="needs Debian's ocsinventory-agent")


@pytest.fixture(scope="module")
async def door(kafka: str) -> AsyncIterator[OpenDoor]:
    async with open_door(kafka, sources=AGENTS) as door:
        yield door


@pytest.fixture
async def raw(kafka: str) -> AsyncIterator[RawTopic]:
    async with raw_topic(kafka) as topic:
        yield topic


async def ran(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what an agent said; it must not take long."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(120):
        said, _ = await process.communicate()
    return said.decode(errors="replace")


async def fusion(door: OpenDoor, *options: str, password: str = PASSWORD) -> str:
    return await ran(
        FUSION,
        f"--server=http://{ports.LOOPBACK}:{door.port}{PATH}",
        "--user=acme",
        f"--password={password}",
        "--force",
        "--no-httpd",
        "--no-category=process,environment",
        "--logger=stderr",
        *options,
    )


async def ocs(door: OpenDoor, folder: Path) -> str:
    """Run OCS's agent with a configuration of its own: the one in /etc writes to a file. It wants logins in base64."""
    config = await asyncio.to_thread(Path(OCS_CONFIG).read_text)
    mended = folder / "lib" / "Ocsinventory" / "Agent" / "Config.pm"
    mended.parent.mkdir(parents=True)
    mended.write_text(config.replace("'/etc/ocsinventory'", f"'{folder}'"))
    (folder / "ocsinventory-agent.cfg").write_text("")
    (folder / "state").mkdir()
    return await ran(
        OCS,
        f"--server=http://{ports.LOOPBACK}:{door.port}{PATH}",
        f"--basevardir={folder / 'state'}",
        f"--user={base64.b64encode(b'acme').decode()}",
        f"--password={base64.b64encode(PASSWORD.encode()).decode()}",
        "--realm=patchline",
        "--debug",
        "--tag=birch",
        environment={"PERL5LIB": str(folder / "lib")},
    )


async def understood(raw: RawTopic) -> list[Translation]:
    """Return what the adapter makes of each record since the mark."""
    return [agent.translated(opened(record, KEY)) for record in await raw.standing()]


def hostname_and_kernel() -> tuple[str, str]:
    system = os.uname()
    return system.nodename.partition(".")[0], system.release


@needs_fusion
async def test_a_fusioninventory_agent_reports_this_machine_and_its_boot(door: OpenDoor, raw: RawTopic) -> None:
    said = await fusion(door, "--tag=birch")

    [translation] = await understood(raw)
    name, kernel = hostname_and_kernel()
    facts = facts_of(translation.said)
    assert (facts.hostname, facts.os_family, facts.os_build) == (name, OsFamily.LINUX, kernel), said
    [booted] = [each.event for each in translation.said if isinstance(each.event, rmm.DeviceBooted)]
    age_seconds = (translation.said[0].time - booted.booted_at).total_seconds()
    assert -60 < age_seconds - time.clock_gettime(time.CLOCK_BOOTTIME) < 3600 + 60, "an hour earlier after some Sundays"
    assert listing_of(translation.said).complete
    assert any(each.name == "fusioninventory-agent" for each in listing_of(translation.said).applications)
    assert {each.event.organisation for each in translation.said} == {"birch"}
    assert translation.problems == ()


@needs_fusion
async def test_the_next_report_of_a_machine_is_the_same_machine_and_the_same_boot(
    door: OpenDoor, raw: RawTopic
) -> None:
    await fusion(door)
    await asyncio.sleep(1.1)  # the agent writes the moment of a report to the second
    await fusion(door)

    one, other = await understood(raw)
    boots = [[each.id for each in told.said if isinstance(each.event, rmm.DeviceBooted)] for told in (one, other)]
    assert {each.event.device for told in (one, other) for each in told.said} == {one.said[0].event.device}
    assert len({*boots[0], *boots[1]}) <= 2, "on the edge of a minute it is two at most"
    assert len(boots[0]) == len(boots[1]) == 1
    assert one.said[0].id != other.said[0].id


@needs_fusion
@pytest.mark.parametrize("option", ["--no-compression"])
async def test_an_agent_that_packs_nothing_is_understood_too(door: OpenDoor, raw: RawTopic, option: str) -> None:
    await fusion(door, option)

    [translation] = await understood(raw)
    assert len(translation.said) == 3


@needs_fusion
async def test_an_agent_with_a_wrong_password_leaves_nothing(door: OpenDoor, raw: RawTopic) -> None:
    said = await fusion(door, password="wrong")

    assert await raw.standing() == []
    assert "wrong credentials" in said


@needs_ocs
async def test_an_ocs_agent_reports_what_it_knows(door: OpenDoor, raw: RawTopic, tmp_path: Path) -> None:
    said = await ocs(door, tmp_path)

    found = await understood(raw)
    assert len(found) == 1, said[-3000:]
    [translation] = found
    name, _ = hostname_and_kernel()
    facts = facts_of(translation.said)
    assert (facts.hostname, facts.os_family, facts.os_build) == (name, OsFamily.LINUX, None), said
    assert any(each.name == "ocsinventory-agent" for each in listing_of(translation.said).applications)
    assert not [each for each in translation.said if isinstance(each.event, rmm.DeviceBooted)]
    assert {each.event.organisation for each in translation.said} == {"birch"}
