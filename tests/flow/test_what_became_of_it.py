"""What an operator asks of the running product: does it balance, and where did this one webhook go?"""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from patchline.stack.programs import PROGRAMS
from tests.flow.world import World, run_cli, until

[AUDITOR] = [each for each in PROGRAMS if each.name == "auditor"]


@pytest.fixture(scope="module", autouse=True)
def _believed(world: World) -> None:
    """Wait until the gateway knows the source."""
    until("the source is believed", lambda: _is_believed(world), seconds=15)


def _is_believed(world: World) -> bool:
    try:
        world.send("device.seen", "first-journey")
    except AssertionError:
        return False
    return True


def _hops(tree: dict[str, Any]) -> list[dict[str, Any]]:
    return [tree, *(hop for each in tree["then"] for hop in _hops(each))]


def _journey(world: World, asked: str) -> list[dict[str, Any]]:
    done = run_cli(world.stack.home, "journey", asked, "--json")
    trees: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
    return trees


def _ticket_of(trees: list[dict[str, Any]]) -> dict[str, Any] | None:
    hops = [hop for tree in trees for hop in _hops(tree) if "ticket" in hop and hop["number"]]
    return hops[0] if hops else None


def test_a_failed_update_is_followed_from_its_delivery_to_the_trackers_number_and_back(world: World) -> None:
    world.enrol("way01")
    sent = world.send("patch.install_failed", "way01", patch=world.patch(), code="0x800f0922")

    hop = until("a ticket", lambda: _ticket_of(_journey(world, sent.id)), seconds=120)
    [tree] = _journey(world, sent.id)

    [translated] = [each for each in _hops(tree) if each["what"] == "translated"]
    assert (tree["delivery"], translated["type"]) == (sent.id, "patch.install_failed.v1")
    assert hop["number"] in {issue["id"] for issue in world.issues()}
    assert [each["what"] for each in _hops(tree)][:4] == ["received", "written", "translated", "published"]
    assert all(each["after_seconds"] >= -1 for each in _hops(tree) if each["after_seconds"] is not None)
    assert [each["raw_id"] for each in _journey(world, translated["event"])] == [tree["raw_id"]]
    assert _ticket_of(_journey(world, hop["number"]))
    drawn = run_cli(world.stack.home, "journey", tree["raw_id"]).stdout
    steps = ["received", "written", "translated", "published", "compliance: kept", "-> FAILED", "ticket:"]
    assert [drawn.index(step) for step in steps] == sorted(drawn.index(step) for step in steps)


def test_a_failure_that_was_there_before_its_device_is_followed_to_its_ticket_too(world: World) -> None:
    own = "Hooli"  # whose first ticket it is
    world.add_client(own)
    sent = world.send("patch.install_failed", "way03", client=own, patch=world.patch(), code="0x800f0922")
    until("it is kept", lambda: any(hop["what"] == "compliance: kept" for hop in _ways(world, sent.id)))
    world.enrol("way03", client=own)

    hop = until("a ticket", lambda: _ticket_of(_journey(world, sent.id)))

    [change] = [hop for hop in _ways(world, sent.id) if hop["what"].startswith("obligation")]
    assert sent.id in {each.get("delivery") for each in _ways(world, hop["number"])}
    assert change["what"].endswith("-> FAILED")
    assert change["waited_for"]


def _ways(world: World, asked: str) -> list[dict[str, Any]]:
    return [hop for tree in _journey(world, asked) for hop in _hops(tree)]


def test_what_could_not_be_understood_says_why(world: World) -> None:
    sent = world.send("patch.install_failed", "way02", patch={"kb": "not a number"})

    refused = until(
        "a dead letter",
        lambda: [hop for hop in _ways(world, sent.id) if hop["what"] == "dead-lettered"],
    )

    assert refused[0]["group"] == "gateway"
    assert refused[0]["reason"]


@pytest.mark.parametrize("asked", ["00000000-0000-7000-8000-000000000000", "msg_never_sent"])
def test_what_is_unknown_is_an_answer_too(asked: str, world: World) -> None:
    done = run_cli(world.stack.home, "journey", asked)

    assert done.returncode == 1
    assert "nothing is known" in done.stderr


LOOKED = re.compile(r"^patchline_audit_looked\{", re.MULTILINE)
GROUPS = {"gateway", "inventory", "compliance", "ticketing", "credentials"}
"""What the standing audit judges; of credentials there is nothing to balance as long as no feed names anybody."""


def test_everything_that_happened_here_balances(world: World) -> None:
    world.deliver(world.send("device.seen", "way04"))

    report = until("all is judged", lambda: (found := _audit(world))["verdict"] == "balanced" and found)

    assert report["gaps"] == 0
    assert set(report["judged"]) == GROUPS
    assert GROUPS - {"credentials"} <= {each["group"] for each in report["balances"]} <= GROUPS


def _audit(world: World) -> dict[str, Any]:
    done = run_cli(world.stack.home, "audit", "flow", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_standing_auditor_tells_prometheus(world: World) -> None:
    url = f"{world.stack.around.health_url(AUDITOR)}/metrics"

    page = until(
        "every group was judged",
        lambda: (
            (text := httpx.get(url, trust_env=False).text).count("\npatchline_audit_looked{") == len(GROUPS) and text
        ),
    )

    gaps = re.findall(r'^patchline_audit_gap\{.*group="(\w+)".*\} (.*)$', page, flags=re.MULTILINE)
    assert {group for group, _ in gaps} >= GROUPS
    assert {float(value) for _, value in gaps} == {0.0}


PLANTED = {
    "a webhook signature": "v1,UGxhbnRlZFNpZ25hdHVyZUluTG9nczEyMzQ1Njc4OTA=",
    "a webhook secret": "whsec_UGxhbnRlZFNlY3JldEluTG9ncw==",
    "a token": "planted-token-4f1d",
    "a directory's password": "Planted-Samba-1",
    "a line of a body": "planted words of a body",
}


def test_a_bundle_holds_what_helps_and_no_secret(world: World, tmp_path: Path) -> None:
    home = world.stack.home
    world.send("patch.install_failed", "way05", patch={"kb": PLANTED["a line of a body"]})
    directories = world.stack.around.directory_secrets
    directories.mkdir(exist_ok=True)
    (directories / "acme-ad").write_text(PLANTED["a directory's password"])
    with (home / "logs" / "inventory.log").open("a") as log:
        log.write(PLANTED["a directory's password"] + " was refused\n")
        for word in PLANTED.values():
            log.write(json.dumps({"level": "error", "message": "planted", "body": word, "reason": f"'{word}'"}) + "\n")
        log.write(f"Bearer {PLANTED['a token']} {PLANTED['a webhook signature']} {PLANTED['a webhook secret']}\n")

    files = _bundle(world, tmp_path / "bundle.tar.gz")

    kept = [path.read_text().strip() for path in (home / "secrets").rglob("*") if path.is_file()]
    secrets = [*PLANTED.values(), *kept, world.secret, world.secret.removeprefix("whsec_")]
    found = {secret: [name for name, text in files.items() if secret in text] for secret in secrets}
    assert {secret: names for secret, names in found.items() if names} == {}
    assert "planted" in files["logs/inventory.log"]
    assert [each["part"] for each in json.loads(files["manifest.json"])["parts"] if not each["ok"]] == []
    assert {row["group"] for row in json.loads(files["groups.json"])} >= GROUPS
    assert {row["schema"] for row in json.loads(files["database/migrations.json"])} >= GROUPS
    assert json.loads(files["audit.json"])["gaps"] == 0
    assert files["processes/auditor/metrics.txt"].startswith("200")


def _bundle(world: World, path: Path) -> dict[str, str]:
    health = f"auditor={world.stack.around.health_url(AUDITOR)}"
    done = run_cli(world.stack.home, "diagnose", "--output", str(path), "--process", health)
    assert done.returncode == 0, done.stderr
    with tarfile.open(path) as archive:
        members = [(each.name.partition("/")[2], archive.extractfile(each)) for each in archive.getmembers()]
        return {name: content.read().decode() for name, content in members if content is not None}
