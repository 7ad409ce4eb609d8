"""NinjaOne's words in ours. What is not listed becomes `unknown` or nothing, never quietly something else."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from contracts.events.event import OsFamily, Severity, Tier

PATCH_SEVERITY: Final[Mapping[str, Severity]] = {
    "CRITICAL": Severity.CRITICAL,
    "IMPORTANT": Severity.HIGH,
    "HIGH": Severity.HIGH,
    "MODERATE": Severity.MODERATE,
    "MEDIUM": Severity.MODERATE,
    "RECOMMENDED": Severity.MODERATE,
    "LOW": Severity.LOW,
    "OPTIONAL": Severity.LOW,
}
"""Severity of an OS patch, impact of a software patch. `SECURITY` and `NONE` say what it is, not how bad: unknown."""

ALERT_SEVERITY: Final[Mapping[str, Severity]] = {
    "CRITICAL": Severity.CRITICAL,
    "MAJOR": Severity.HIGH,
    "MODERATE": Severity.MODERATE,
    "MINOR": Severity.LOW,
}
"""Another scale from the same vendor: never merged with the one of patches."""

NODE_CLASS: Final[Mapping[str, tuple[OsFamily, Tier]]] = {
    "WINDOWS_SERVER": (OsFamily.WINDOWS, Tier.SERVER),
    "WINDOWS_WORKSTATION": (OsFamily.WINDOWS, Tier.WORKSTATION),
    "LINUX_SERVER": (OsFamily.LINUX, Tier.SERVER),
    "LINUX_WORKSTATION": (OsFamily.LINUX, Tier.WORKSTATION),
    "MAC_SERVER": (OsFamily.MACOS, Tier.SERVER),
    "MAC": (OsFamily.MACOS, Tier.WORKSTATION),
}
"""The node classes that patch management covers; every other class is `other` and has no tier."""

_TIER_TAG: Final[Mapping[str, Tier]] = {
    "kiosk": Tier.KIOSK,
    "do-not-disrupt": Tier.DO_NOT_DISRUPT,
    "do_not_disrupt": Tier.DO_NOT_DISRUPT,
}
_EPHI_TAG: Final = "ephi"

_KB: Final = re.compile(r"(?:KB)?([0-9]{5,9})", re.IGNORECASE)
_KB_IN_TEXT: Final = re.compile(r"\bKB\s?([0-9]{5,9})\b", re.IGNORECASE)
_RESULT_CODE: Final = re.compile(r"\b0x[0-9a-f]{8}\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of machine a node is. `ephi` is `None` where the source gives no tags at all."""

    os_family: OsFamily | None
    tier: Tier | None
    ephi: bool | None
    is_patchable: bool


def kind_of(node_class: str | None, tags: Iterable[str] | None) -> Kind:
    """Return the kind of machine; the tags `kiosk`, `do-not-disrupt` and `ephi` are ours to agree with the customer."""
    known = NODE_CLASS.get(node_class or "")
    os_family, tier = known or (None if node_class is None else OsFamily.OTHER, None)
    words = None if tags is None else {tag.lower() for tag in tags}
    tagged = next((_TIER_TAG[word] for word in sorted(words or ()) if word in _TIER_TAG), None)
    return Kind(os_family, tagged or tier, None if words is None else _EPHI_TAG in words, known is not None)


def patch_severity(word: object) -> Severity:
    """Return how bad a patch's absence is, in our words."""
    return PATCH_SEVERITY.get(word.upper(), Severity.UNKNOWN) if isinstance(word, str) else Severity.UNKNOWN


def alert_severity(word: object) -> Severity:
    """Return how bad an alert is, in our words."""
    return ALERT_SEVERITY.get(word.upper(), Severity.UNKNOWN) if isinstance(word, str) else Severity.UNKNOWN


def kb_number(word: object) -> str | None:
    """Return the digits of a value that is a KB number and nothing else."""
    match = _KB.fullmatch(word.strip()) if isinstance(word, str) and len(word) <= 32 else None
    return match.group(1) if match else None


def kb_in_text(text: str) -> str | None:
    """Return the digits of the first KB number in free text."""
    match = _KB_IN_TEXT.search(text)
    return match.group(1) if match else None


def result_code_in_text(text: str) -> str | None:
    """Return the first Windows result code in free text, verbatim."""
    match = _RESULT_CODE.search(text)
    return match.group(0) if match else None
