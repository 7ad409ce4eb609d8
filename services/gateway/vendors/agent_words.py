"""What agents' words mean: operating systems, serial numbers, tags, applications. Pure.

Text that only describes is taken as it can be had: trimmed, without control characters, cut at what an event takes. Of
a field that is no text nothing is said: one odd word must not hide a machine.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from contracts.events.event import OsFamily
from contracts.events.rmm import Application, DeviceFacts
from services.gateway.vendors.fields import LONGEST_NAME

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
_KERNEL: Final[Mapping[str, OsFamily]] = {
    "linux": OsFamily.LINUX,
    "mswin32": OsFamily.WINDOWS,
    "win32": OsFamily.WINDOWS,
    "windows": OsFamily.WINDOWS,
    "darwin": OsFamily.MACOS,
    "freebsd": OsFamily.OTHER,
    "openbsd": OsFamily.OTHER,
    "netbsd": OsFamily.OTHER,
    "solaris": OsFamily.OTHER,
    "aix": OsFamily.OTHER,
    "hpux": OsFamily.OTHER,
}
_NO_SERIAL: Final = frozenset(
    {
        "", "0", "none", "n/a", "na", "not specified", "not applicable", "default string", "system serial number",
        "to be filled by o.e.m.", "unknown", "invalid", "0123456789", "123456789", "oem", "empty",
    }
)  # fmt: skip
_NO_TAG: Final = frozenset({"", "na", "n/a"})
_NAMELESS: Final = frozenset({"", "n/a", "unknown"})


def text_of(value: object) -> str | None:
    """Return descriptive text; `None` where there is none."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and "  " not in value:
        return value.strip(" ")[:LONGEST_NAME].rstrip() or None  # nearly all of them
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    return " ".join(_UNPRINTABLE.sub(" ", value).split())[:LONGEST_NAME].rstrip() or None


def section_of(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return one section; an empty one where there is none."""
    section = content.get(name)
    return section if isinstance(section, dict) else {}


def facts_of(content: Mapping[str, Any]) -> DeviceFacts:
    """Return what a report says of the device itself."""
    os, hardware = section_of(content, "operatingsystem"), section_of(content, "hardware")
    os_name = text_of(os.get("full_name")) or text_of(os.get("name")) or text_of(hardware.get("osname"))
    family = os_family(text_of(os.get("kernel_name")), os_name)
    return DeviceFacts(
        hostname=text_of(hardware.get("name")) or text_of(os.get("fqdn")),
        os_family=family,
        os_name=os_name,
        os_version=text_of(os.get("version")) or _version_beside(family, hardware),
        os_build=build_of(family, os, hardware),
        serial=serial_of(section_of(content, "bios")),
    )


def os_family(kernel: str | None, os_name: str | None) -> OsFamily | None:
    """Return the family that a kernel tells, else the name; `None`: neither does. Android has a Linux kernel."""
    if "android" in (os_name or "").casefold():
        return OsFamily.OTHER
    if kernel is not None and kernel.casefold() in _KERNEL:
        return _KERNEL[kernel.casefold()]
    name = (os_name or "").casefold()
    if "windows" in name:
        return OsFamily.WINDOWS
    return OsFamily.LINUX if "linux" in name else None


def build_of(family: OsFamily | None, os: Mapping[str, Any], hardware: Mapping[str, Any]) -> str | None:
    """Return the build: of Windows its version number, of Linux the kernel. A Mac's kernel is not its build."""
    match family:
        case OsFamily.WINDOWS:
            return text_of(os.get("kernel_version")) or text_of(hardware.get("osversion"))
        case OsFamily.LINUX:
            return text_of(os.get("kernel_version"))
        case _:
            return None


def _version_beside(family: OsFamily | None, hardware: Mapping[str, Any]) -> str | None:
    """Return the version that OCS's agent has among the hardware; of Windows that is the build."""
    return None if family is OsFamily.WINDOWS else text_of(hardware.get("osversion"))


def serial_of(bios: Mapping[str, Any]) -> str | None:
    """Return the machine's serial number, unless it is one of the words that makers leave there."""
    for name in ("ssn", "biosserial", "enclosureserial"):
        serial = text_of(bios.get(name))
        if serial is not None and serial.casefold() not in _NO_SERIAL:
            return serial
    return None


def tag_of(request: Mapping[str, Any], content: Mapping[str, Any]) -> str | None:
    """Return the tag that someone gave the agent; `None`: none. `NA` is what agents say that have none."""
    said = [request.get("tag"), *_account_tags(content.get("accountinfo"))]
    tags = (text_of(each) for each in said)
    return next((tag for tag in tags if tag is not None and tag.casefold() not in _NO_TAG), None)


def _account_tags(value: object) -> Iterator[object]:
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, dict) and entry.get("keyname") == "TAG":
            yield entry.get("keyvalue")


def applications_of(entries: Iterable[object]) -> list[Application]:
    """Return the applications among `entries`, each once, in one order. What has no name is none."""
    found: dict[tuple[str, ...], Application] = {}
    for entry in entries:
        name = text_of(entry.get("name")) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or name is None or name.casefold() in _NAMELESS:
            continue
        version, publisher, origin = (_said(entry.get(each)) for each in ("version", "publisher", "from"))
        architecture = _said(entry.get("arch")) or _said(entry.get("architecture"))
        key = tuple(word or "" for word in (name, version, publisher, architecture, origin))
        found[key] = Application(
            name=name, version=version, publisher=publisher, architecture=architecture, origin=origin
        )
    return [found[key] for key in sorted(found)]


def _said(value: object) -> str | None:
    word = text_of(value)
    return None if word is None or word.casefold() in _NAMELESS else word
