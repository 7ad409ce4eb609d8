"""Policies that ask for monitors, windows and restarts, as tests need them."""

from datetime import timedelta
from typing import Any

from services.compliance.monitors.agreements import agreed
from services.compliance.monitors.rules_agreed import Agreed
from services.compliance.policies.compile import Version, applied, digest_of
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.reading import policy_of
from tests.builders import ACME

POLICY = """
client: Acme Dental
valid_from: 2025-01-01T00:00:00-05:00
zone: America/New_York
sla:
  - {due: P7D}
windows:
  servers-sunday: {rule: "FREQ=WEEKLY;BYDAY=SU", start: "02:00", duration: PT4H, first_day: 2025-01-05}
  never: {}
deployment:
  server: {windows: [servers-sunday]}
reboot:
  server: {kind: scheduled, windows: [servers-sunday]}
  workstation: {kind: user_prompted, notice: PT4H, deadline: PT24H, deferrals: 2}
  do_not_disrupt: {kind: manual_approval, by: Nora West}
  kiosk: {kind: immediately, immediately_accepted_by: Nora West}
missed_window: {catch_up: wait, ticket_after: 2}
monitors:
  updates_failed: {on: true, detect_within: PT2H}
  updates_installed: {on: true, detect_within: PT24H}
  missing_service_pack: {on: true}
  out_of_date: {on: true, after: P30D}
  silent_source: {on: true, after: PT6H}
"""
"""Sundays 02:00 in New York are 07:00 UTC in winter."""


def document_of(text: str = POLICY) -> PolicyDocument:
    """Return a policy file as it is read."""
    document, _ = policy_of(text.encode())
    return document


def agreement(text: str = POLICY, **changes: Any) -> Agreed:
    """Return what the policy says about monitors, windows and restarts."""
    document = document_of(text)
    ordinary: dict[str, Any] = {
        "tenant_id": ACME,
        "number": 1,
        "version": 1,
        "document": document,
        "presets": (),
        "digest": digest_of(document, ()),
        "recorded_at": document.valid_from - timedelta(days=1),
        "recorded_by": "ada@console",
        "reason": "a test",
    }
    return agreed(applied(Version(**{**ordinary, **changes})))
