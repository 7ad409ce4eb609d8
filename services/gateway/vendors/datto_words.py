"""The words by which Datto RMM says what an alert is about. None of them is enumerated: so they are declared.

They are a setting (PATCHLINE_DATTO_WORDS): mend them when a capture shows others, then replay.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum, auto
from typing import Final

from contracts.events.event import Severity
from contracts.events.rmm import PatchRef
from services.gateway.vendors.fields import LONGEST_NAME, is_printable
from services.gateway.vendors.vocabulary import result_code_in_text

PRIORITY: Final[Mapping[str, Severity]] = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "moderate": Severity.MODERATE,
    "low": Severity.LOW,
}
"""An alert's priority. `Information` and `Unknown` say no more than unknown does. Source: schema Alert."""

_KB: Final = re.compile(r"\bKB\s?([0-9]{5,9})\b", re.IGNORECASE)
_WORD: Final = re.compile(r"[a-z]+")
_MOST_SEARCHED: Final = 20_000


class About(Enum):
    """What an alert tells of its device beside that a monitor's condition holds."""

    NOTHING = auto()
    PATCH_FAILED = auto()
    PATCH_INSTALLED = auto()
    REBOOT_NEEDED = auto()
    OFFLINE = auto()


@dataclass(frozen=True, slots=True)
class Words:
    """What monitors are called, and what their results and messages say; looked up without regard to case.

    All but the contexts `patch_ctx`, `online_offline_status_ctx` and the status `OFFLINE` are unconfirmed.
    """

    patch_kinds: tuple[str, ...] = ("patch_ctx", "patch", "patch monitor", "patch management")
    status_kinds: tuple[str, ...] = ("online_offline_status_ctx", "online status", "online/offline", "online_status")
    failed: tuple[str, ...] = ("failed", "failure", "error", "install_error", "installerror")
    installed: tuple[str, ...] = ("installed", "success", "succeeded")
    reboot: tuple[str, ...] = ("reboot", "reboot_required", "rebootrequired", "restart")
    offline: tuple[str, ...] = ("offline",)
    online: tuple[str, ...] = ("online",)

    @classmethod
    def of(cls, settings: Mapping[str, Iterable[str]]) -> "Words":
        """Return the words with some of them set anew.

        Raises:
            ValueError: a key is none of ours.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(settings.keys() - known):
            raise ValueError(f"{', '.join(unknown)}: not one of {', '.join(sorted(known))}")
        return cls(**{key: tuple(word.casefold() for word in words) for key, words in settings.items()})

    def of_result(self, kind: str, result: str | None) -> About:
        """Return what a context's own `result` or `status` says: the whole value is one word."""
        word = (result or "").casefold()
        if kind.casefold() in self.status_kinds:
            return About.OFFLINE if word in self.offline else About.NOTHING
        if kind.casefold() not in self.patch_kinds:
            return About.NOTHING
        if word in self.failed:
            return About.PATCH_FAILED
        if word in self.installed:
            return About.PATCH_INSTALLED
        return About.REBOOT_NEEDED if word in self.reboot else About.NOTHING

    def of_text(self, kind: str | None, text: str | None) -> About:
        """Return what a message says, where its words leave no doubt. Free text never says that something is well."""
        words = set(_WORD.findall((text or "")[:_MOST_SEARCHED].casefold()))
        folded = (kind or "").casefold()
        if folded in self.status_kinds:
            is_offline = not words.isdisjoint(self.offline) and words.isdisjoint(self.online)
            return About.OFFLINE if is_offline else About.NOTHING
        if folded not in self.patch_kinds:
            return About.NOTHING
        fails, reboots = not words.isdisjoint(self.failed), not words.isdisjoint(self.reboot)
        if fails == reboots:
            return About.NOTHING
        return About.PATCH_FAILED if fails else About.REBOOT_NEEDED


WORDS: Final = Words()


def severity(priority: str | None) -> Severity:
    """Return how bad an alert is, in our words."""
    return PRIORITY.get((priority or "").casefold(), Severity.UNKNOWN)


def only_kb(*texts: str | None) -> str | None:
    """Return the digits of the one KB number in these texts; `None` if there is none, or more than one."""
    found = {match for text in texts if text for match in _KB.findall(text[:_MOST_SEARCHED])}
    return found.pop() if len(found) == 1 else None


def result_code(*texts: str | None) -> str | None:
    """Return the first Windows result code in these texts, verbatim."""
    return next((code for text in texts if text and (code := result_code_in_text(text[:_MOST_SEARCHED]))), None)


def patch_ref(kb: str | None, uid: str | None) -> PatchRef | None:
    """Return the patch, called by its KB number where there is one, else by Datto's uid of it."""
    named = f"KB{kb}" if kb else uid
    if not named or len(named) > LONGEST_NAME or not is_printable(named):
        return None
    return PatchRef(patch=named, kb=kb)
