"""An inventory agent at the running product: typed in, asked for its password, and its applications are there."""

import asyncio
import json
import zlib
from collections.abc import Callable
from datetime import timedelta

import httpx

from tests.flow.world import FIXED_BUILD, OLD_BUILD, SERVER, World, run_cli, until
from tests.gateway.agent_reports import CONTENT, PROLOG, xml_report

CLIENT = "Acme"


def test_a_report_over_the_agents_route_becomes_an_asset_with_applications(world: World) -> None:
    post = agents_of(world, CLIENT, "acme")

    answer = post(report(world))

    assert b"NO_ACCOUNT_UPDATE" in zlib.decompress(answer.content)
    found = until("the applications", lambda: shown(world, "agent-7"))
    assert [(each["name"], each["version"]) for each in found] == [("bash", "5.2"), ("openssl", "3.0.15-1")]
    [asset] = [each for each in world.cli("asset", "list") if each["hostname"] == "agent-7"]
    assert (asset["client"], asset["source"], asset["os_build"]) == (CLIENT, "rmm/glpi-agent/acme", "6.1.0-28-amd64")
    assert asset["last_boot_at"] is not None


def test_an_agent_that_is_not_believed_leaves_nothing(world: World) -> None:
    url = f"{world.stack.around.gateway_url}/agents/glpi-agent/acme"

    assert posted(url, report(world), ("acme", "wrong")).status_code == 401


def test_an_agent_beside_an_rmm_is_its_second_witness_once_both_are_one_machine(world: World) -> None:
    """The RMM only says that it installed the update and is never asked again; the agent reads the build."""
    world.add_client("Witness")
    post = agents_of(world, "Witness", "witness")
    enrol_with_serial(world, "wit-dc01", client="Witness")
    world.send("patch.install_failed", "wit-dc01", client="Witness", patch=world.patch(), code="0x80070643")
    until("the ticket", lambda: world.issues_of("Witness"))
    post(server_report(world, OLD_BUILD))
    found = until("the suggestion", lambda: world.cli("asset", "suggest"), seconds=30)
    one, other = (each["asset"] for each in found if each["serial"] == "sn-wit-dc01")

    [merged] = world.cli("asset", "merge", one, other, "--why", "an agent on the same server")
    world.send("patch.install_reported", "wit-dc01", client="Witness", patch=world.patch())
    until("the claim", lambda: state_of(world, merged["surviving"]) in {"PENDING_REBOOT", "REPORTED_UNVERIFIED"})
    post(server_report(world, FIXED_BUILD))

    until("the proof", lambda: state_of(world, merged["surviving"]) == "VERIFIED")
    rows = asyncio.run(world.rows(WITNESSES, merged["surviving"]))
    assert {row["source"] for row in rows} == {"rmm/glpi-agent/witness"}
    until("the ticket's end", lambda: [each["status"]["name"] for each in world.issues_of("Witness")] == ["resolved"])
    [asset] = world.cli("asset", "list", "--client", "Witness")
    assert (asset["asset"], len(asset["members"])) == (merged["surviving"], 2)


WITNESSES = "SELECT source FROM compliance.witness WHERE asset_id = $1::text::uuid AND saw LIKE 'read%3091'"
STATES = "SELECT state FROM compliance.obligation WHERE asset_id = $1::text::uuid AND product = $2"


def state_of(world: World, asset: str) -> str | None:
    """Return the state of the server update on an asset."""
    rows = asyncio.run(world.rows(STATES, asset, SERVER))
    return str(rows[0]["state"]) if rows else None


def enrol_with_serial(world: World, device: str, *, client: str) -> None:
    facts = {"hostname": device.upper(), "os_name": SERVER, "os_build": OLD_BUILD, "serial": f"SN-{device.upper()}"}
    world.send("device.seen", device, client=client, facts={**facts, "os_family": "windows", "tier": "server"})
    world.send("patch.detected", device, client=client, patch=world.patch(), scanned_at=world.now().isoformat())


def server_report(world: World, build: str) -> str:
    """Return an agent's report of the server of that serial number, which started an hour ago."""
    now = world.now()
    system = {
        "full_name": "Microsoft Windows Server 2022 Standard",
        "kernel_name": "MSWin32",
        "kernel_version": build,
        "boot_time": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "timezone": {"name": "UTC", "offset": "+0000"},
    }
    logged = {"logdate": f"{now - timedelta(seconds=5):%Y-%m-%d %H:%M:%S}"}
    told = {"operatingsystem": system, "accesslog": logged, "bios": {"ssn": "SN-WIT-DC01"}}
    return xml_report({**told, "hardware": {"name": "wit-dc01"}})


def agents_of(world: World, client: str, name: str) -> Callable[[str], httpx.Response]:
    """Return how an agent of a new source of this client posts a report."""
    added = world.cli("source", "add", "glpi-agent", name)[0]
    url, login = added["url"] or "", (added["user"], added["secret"])
    url = url if url.startswith("http") else f"{world.stack.around.gateway_url}{url}"
    world.cli("client", "map", client, f"glpi-agent/{name}", name)
    until("the password is believed", lambda: posted(url, PROLOG, login).status_code == 200, seconds=15)
    return lambda message: posted(url, message, login).raise_for_status()


def report(world: World) -> str:
    """Return a report of a machine that started yesterday, by the clock of the stack."""
    now = world.now()
    system = CONTENT["operatingsystem"] | {
        "boot_time": f"{now - timedelta(days=1):%Y-%m-%d %H:%M:%S}",
        "timezone": {"name": "UTC", "offset": "+0000"},
    }
    logged = {"logdate": f"{now - timedelta(seconds=20):%Y-%m-%d %H:%M:%S}"}
    return xml_report({"operatingsystem": system, "accesslog": logged, "hardware": {"name": "agent-7"}})


def posted(url: str, message: str, login: tuple[str, str]) -> httpx.Response:
    return httpx.post(url, content=zlib.compress(message.encode()), auth=login, timeout=10, trust_env=False)


def shown(world: World, device: str) -> list[dict[str, str]]:
    """Return the applications of a device; none while there is no such device."""
    done = run_cli(world.stack.home, "asset", "show", device, "--applications", "--json")
    return [] if done.returncode else list(json.loads(done.stdout))
