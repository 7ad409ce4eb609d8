"""Registers as the JSON text that is stored, and back. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json, to_json

from services.compliance.rules_fold import (
    Approval,
    Belonging,
    Claim,
    DeviceRegisters,
    Failure,
    Mark,
    Naming,
    PatchRegisters,
    Reading,
    Stamped,
)


def stored(registers: PatchRegisters | DeviceRegisters) -> str:
    """Return what is stored: each register by its name, its parts in their order; empty ones are left out."""
    return to_json({name: kept for name, kept in zip(registers._fields, registers, strict=True) if kept}).decode()


_ONE: Final[Mapping[str, Callable[..., Stamped]]] = {
    "naming": Naming,
    "first_listed": Mark,
    "listed": Mark,
    "unlisted": Mark,
    "approval": Approval,
    "failed": Failure,
    "rolled_back": Mark,
    "tenant": Belonging,
    "asset": Belonging,
    "first_scanned": Mark,
    "scanned": Mark,
    "polled": Mark,
    "pending": Mark,
}
_MANY: Final[Mapping[str, Callable[..., Stamped]]] = {
    "claims": Claim,
    "stated_at": Mark,
    "polled_at": Mark,
    "boots": Mark,
    "readings": Reading,
}
_COUNTS: Final = frozenset({"failures", "polled_failures"})


def patch_registers(text: str) -> PatchRegisters:
    """Return a patch's registers that `stored` wrote."""
    return PatchRegisters(**_read(text))


def device_registers(text: str) -> DeviceRegisters:
    """Return a device's registers that `stored` wrote."""
    return DeviceRegisters(**_read(text))


def _read(text: str) -> dict[str, Any]:
    """Return the registers that there are, by name; those that only a newer release knows are passed over."""
    kept: dict[str, Any] = {}
    for name, parts in from_json(text).items():
        if (kind := _ONE.get(name)) is not None:
            kept[name] = kind(datetime.fromisoformat(parts[0]), *parts[1:])
        elif (kind := _MANY.get(name)) is not None:
            kept[name] = tuple([kind(datetime.fromisoformat(each[0]), *each[1:]) for each in parts])
        elif name in _COUNTS:
            kept[name] = parts
    return kept
