"""Whether a policy can be met: the playbook's own table, and what windows, restarts, rings and holds cost."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.strict_yaml import DocumentRefused
from contracts.events.event import Severity, Tier
from services.compliance.policies.lint import lint_of
from services.compliance.policies.reading import policy_of
from services.compliance.policies.rules_feasible import From, Measure, Verdict
from services.compliance.policies.rules_lint import record
from tests.compliance.policies.linted import NOW, linted, playbook, proof, small

HOURS = timedelta(hours=1)
DAILY = {"nightly": {"rule": "FREQ=DAILY", "start": "22:00", "duration": "PT6H"}}
RINGS = {"stages": [{"name": "canary", "share": 5, "soak": "P1D"}, {"name": "production"}]}


def warned(found: Any) -> list[str]:
    return [each.about for each in found.warnings]


def test_the_playbooks_servers_are_85_hours_late_when_the_proof_needs_the_restart() -> None:
    found = proof(playbook(), Measure.VERIFICATION, row="core servers")

    assert found.verdict is Verdict.NOT_MET
    assert found.worst.late == 85 * HOURS
    assert found.worst.released_at == datetime(2027, 1, 12, 18, tzinfo=UTC)
    assert found.worst.met_at == datetime(2027, 1, 17, 7, tzinfo=UTC)
    assert found.worst.due_at == datetime(2027, 1, 13, 18, tzinfo=UTC)


def test_the_playbooks_servers_can_be_met_for_deployment() -> None:
    found = proof(playbook(), Measure.DEPLOYMENT, row="core servers")

    assert found.verdict is Verdict.MET
    assert found.worst.late == -24 * HOURS


def test_the_playbooks_servers_are_the_one_infeasible_row_with_rings_and_without() -> None:
    with_rings, without = playbook(), playbook(without="rings")

    assert [each.cell.rule.id for each in with_rings.infeasible] == ["core servers, critical"]
    assert [each.cell.rule.id for each in without.infeasible] == ["core servers, critical"]
    assert [each.with_rings for each in with_rings.infeasible] == [True]
    assert not any(each.with_rings for each in without.proofs)


def test_the_soak_comes_on_top_and_is_shown_apart() -> None:
    found = playbook()

    alone = proof(found, Measure.DEPLOYMENT, row="core servers")
    after_rings = proof(found, Measure.DEPLOYMENT, with_rings=True, row="core servers")

    assert alone.worst.late == -24 * HOURS
    assert after_rings.worst.late == 48 * HOURS
    assert after_rings.waits_for == ("the service manager lets it on from pilot",)


def test_a_release_at_any_instant_may_just_miss_the_window_in_the_longest_week() -> None:
    found = proof(playbook(without="rings"), Measure.VERIFICATION, From.ANY_INSTANT, row="core servers")

    assert found.worst.released_at == datetime(2027, 10, 31, 10, tzinfo=UTC)
    assert found.worst.met_at == datetime(2027, 11, 7, 7, tzinfo=UTC)
    assert found.worst.late == (169 - 4 - 24) * HOURS


def test_a_restart_that_somebody_must_approve_depends_on_him() -> None:
    found = proof(playbook(without="rings"), Measure.VERIFICATION, row="do not disrupt")

    assert found.verdict is Verdict.DEPENDS
    assert found.waits_for == ("the client's owner approves the restart",)


def test_the_cells_that_the_playbook_leaves_empty_are_named() -> None:
    empty = set(playbook().empty)

    assert (Tier.SERVER, Severity.HIGH) in empty
    assert (Tier.SERVER, Severity.CRITICAL) not in empty
    assert (Tier.WORKSTATION, Severity.CRITICAL) not in empty
    assert {severity for tier, severity in empty if tier is Tier.KIOSK} == set(Severity)
    assert {severity for tier, severity in empty if tier is Tier.DO_NOT_DISRUPT} == {
        Severity.CRITICAL,
        Severity.HIGH,
        Severity.UNKNOWN,
    }


@pytest.mark.parametrize(
    ("zone", "late"),
    [
        ("America/New_York", 85),
        ("America/Los_Angeles", 88),
        ("America/Phoenix", 88),
        ("Europe/Berlin", 80),
        ("UTC", 81),
    ],
)
def test_where_the_client_is_decides_by_how_much(zone: str, late: int) -> None:
    found = proof(playbook(zone=zone, without="rings"), Measure.VERIFICATION, row="core servers")

    assert found.worst.late == late * HOURS


LATE: dict[str, tuple[dict[str, Any], int]] = {
    "restart at once": ({"reboot": {"server": {"kind": "immediately", "immediately_accepted_by": "Dana"}}}, -24),
    "a window each night": (
        {"windows": DAILY, "reboot": {"server": {"kind": "scheduled", "windows": ["nightly"]}}},
        -15,
    ),
    "sent at night and restarted in the same window": (
        {
            "windows": DAILY,
            "deployment": {"server": {"windows": ["nightly"]}},
            "reboot": {"server": {"kind": "scheduled", "windows": ["nightly"]}},
        },
        -15,
    ),
    "held for two days": (
        {
            "windows": DAILY,
            "rings": {"hold": "P2D"},
            "reboot": {"server": {"kind": "scheduled", "windows": ["nightly"]}},
        },
        33,
    ),
    "a user who puts it off to the end": (
        {"reboot": {"server": {"kind": "user_prompted", "notice": "PT4H", "deadline": "PT30H"}}},
        6,
    ),
    "an answer that was agreed": (
        {"reboot": {"server": {"kind": "manual_approval", "by": "Dana", "answer_within": "PT20H"}}},
        -4,
    ),
    "a minute before the notice fits": (
        {"reboot": {"server": {"kind": "scheduled", "windows": ["sunday"], "notice": "PT114H"}}},
        253,
    ),
}


@pytest.mark.parametrize(("parts", "late"), LATE.values(), ids=LATE.keys())
def test_how_late_it_is(parts: dict[str, Any], late: int) -> None:
    found = proof(linted(**parts), Measure.VERIFICATION)

    assert found.worst.late == late * HOURS


def test_the_last_ring_waits_for_every_soak() -> None:
    found = linted(rings=RINGS, windows=DAILY, reboot={"server": {"kind": "scheduled", "windows": ["nightly"]}})

    assert proof(found, Measure.VERIFICATION).worst.late == -15 * HOURS
    assert proof(found, Measure.VERIFICATION, with_rings=True).worst.late == 9 * HOURS
    assert not found.is_feasible


def test_rings_of_other_tiers_cost_these_nothing() -> None:
    found = linted(rings={**RINGS, "tiers": ["workstation"]})

    assert not any(each.with_rings for each in found.proofs)


NEVER: dict[str, dict[str, Any]] = {
    "nobody said how servers restart": {"reboot": {}},
    "nobody said when packages are sent": {"deployment": {}},
    "an empty window": {"windows": {"sunday": {}}},
    "a window that ends": {
        "windows": {
            "sunday": {"rule": "FREQ=WEEKLY;BYDAY=SU;UNTIL=20261231T000000Z", "start": "02:00", "duration": "PT4H"}
        }
    },
}


@pytest.mark.parametrize("parts", NEVER.values(), ids=NEVER.keys())
def test_what_is_left_open_means_never(parts: dict[str, Any]) -> None:
    found = linted(**parts)

    assert proof(found, Measure.VERIFICATION).worst.late is None
    assert not found.is_feasible
    assert record(found)["feasible"] is False


def test_an_empty_window_is_told_and_a_malformed_one_refused() -> None:
    assert "empty_window" in warned(linted(windows={"sunday": {}}))
    with pytest.raises(DocumentRefused, match=r"windows\.sunday\.rule"):
        policy_of(small(windows={"sunday": {"rule": "FREQ=SOMETIMES", "start": "02:00", "duration": "PT4H"}}))


def test_a_window_in_a_change_of_the_clocks_is_told_with_its_dates() -> None:
    [text] = [each.text for each in linted().warnings if each.about == "clock_change"]

    assert "2027-03-14" in text
    assert "2028-03-12" in text


def test_a_window_shorter_than_an_installation_is_told() -> None:
    document, presets = policy_of(small())

    short = lint_of(document, presets, now=NOW, install=timedelta(hours=5))
    long = lint_of(document, presets, now=NOW, install=timedelta(hours=4))

    assert "window_shorter_than_install" in warned(short)
    assert "window_shorter_than_install" not in warned(long)


def test_an_installation_takes_its_time_before_the_restart() -> None:
    document, presets = policy_of(small(reboot={"server": {"kind": "immediately", "immediately_accepted_by": "Dana"}}))

    found = lint_of(document, presets, now=NOW, install=timedelta(minutes=40))

    assert proof(found, Measure.VERIFICATION).worst.late == timedelta(minutes=40) - 24 * HOURS
    assert proof(found, Measure.DEPLOYMENT).worst.late == -24 * HOURS


def test_exceptions_that_a_regime_does_not_know_are_told() -> None:
    found = linted(regimes=[{"preset": "ce-3.3-danzell"}])

    assert "exceptions_not_allowed" in warned(found)


def test_a_hold_that_begins_anew_is_told() -> None:
    assert "hold_restarts" in warned(linted(rings={"hold": "P2D", "hold_restarts": True}))
    assert "hold_restarts" not in warned(linted(rings={"hold": "P2D"}))


def test_a_soak_longer_than_the_deadline_is_told() -> None:
    rings = {"stages": [{"name": "canary", "share": 5, "soak": "P2D"}, {"name": "production"}]}

    assert "soak_longer_than_sla" in warned(linted(rings=rings))
    assert "soak_longer_than_sla" not in warned(linted(rings=RINGS))


def test_a_release_off_the_calendar_that_is_too_late_is_a_warning_alone() -> None:
    found = linted(sla=[{"tiers": ["server"], "due": "P5D"}])

    assert found.is_feasible
    assert "late_out_of_band" in warned(found)


def test_a_clock_that_begins_with_the_detection_knows_no_calendar() -> None:
    found = linted(sla=[{"tiers": ["server"], "due": "P5D", "clock_start": "detection"}])

    assert {each.of for each in found.proofs} == {From.ANY_INSTANT}
    assert not found.is_feasible


def test_evidence_comes_before_the_patch() -> None:
    found = linted(sla=[], regimes=[{"preset": "cisa-bod-26-04"}])
    servers = [each for each in found.proofs if each.cell.tier is Tier.SERVER and each.measure is Measure.DEPLOYMENT]
    sent = {each.cell.rule.extra: each.worst for each in servers}

    assert [moment.what for moment in sent["forensic_triage",].moments] == ["evidence captured", "sent"]
    assert [moment.what for moment in sent[()].moments] == ["sent"]


def test_a_hold_and_the_capture_of_evidence_run_side_by_side() -> None:
    found = linted(sla=[], regimes=[{"preset": "cisa-bod-26-04"}], rings={"hold": "P2D"})
    [way, *_] = [each.worst for each in found.proofs if each.cell.rule.extra and each.cell.tier is Tier.SERVER]

    assert [moment.what for moment in way.moments] == ["held back until", "sent"]


def test_a_row_that_promises_the_deployment_is_decided_by_it_and_the_verification_is_told() -> None:
    row = {"tiers": ["server"], "severities": ["critical"], "due": "PT24H"}

    deployment = linted(sla=[{**row, "measure": "deployment"}])
    verification = linted(sla=[{**row, "measure": "verification"}])

    assert deployment.is_feasible
    [text] = [each.text for each in deployment.warnings if each.about == "verification_late"]
    assert "overdue by 85 h" in text
    assert not verification.is_feasible
    assert "verification_late" not in warned(verification)
