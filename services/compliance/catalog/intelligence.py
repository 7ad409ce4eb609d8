"""What feeds say of vulnerabilities: exploited (KEV), likely to be (EPSS), how bad (CVSS), SSVC's points. Pure.

Each feed speaks for itself and keeps its version beside what it said; nothing is averaged, and scores of two EPSS
models never meet, because only one version of that feed is read at a time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.compliance.subjects import NO_RISK, Risk


class Feed(StrEnum):
    """What is loaded beside the catalog. Of `kev` and `epss` the newest version alone speaks; the others' add up."""

    KEV = "kev"
    EPSS = "epss"
    CVSS = "cvss"
    SSVC = "ssvc"


WHOLE: Final = frozenset({Feed.KEV, Feed.EPSS})
"""Feeds whose every version is the whole list: what it does not have any more has been taken back."""

EXPLOITATION: Final = ("none", "poc", "active")
"""From less to more. Source: SSVC's decision point Exploitation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What one feed says of one CVE, as far as it says it.

    `kev_due_at` is a hint: 15 entries of the real list have one before the day on which they were added.
    """

    cve: str
    kev_added_at: datetime | None = None
    kev_due_at: datetime | None = None
    ransomware: bool | None = None
    epss: float | None = None
    epss_percentile: float | None = None
    cvss: float | None = None
    cvss_vector: str | None = None
    exploitation: str | None = None
    automatable: bool | None = None
    technical_impact_total: bool | None = None


class Intelligence:
    """All that is known, by CVE. `versions`: the label of each feed that was asked, known of a CVE or not."""

    def __init__(self, known: Iterable[Known], *, id_: int = 0, versions: Mapping[Feed, str] | None = None) -> None:
        """Index what the feeds said; several may speak of one CVE, each of other things.

        `id_`: of the newest version that was read, whichever feed's.
        """
        self.id = id_
        self.versions: Mapping[Feed, str] = MappingProxyType(dict(versions or {}))
        self._labels = tuple(f"{feed} {label}" for feed, label in sorted(self.versions.items()))
        self._known: dict[str, list[Known]] = {}
        for each in known:
            self._known.setdefault(each.cve, []).append(each)
        self._risks: dict[tuple[str, ...], Risk] = {}

    def of(self, cve: str) -> tuple[Known, ...]:
        """Return what each feed says of one CVE."""
        return tuple(self._known.get(cve, ()))

    def risk_of(self, cves: tuple[str, ...]) -> Risk:
        """Return the worst of each thing that is said of any of `cves`; `None` in it: nobody said.

        `versions` names every feed that was asked: one that does not list a CVE has spoken too.
        """
        if not cves:
            return NO_RISK
        if (kept := self._risks.get(cves)) is None:
            kept = self._risks[cves] = self._worst(cves)
        return kept

    def _worst(self, cves: tuple[str, ...]) -> Risk:
        found = [each for cve in cves for each in self._known.get(cve, ())]
        exploitation = [each.exploitation for each in found if each.exploitation in EXPLOITATION]
        return Risk(
            kev_added_at=min((each.kev_added_at for each in found if each.kev_added_at), default=None),
            ransomware=_any(each.ransomware for each in found),
            epss=max((each.epss for each in found if each.epss is not None), default=None),
            cvss=max((each.cvss for each in found if each.cvss is not None), default=None),
            exploitation=max(exploitation, key=EXPLOITATION.index, default=None),
            automatable=_any(each.automatable for each in found),
            technical_impact_total=_any(each.technical_impact_total for each in found),
            cves=cves,
            versions=self._labels,
        )


def _any(told: Iterable[bool | None]) -> bool | None:
    """Return whether one of them is true; `None` where nobody said anything."""
    said = [each for each in told if each is not None]
    return any(said) if said else None


NOTHING_KNOWN: Final = Intelligence(())
"""Before any feed is loaded: no condition on a vulnerability is met."""
