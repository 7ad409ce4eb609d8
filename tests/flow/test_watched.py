"""A client's policy, applied at the command line: from then on a restart that nobody agreed to is an incident."""

from datetime import timedelta
from pathlib import Path

from tests.flow.world import World, until

POLICY = """
client: Larch
valid_from: 2025-01-01T00:00:00+01:00
zone: Europe/Rome
sla: [{due: P30D}]
windows:
  sundays: {rule: "FREQ=WEEKLY;BYDAY=SU", start: "02:00", duration: PT4H, first_day: 2025-01-05}
deployment: {server: {any_time: true}}
reboot: {server: {kind: scheduled, windows: [sundays]}}
monitors: {updates_installed: {on: true}}
"""


def test_a_restart_that_nobody_agreed_to_becomes_a_ticket_and_a_late_consent_excuses_it(
    world: World, tmp_path: Path
) -> None:
    world.add_client("Larch")
    file = tmp_path / "larch.yaml"
    file.write_text(POLICY)
    world.cli("policy", "apply", str(file), "--reason", "agreed", "--accept-infeasible", "a test of restarts")
    world.enrol("larch-1", client="Larch")
    at = world.now()
    world.send("patch.install_reported", "larch-1", client="Larch", at=at - timedelta(seconds=2), patch=world.patch())
    world.send("device.booted", "larch-1", client="Larch", at=at, booted_at=at.isoformat())

    [restart] = until("the restart", lambda: world.cli("monitor", "reboots", "--client", "Larch"))
    assert (restart["verdict"], restart["machine"]) == ("surprise", "LARCH-1")
    until("a ticket", lambda: [t for t in _tickets(world) if t["devices"] == 1])

    agreed_at = at - timedelta(seconds=1)
    world.send("reboot.consented", "larch-1", client="Larch", at=agreed_at, by="front desk")

    until("another verdict", lambda: world.cli("monitor", "reboots", "--client", "Larch", "--verdict", "consented"))


def _tickets(world: World) -> list[dict[str, object]]:
    return [
        each for each in world.cli("ticket", "list") if (each["client"], each["kind"]) == ("Larch", "reboot_surprise")
    ]
