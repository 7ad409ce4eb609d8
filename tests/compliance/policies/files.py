"""Policy files to try things out with."""

from typing import Any

import yaml

WHOLE = b"""
client: Acme Dental
title: Agreed on 3 November
valid_from: 2025-01-16T00:00:00-05:00
zone: America/New_York
stale_after: P7D
regimes:
  - preset: ce-3.3-danzell
sla:
  - {tiers: [server], severities: [critical], exposure: exposed, due: PT48H, measure: deployment}
  - {tiers: [server], severities: [critical, high], due: P7D}
  - {due: P30D, ends_with_day: true}
windows:
  sunday: {rule: FREQ=WEEKLY;BYDAY=SU, start: '02:00', duration: PT4H, gap: forward, fold: first}
  after-tuesday: {patch_tuesday_plus_days: 5, start: '22:00', duration: PT6H, zone: Europe/Berlin}
deployment:
  server: {windows: [sunday]}
  workstation: {any_time: true}
reboot:
  server: {kind: scheduled, windows: [sunday], notice: PT24H}
  workstation: {kind: user_prompted, notice: PT4H, deadline: P2D, deferrals: 3}
  do_not_disrupt: {kind: manual_approval, by: the client's owner}
missed_window: {catch_up: run_without_reboot, ticket_after: 3}
rings:
  hold: P1D
  stages:
    - {name: canary, tag: Wave-0, soak: P2D, promote_by: service manager}
    - {name: pilot, share: 15, soak: P3D, promote_by: service manager}
    - {name: production}
exceptions: {longest: P60D, renewals: 1, warn_before: P14D}
service_levels:
  - {tiers: [server], at_least: 95.0}
  - {tiers: [workstation], at_least: 92.0}
scope:
  products: {Legacy ERP: agreed on 3 November}
  machines: {LAB01: the lab's own}
evidence:
  linux: {accepts: [build, second_source], quorum: 2, patch_method: unattended-upgrades, verified_by: osquery}
tags:
  exposed: [Edge]
  business: {crown jewel: very_high}
entitlements:
  - {product: Windows Server 2012 R2, supported_until: '2026-10-13T00:00:00Z'}
monitors:
  updates_failed: {on: true, detect_within: PT4H}
  silent_source: {on: true, after: PT12H}
breaches: {tickets: true}
"""


def file_of(**fields: Any) -> bytes:
    """Return a small policy file of Acme Dental that a few fields of are said otherwise."""
    said = {
        "client": "Acme Dental",
        "valid_from": "2025-01-16T00:00:00-05:00",
        "zone": "America/New_York",
        "regimes": [{"preset": "msp-playbook"}],
    }
    return yaml.safe_dump({**said, **fields}).encode()
