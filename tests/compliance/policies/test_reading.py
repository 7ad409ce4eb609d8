"""A policy file is read strictly: what could not be followed as it is written is refused, by its field."""

import pytest

from chassis.strict_yaml import DocumentRefused
from contracts.events.event import OsFamily, Tier
from services.compliance.policies.commands import written
from services.compliance.policies.compile import compiled, digest_of, exception_terms, normalised, window_of
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.reading import policy_of
from services.compliance.policy import Days, Hours, Months, ProofClass
from tests.compliance.policies.files import WHOLE, file_of


def refused(**fields: object) -> str:
    with pytest.raises(DocumentRefused) as found:
        policy_of(file_of(**fields))
    return str(found.value)


def test_a_whole_file_becomes_a_policy() -> None:
    document, presets = policy_of(WHOLE)

    policy = compiled(document, presets)

    assert [regime.id for regime in policy.regimes] == ["client", "ce-3.3-danzell"]
    assert policy.regimes[0].rules[0].within == Hours(48)
    assert policy.zone == "America/New_York"
    assert policy.breach_tickets
    assert policy.reason_outside(train="x", product="LEGACY ERP", hostname=None) == "agreed on 3 November"
    assert policy.reason_outside(train="x", product="y", hostname="Lab01") == "the lab's own"
    assert policy.reason_outside(train="x", product="y", hostname="dc01") is None
    assert policy.evidence_on(OsFamily.LINUX).quorum == 2
    assert policy.evidence_on(OsFamily.LINUX).accepts == {ProofClass.BUILD, ProofClass.SECOND_SOURCE}
    assert policy.tags.exposed >= {"edge", "dmz"}
    assert policy.tags.rings["wave-0"] == "canary"
    assert policy.supported_until["Windows Server 2012 R2"].year == 2026


def test_what_is_left_out_has_its_default_and_what_is_kept_is_read_back_the_same() -> None:
    document, presets = policy_of(file_of())
    kept = normalised(document)

    back = PolicyDocument.model_validate(kept)

    assert back == document
    assert digest_of(back, presets) == digest_of(document, presets)
    assert not document.monitors.updates_failed.on
    assert document.missed_window.catch_up == "wait"
    assert document.deployment.get(Tier.SERVER) is None


def test_what_is_written_is_read_back_the_same() -> None:
    document, presets = policy_of(WHOLE)

    again, _ = policy_of(written(normalised(document)).encode())

    assert digest_of(again, presets) == digest_of(document, presets)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"kient": "x"}, "kient: there is no such field; did you mean client?", id="typo"),
        pytest.param(
            {"reboot": {"server": {"kind": "scheduled", "windows": [], "notise": "PT1H"}}},
            "reboot.server.scheduled.notise: there is no such field; did you mean notice?",
            id="typo within a choice",
        ),
        pytest.param({"zone": "EST"}, "zone: 'EST' is an abbreviation", id="a zone that never changes its clocks"),
        pytest.param({"zone": "Mars/Olympus"}, "zone: 'Mars/Olympus' is no time zone", id="no zone"),
        pytest.param({"valid_from": "2027-01-01"}, "valid_from: ", id="a day is no moment"),
        pytest.param(
            {"valid_until": "2024-01-01T00:00:00Z"}, "valid_until: it ends before it begins", id="ends before it begins"
        ),
        pytest.param(
            {"valid_from": "9999-12-31T23:59:59-05:00"}, "valid_from: write a moment from 1970", id="beyond calendars"
        ),
        pytest.param(
            {
                "windows": {
                    "w": {"rule": "FREQ=DAILY;COUNT=9", "first_day": "9999-01-01", "start": "02:00", "duration": "PT1H"}
                }
            },
            "windows.w.first_day: write a day from 1970",
            id="a first day beyond calendars",
        ),
        pytest.param({"regimes": [{"preset": "ce-3.3"}]}, "did you mean ce-3.3-danzell?", id="a preset misspelt"),
        pytest.param(
            {"regimes": [{"preset": "hipaa-nprm-2025"}]}, "is a proposal, not in force", id="a proposal, unsaid"
        ),
        pytest.param({"regimes": [{"preset": "cisa-bod-22-01"}]}, "was revoked", id="a revoked preset"),
        pytest.param(
            {"regimes": [{"preset": "hipaa-2013"}]},
            "these name no numbers; write your own in sla",
            id="no clock at all",
        ),
        pytest.param({"regimes": []}, "say at least one of regimes and sla", id="nothing"),
        pytest.param(
            {"sla": [{"due": "P1DT12H"}]}, "sla.0.due: P1DT12H: mixes exact hours with days", id="mixed durations"
        ),
        pytest.param({"sla": [{"due": "PT90M"}]}, "sla.0.due: PT90M: write whole hours", id="a clock of minutes"),
        pytest.param(
            {"windows": {"night": {"rule": "FREQ=SOMETIMES", "start": "02:00", "duration": "PT4H"}}},
            "windows.night.rule: ",
            id="a malformed rule",
        ),
        pytest.param(
            {"windows": {"night": {"rule": "FREQ=DAILY", "start": "02:00", "duration": "P1D"}}},
            "windows.night.duration: ",
            id="a window of calendar days",
        ),
        pytest.param(
            {"windows": {"night": {"rule": "FREQ=DAILY", "start": "26:00", "duration": "PT1H"}}},
            "windows.night.start: ",
            id="no time of day",
        ),
        pytest.param(
            {"deployment": {"server": {"windows": ["sunday"]}}},
            "windows: there is none called sunday",
            id="a window that is not there",
        ),
        pytest.param(
            {"reboot": {"server": {"kind": "immediately"}}},
            "reboot.server.immediately.immediately_accepted_by: field required",
            id="immediately, accepted by nobody",
        ),
        pytest.param(
            {"missed_window": {"catch_up": "run_and_reboot"}},
            "name who accepted that in run_and_reboot_accepted_by",
            id="catching up with a restart, accepted by nobody",
        ),
        pytest.param(
            {"rings": {"stages": [{"name": "pilot"}, {"name": "canary"}]}},
            "in the order canary, pilot, production",
            id="rings out of order",
        ),
        pytest.param({"evidence": {"linux": {"accepts": []}}}, "nothing could ever be verified", id="no proof counts"),
        pytest.param({"evidence": {"linux": {"accepts": ["installed"]}}}, "evidence.linux.accepts", id="a claim"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_its_field(fields: dict[str, object], told: str) -> None:
    assert told in refused(**fields)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b'client: "Acme\\0"', "line 1, column 9: NUL", id="NUL"),
        pytest.param(b'client: "Acme\\ud800"', "line 1, column 9: NUL and halves", id="half a character"),
        pytest.param(b"sla: " + b"9" * 5000, "no YAML that is read here", id="a number of 5,000 digits"),
    ],
)
def test_what_could_not_be_stored_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(DocumentRefused, match=told):
        policy_of(content)


def test_a_proposal_is_followed_where_a_word_says_so() -> None:
    _, [preset] = policy_of(file_of(regimes=[{"preset": "hipaa-nprm-2025", "accept_proposed": True}]))

    assert preset.status == "proposed"


@pytest.mark.parametrize(
    ("until", "is_read"),
    [
        pytest.param("2026-12-07T00:00:00-05:00", True, id="ends with it"),
        pytest.param("2026-12-07T00:00:01-05:00", False, id="a second longer"),
    ],
)
def test_a_revoked_preset_is_for_the_time_when_it_held(*, until: str, is_read: bool) -> None:
    content = file_of(regimes=[{"preset": "cisa-bod-22-01"}], valid_from="2022-01-01T00:00:00-05:00", valid_until=until)
    if is_read:
        assert policy_of(content)[0].valid_until is not None
        return
    with pytest.raises(DocumentRefused, match="valid_until must not be later"):
        policy_of(content)


def test_windows_names_of_zones_are_understood() -> None:
    document, presets = policy_of(file_of(zone="Eastern Standard Time"))

    assert compiled(document, presets).zone == "America/New_York"


def test_an_empty_window_is_read_and_never_opens() -> None:
    document, _ = policy_of(file_of(windows={"none": {}}))

    assert window_of("none", document.windows["none"], document.zone).recurs is None


@pytest.mark.parametrize(
    ("regimes", "allowed", "longest"),
    [
        pytest.param(["msp-playbook"], True, Months(2), id="the client's own"),
        pytest.param(["msp-playbook", "ce-3.3-danzell"], False, Months(2), id="a regime allows none"),
    ],
)
def test_the_strictest_rule_for_exceptions_holds(*, regimes: list[str], allowed: bool, longest: Months) -> None:
    document, presets = policy_of(
        file_of(regimes=[{"preset": each} for each in regimes], exceptions={"longest": "P2M", "warn_before": "P14D"})
    )

    terms = exception_terms(document, presets)

    assert (terms.allowed, terms.longest, terms.warn_before) == (allowed, longest, Days(14))
