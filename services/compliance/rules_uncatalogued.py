"""Failures of patches that no catalog knows: whether one fails now, and what changed since that was last told. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from contracts.events.event import Severity
from services.compliance.catalog.model import Release
from services.compliance.rules_fold import Naming, PatchRegisters
from services.compliance.rules_views import SourcePatch, release_view

_UNNAMED: Final = Release(
    name="it", released_at=datetime.min.replace(tzinfo=UTC), catalogued_at=datetime.min.replace(tzinfo=UTC)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """What was last told of one such patch on one asset. `requirement_id`: the catalog came to know it."""

    asset_id: UUID
    patch_id: UUID
    tenant_id: UUID
    patch: str
    kb: str | None
    product: str | None
    failing: bool
    failures: int
    requirement_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """What is so now, by all sources together."""

    failing: bool
    failures: int
    code: str | None
    title: str | None
    severity: Severity


NOTHING_LEFT: Final = Present(failing=False, failures=0, code=None, title=None, severity=Severity.UNKNOWN)
"""What is so of an asset that the evidence has left."""


def present(registers: Sequence[PatchRegisters], *, is_removed: bool) -> Present:
    """Return whether the patch fails now: a failure is the last word, and no scan since has it off the list.

    Without a release there is nothing to prove, so here the deployer's claim ends it.
    """
    view = release_view(_UNNAMED, [SourcePatch(str(number), "it", each) for number, each in enumerate(registers)])
    gone = view.absent is not None and view.failed is not None and view.absent.at > view.failed.at
    naming = max((each.naming for each in registers if each.naming), key=_titled_first, default=None)
    return Present(
        failing=view.has_failed and not gone and not is_removed,
        failures=view.failures,
        code=view.code,
        title=naming.title if naming else None,
        severity=Severity(naming.severity) if naming else Severity.UNKNOWN,
    )


def _titled_first(naming: Naming) -> tuple[bool, datetime, str]:
    return naming.title is not None, naming.at, naming.event


def is_news(told: Failing | None, now: Present) -> bool:
    """Return whether subscribers must hear: it began to fail, failed again, or fails no longer."""
    if told is None or told.requirement_id is not None:
        return now.failing
    return told.failing != now.failing or (now.failing and told.failures < now.failures)
