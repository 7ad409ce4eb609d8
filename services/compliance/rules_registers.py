"""Registers as the JSON text that is stored, and back. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

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
)

M = TypeVar("M", Mark, Claim, Failure, Approval, Naming, Reading, Belonging)


def stored(registers: PatchRegisters | DeviceRegisters) -> str:
    """Return what is stored: each register by its name, its parts in their order; empty ones are left out."""
    return to_json({name: kept for name, kept in zip(registers._fields, registers, strict=True) if kept}).decode()


def patch_registers(text: str) -> PatchRegisters:
    """Return a patch's registers that `stored` wrote."""
    found = from_json(text)
    return PatchRegisters(
        naming=_one(Naming, found, "naming"),
        first_listed=_one(Mark, found, "first_listed"),
        listed=_one(Mark, found, "listed"),
        unlisted=_one(Mark, found, "unlisted"),
        approval=_one(Approval, found, "approval"),
        claims=_many(Claim, found, "claims"),
        failed=_one(Failure, found, "failed"),
        failures=found.get("failures", 0),
        polled_failures=found.get("polled_failures", 0),
        rolled_back=_one(Mark, found, "rolled_back"),
        stated_at=_many(Mark, found, "stated_at"),
        polled_at=_many(Mark, found, "polled_at"),
    )


def device_registers(text: str) -> DeviceRegisters:
    """Return a device's registers that `stored` wrote."""
    found = from_json(text)
    return DeviceRegisters(
        tenant=_one(Belonging, found, "tenant"),
        asset=_one(Belonging, found, "asset"),
        first_scanned=_one(Mark, found, "first_scanned"),
        scanned=_one(Mark, found, "scanned"),
        polled=_one(Mark, found, "polled"),
        boots=_many(Mark, found, "boots"),
        readings=_many(Reading, found, "readings"),
        pending=_one(Mark, found, "pending"),
    )


def _one(kind: type[M], found: Mapping[str, Any], name: str) -> M | None:
    parts = found.get(name)
    return None if parts is None else kind(datetime.fromisoformat(parts[0]), *parts[1:])


def _many(kind: type[M], found: Mapping[str, Any], name: str) -> tuple[M, ...]:
    return tuple([kind(datetime.fromisoformat(parts[0]), *parts[1:]) for parts in found.get(name, ())])
