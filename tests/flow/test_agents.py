"""An inventory agent at the running product: typed in, asked for its password, and its applications are there."""

import json
import zlib
from datetime import timedelta

import httpx

from tests.flow.world import World, run_cli, until
from tests.gateway.agent_reports import CONTENT, PROLOG, xml_report

CLIENT = "Acme"


def test_a_report_over_the_agents_route_becomes_an_asset_with_applications(world: World) -> None:
    added = world.cli("source", "add", "glpi-agent", "acme")[0]
    url, login = added["url"] or "", (added["user"], added["secret"])
    url = url if url.startswith("http") else f"{world.stack.around.gateway_url}{url}"
    world.cli("client", "map", CLIENT, "glpi-agent/acme", "acme")
    until("the password is believed", lambda: posted(url, PROLOG, login).status_code == 200, seconds=15)

    answer = posted(url, report(world), login)

    assert b"NO_ACCOUNT_UPDATE" in zlib.decompress(answer.content)
    found = until("the applications", lambda: shown(world, "agent-7"))
    assert [(each["name"], each["version"]) for each in found] == [("bash", "5.2"), ("openssl", "3.0.15-1")]
    [asset] = [each for each in world.cli("asset", "list") if each["hostname"] == "agent-7"]
    assert (asset["client"], asset["source"], asset["os_build"]) == (CLIENT, "rmm/glpi-agent/acme", "6.1.0-28-amd64")
    assert asset["last_boot_at"] is not None


def test_an_agent_that_is_not_believed_leaves_nothing(world: World) -> None:
    url = f"{world.stack.around.gateway_url}/agents/glpi-agent/acme"

    assert posted(url, report(world), ("acme", "wrong")).status_code == 401


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
