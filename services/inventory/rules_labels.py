"""What an asset is for, when its source does not say: tier, OS family and ePHI, and from what we concluded it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

from contracts.events.event import OsFamily, Tier
from services.inventory.rules_fields import Said

T = TypeVar("T")


class Basis(StrEnum):
    """Where a label comes from, the surest first: an event, a person's tag, words of the OS name, nothing at all."""

    STATED = "stated"
    TAGS = "tags"
    OS_NAME = "os_name"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Label(Generic[T]):
    """A label and what it was concluded from."""

    value: T
    basis: Basis


CAREFUL_FIRST: Final = (Tier.DO_NOT_DISRUPT, Tier.SERVER, Tier.KIOSK, Tier.WORKSTATION)
"""Of two tags that disagree the one wins that asks for more care."""

TIER_BY_WORD: Final = {
    "server": Tier.SERVER,
    "esxi": Tier.SERVER,
    "hypervisor": Tier.SERVER,
    "kiosk": Tier.KIOSK,
    "embedded": Tier.KIOSK,
    "posready": Tier.KIOSK,
    "workstation": Tier.WORKSTATION,
}
FAMILY_BY_WORD: Final = {
    "windows": OsFamily.WINDOWS,
    "mac": OsFamily.MACOS,
    "macos": OsFamily.MACOS,
    "osx": OsFamily.MACOS,
    "darwin": OsFamily.MACOS,
    "linux": OsFamily.LINUX,
    "ubuntu": OsFamily.LINUX,
    "debian": OsFamily.LINUX,
    "fedora": OsFamily.LINUX,
    "centos": OsFamily.LINUX,
    "rhel": OsFamily.LINUX,
    "rocky": OsFamily.LINUX,
    "almalinux": OsFamily.LINUX,
    "suse": OsFamily.LINUX,
    "opensuse": OsFamily.LINUX,
    "sles": OsFamily.LINUX,
    "raspbian": OsFamily.LINUX,
}
EPHI_BY_TAG: Final = {
    "ephi": True,
    "ephi_yes": True,
    "ephi_system_yes": True,
    "ephi_no": False,
    "ephi_system_no": False,
}

_WORD: Final = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one asset."""

    tier: Label[Tier]
    os_family: Label[OsFamily]
    ephi: Label[bool | None]


class Clues(NamedTuple):
    """What labels are concluded from: the source's own words, where it said them, and what a person can read."""

    tier: str | None
    os_family: str | None
    ephi: bool | None
    os_name: str | None
    tags: tuple[str, ...]


def labels_of(said: Said) -> Labels:
    """Return the labels of an asset: a pure function of its fields, so the order of facts cannot matter here."""
    return _labels(Clues(said["tier"], said["os_family"], said["ephi"], said["os_name"], said["tags"]))


@lru_cache(maxsize=1024)
def _labels(clues: Clues) -> Labels:
    return Labels(
        tier=tier(clues.tier, clues.os_name, clues.tags),
        os_family=os_family(clues.os_family, clues.os_name),
        ephi=ephi(clues.ephi, clues.tags),
    )


def tier(stated: str | None, os_name: str | None, tags: tuple[str, ...]) -> Label[Tier]:
    """Return the service level class: the source's own word, else a tag, else a word of the OS name or node class.

    A tag is `kiosk` or `tier: kiosk`, in any case and with any punctuation. Without any sign it is a workstation.
    """
    if stated is not None:
        return Label(Tier(stated), Basis.STATED)
    tagged = {_slug(tag).removeprefix("tier_") for tag in tags}
    for each in CAREFUL_FIRST:
        if each.value in tagged:
            return Label(each, Basis.TAGS)
    named = {TIER_BY_WORD[word] for word in _words(os_name) if word in TIER_BY_WORD}
    for each in CAREFUL_FIRST:
        if each in named:
            return Label(each, Basis.OS_NAME)
    return Label(Tier.WORKSTATION, Basis.DEFAULT)


def os_family(stated: str | None, os_name: str | None) -> Label[OsFamily]:
    """Return the OS family: the source's own word, else the first word of the OS name that tells one."""
    if stated is not None:
        return Label(OsFamily(stated), Basis.STATED)
    for word in _words(os_name):
        if word in FAMILY_BY_WORD:
            return Label(FAMILY_BY_WORD[word], Basis.OS_NAME)
    return Label(OsFamily.OTHER, Basis.DEFAULT)


def ephi(stated: bool | None, tags: tuple[str, ...]) -> Label[bool | None]:  # noqa: FBT001 - a value, not a switch
    """Return whether the asset holds electronic health information; of two tags that disagree, yes wins.

    `None`: nobody said, which is neither yes nor no.
    """
    if stated is not None:
        return Label(stated, Basis.STATED)
    tagged = [EPHI_BY_TAG[slug] for tag in tags if (slug := _slug(tag)) in EPHI_BY_TAG]
    return Label(any(tagged), Basis.TAGS) if tagged else Label(None, Basis.DEFAULT)


def _slug(tag: str) -> str:
    return "_".join(_words(tag))


def _words(text: str | None) -> list[str]:
    return _WORD.findall((text or "").lower().replace("os x", "osx"))
