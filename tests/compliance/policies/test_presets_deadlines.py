"""Every preset's table, golden: until when to the second, over months' ends, a leap day and the changes of clocks."""

from datetime import datetime, timedelta

import pytest

from contracts.events.event import Severity, Tier
from services.compliance.rules_deadline import deadline
from services.compliance.subjects import Risk
from services.compliance.zones import use_shipped_zones, zone_of
from tests.compliance.policies.rows import KEV, row_for

use_shipped_zones()


def due(name: str, started_at: str, zone: str, **chosen: object) -> str | None:
    """Return the deadline in UTC; `None`: no row, or one without a clock."""
    rule = row_for(name, **chosen)  # type: ignore[arg-type]  # as above
    if rule is None or rule.within is None:
        return None
    place = zone_of(zone)
    assert place is not None
    start = datetime.fromisoformat(started_at)
    return deadline(start, rule.within, place, ends_with_day=rule.ends_with_day).isoformat()


C, H, M, L, U = Severity.CRITICAL, Severity.HIGH, Severity.MODERATE, Severity.LOW, Severity.UNKNOWN
NEW_YORK, BERLIN, SYDNEY, PHOENIX = "America/New_York", "Europe/Berlin", "Australia/Sydney", "America/Phoenix"


WORST = Risk(kev_added_at=KEV, automatable=True, technical_impact_total=True)


@pytest.mark.parametrize(
    ("name", "started_at", "zone", "chosen", "due_at"),
    [
        pytest.param(
            "msp-playbook",
            "2026-03-07T12:00:00-05:00",
            NEW_YORK,
            {"severity": C},
            "2026-03-08T17:00:00+00:00",
            id="24 exact hours over the spring night in New York",
        ),
        pytest.param(
            "msp-playbook",
            "2026-10-31T12:00:00-04:00",
            NEW_YORK,
            {"severity": C},
            "2026-11-01T16:00:00+00:00",
            id="24 exact hours over the autumn night in New York",
        ),
        pytest.param(
            "msp-playbook",
            "2026-03-03T18:00:00+00:00",
            NEW_YORK,
            {"severity": H, "tier": Tier.WORKSTATION},
            "2026-03-10T17:00:00+00:00",
            id="7 days keep the time on the wall in New York",
        ),
        pytest.param(
            "msp-playbook",
            "2026-03-03T18:00:00+00:00",
            PHOENIX,
            {"severity": H, "tier": Tier.WORKSTATION},
            "2026-03-10T18:00:00+00:00",
            id="7 days in Phoenix, whose clocks never change",
        ),
        pytest.param(
            "msp-playbook",
            "2026-01-31T18:00:00+00:00",
            PHOENIX,
            {"severity": M, "tier": Tier.DO_NOT_DISRUPT},
            "2026-03-02T18:00:00+00:00",
            id="30 days from 31 January",
        ),
        pytest.param("msp-playbook", "2026-01-31T18:00:00+00:00", PHOENIX, {"severity": H}, None, id="an empty cell"),
        pytest.param(
            "pci-4.0.1-6.3.3",
            "2026-01-31T18:00:00+00:00",
            NEW_YORK,
            {"severity": C},
            "2026-02-28T18:00:00+00:00",
            id="a month from 31 January",
        ),
        pytest.param(
            "pci-4.0.1-6.3.3",
            "2028-01-31T18:00:00+00:00",
            NEW_YORK,
            {"severity": C},
            "2028-02-29T18:00:00+00:00",
            id="a month from 31 January in a leap year",
        ),
        pytest.param("pci-4.0.1-6.3.3", "2026-01-31T18:00:00+00:00", NEW_YORK, {"severity": H}, None, id="high: own"),
        pytest.param(
            "ce-3.3-danzell",
            "2026-03-20T17:00:00+00:00",
            BERLIN,
            {"severity": U},
            "2026-04-03T16:00:00+00:00",
            id="no severity counts as high, over the spring night in Berlin",
        ),
        pytest.param(
            "ce-3.3-danzell",
            "2026-03-20T17:00:00+00:00",
            BERLIN,
            {"severity": L, "risk": Risk(cvss=7.0)},
            "2026-04-03T16:00:00+00:00",
            id="CVSS of 7.0 whatever the vendor says",
        ),
        pytest.param(
            "ce-3.3-danzell",
            "2026-03-20T17:00:00+00:00",
            BERLIN,
            {"severity": L, "risk": Risk(cvss=6.9)},
            None,
            id="CVSS of 6.9",
        ),
        pytest.param(
            "e8-ml2",
            "2026-10-03T00:00:00+00:00",
            SYDNEY,
            {"severity": C, "exposed": True},
            "2026-10-05T00:00:00+00:00",
            id="48 exact hours over the spring night in Sydney",
        ),
        pytest.param(
            "e8-ml2",
            "2026-04-03T00:00:00+00:00",
            SYDNEY,
            {"exposed": True},
            "2026-04-17T01:00:00+00:00",
            id="two weeks over the autumn night in Sydney",
        ),
        pytest.param(
            "e8-ml2",
            "2026-01-30T13:30:00+00:00",
            SYDNEY,
            {"exposed": False},
            "2026-02-27T13:30:00+00:00",
            id="a month from the 31st in Sydney, the 30th in UTC",
        ),
        pytest.param(
            "cis-8.1-c7", "2028-02-29T12:00:00+00:00", BERLIN, {}, "2028-03-29T11:00:00+00:00", id="a leap day's month"
        ),
        pytest.param(
            "cisa-bod-19-02",
            "2020-02-29T12:00:00+00:00",
            PHOENIX,
            {"severity": C, "exposed": True},
            "2020-03-15T12:00:00+00:00",
            id="15 days from a leap day",
        ),
        pytest.param(
            "cisa-bod-19-02",
            "2020-02-29T12:00:00+00:00",
            PHOENIX,
            {"severity": C, "exposed": False},
            None,
            id="internal",
        ),
        pytest.param(
            "cisa-bod-22-01",
            "2021-11-03T12:00:00+00:00",
            NEW_YORK,
            {"risk": Risk(kev_added_at=KEV, cves=("CVE-2020-0601",))},
            "2022-05-03T12:00:00+00:00",
            id="half a year for what was named before 2021",
        ),
        pytest.param(
            "cisa-bod-22-01",
            "2021-11-03T12:00:00+00:00",
            NEW_YORK,
            {"risk": Risk(kev_added_at=KEV, cves=("CVE-2019-0708", "CVE-2021-44228"))},
            "2021-11-17T13:00:00+00:00",
            id="two weeks for what was named in 2021",
        ),
        pytest.param(
            "cisa-bod-26-04",
            "2026-03-07T12:00:00-05:00",
            NEW_YORK,
            {"exposed": True, "risk": WORST},
            "2026-03-10T16:00:00+00:00",
            id="the directive's 3 days over the spring night",
        ),
        pytest.param(
            "cisa-bod-26-04",
            "2027-12-20T12:00:00+00:00",
            PHOENIX,
            {"exposed": False, "risk": Risk(kev_added_at=KEV, automatable=False, technical_impact_total=True)},
            "2028-01-03T12:00:00+00:00",
            id="the directive's 14 days over the end of a year",
        ),
        pytest.param(
            "cisa-bod-26-04",
            "2028-01-01T12:00:00+00:00",
            BERLIN,
            {"exposed": True, "risk": Risk(automatable=False, technical_impact_total=False)},
            "2028-03-01T12:00:00+00:00",
            id="the directive's 60 days over a leap day",
        ),
        pytest.param(
            "cisa-bod-26-04",
            "2028-01-01T12:00:00+00:00",
            BERLIN,
            {"exposed": False, "risk": Risk(automatable=False, technical_impact_total=True)},
            None,
            id="the directive's next upgrade",
        ),
        pytest.param(
            "e8-ml1",
            "2026-01-31T12:00:00+00:00",
            SYDNEY,
            {"severity": C, "exposed": False},
            "2026-02-28T12:00:00+00:00",
            id="level 1 gives a month inside, whatever the severity",
        ),
        pytest.param(
            "e8-ml3",
            "2026-04-04T12:00:00+00:00",
            SYDNEY,
            {"severity": C, "exposed": False},
            "2026-04-06T12:00:00+00:00",
            id="level 3 gives 48 exact hours inside, over the autumn night in Sydney",
        ),
        pytest.param("nist-800-40r4", "2026-01-01T12:00:00+00:00", BERLIN, {"severity": C}, None, id="NIST: no number"),
        pytest.param("hipaa-2013", "2026-01-01T12:00:00+00:00", NEW_YORK, {"severity": C}, None, id="HIPAA: no number"),
        pytest.param("msp-service-levels", "2026-01-01T12:00:00+00:00", NEW_YORK, {"severity": C}, None, id="a level"),
        pytest.param(
            "hipaa-nprm-2025",
            "2026-10-20T12:00:00+00:00",
            NEW_YORK,
            {"severity": C},
            "2026-11-04T13:00:00+00:00",
            id="the proposal's 15 days over the autumn night",
        ),
        pytest.param(
            "hipaa-nprm-2025",
            "2026-10-20T12:00:00+00:00",
            NEW_YORK,
            {"severity": H},
            "2026-11-19T13:00:00+00:00",
            id="the proposal's 30 days",
        ),
    ],
)
def test_a_row_is_due_to_the_second(
    *, name: str, started_at: str, zone: str, chosen: dict[str, object], due_at: str | None
) -> None:
    found = due(name, started_at, zone, **chosen)

    assert found == due_at
    if found is not None:
        second = timedelta(seconds=1)
        moved = {
            due(name, (datetime.fromisoformat(started_at) + shift).isoformat(), zone, **chosen)
            for shift in (-second, second)
        }
        assert moved == {(datetime.fromisoformat(found) + shift).isoformat() for shift in (-second, second)}
