"""An inventory agent beside an RMM: a witness of its own, once inventory says that both speak of one machine."""

from datetime import datetime, timedelta

from contracts import ids
from contracts.envelope import Envelope
from contracts.topics import Lane
from services.gateway.translation import rules_translate
from tests.builders import ACME, delivery
from tests.compliance.house import House, asset_changed
from tests.compliance.stories import JAN_BUILD, OLD, A, gone, hour, listed, reported
from tests.gateway.agent_reports import DEVICE, SOURCE, json_report, said

AGENT_ASSET = str(ids.asset_id(SOURCE, DEVICE))
SERVERS = str(ids.asset_id(A, "dc01"))


def report(at: float, *, build: str, booted: datetime) -> list[Envelope]:
    """Return what a real report becomes: of a server with this build, started then, received at that hour."""
    received = hour(at)
    system = {
        "full_name": "Microsoft Windows Server 2022 Standard",
        "kernel_name": "MSWin32",
        "kernel_version": f"10.0.{build}",
        "boot_time": f"{booted:%Y-%m-%d %H:%M:%S}",
        "timezone": {"name": "UTC", "offset": "+0000"},
    }
    body = json_report({"operatingsystem": system, "accesslog": {"logdate": f"{received:%Y-%m-%d %H:%M:%S}"}})
    raw = delivery(body, vendor="glpi-agent", source=SOURCE, received=received)
    told = [rules_translate.Told(0, raw, each, received) for each in said(body, received=received)]
    return [rules_translate.envelope(each, ACME, Lane.LIVE) for each in told]


def joined() -> Envelope:
    """Return inventory's word that the agent speaks of the RMM's server."""
    return asset_changed(DEVICE, source=SOURCE, asset=SERVERS, sequence=2)


async def test_an_agents_reading_of_the_build_proves_what_the_deployer_claimed(house: House) -> None:
    await house.hear(asset_changed(), joined(), listed(0), reported(1))

    await house.hear(*report(3, build=JAN_BUILD, booted=hour(2)))

    assert await house.state() == "VERIFIED"
    [transition] = await house.rows("SELECT source, method, saw FROM witness WHERE source = $1", SOURCE)
    assert transition["method"] == "webhook"


async def test_an_agents_boot_and_the_rmms_scan_prove_it_together(house: House) -> None:
    await house.hear(asset_changed(), joined(), listed(0), reported(1), gone(1.5))
    before = await house.state()

    await house.hear(*report(3, build="20348", booted=hour(2)))

    assert (before, await house.state()) == ("PENDING_REBOOT", "VERIFIED")


async def test_an_agent_that_reads_the_old_build_contradicts_the_claim(house: House) -> None:
    await house.hear(asset_changed(), joined(), listed(0), reported(1))

    await house.hear(*report(3, build=OLD, booted=hour(2)))

    assert await house.state() == "CONTRADICTED"


async def test_a_boot_before_the_claim_proves_nothing(house: House) -> None:
    await house.hear(asset_changed(), joined(), listed(0), reported(1), gone(1.5))

    await house.hear(*report(3, build="20348", booted=hour(1) - timedelta(minutes=5)))

    assert await house.state() == "PENDING_REBOOT"


async def test_without_inventorys_word_an_agent_speaks_of_another_machine(house: House) -> None:
    await house.hear(asset_changed(), asset_changed(DEVICE, source=SOURCE), listed(0), reported(1))

    await house.hear(*report(3, build=JAN_BUILD, booted=hour(2)))

    assert await house.state() == "PENDING_REBOOT"
    assert AGENT_ASSET != SERVERS
    assert set(await house.states(DEVICE, SOURCE)) == {"Windows Server 2022"}
