"""Registers as the JSON text that is stored, and back. Pure."""

from collections.abc import Iterable, Mapping, Sequence
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

Json = dict[str, Any]
M = TypeVar("M", Mark, Claim, Failure, Approval, Naming, Reading, Belonging)


def stored_patch(registers: PatchRegisters) -> str:
    """Return what is stored of a patch; registers that hold nothing are left out."""
    single = {
        "naming": registers.naming,
        "first_listed": registers.first_listed,
        "listed": registers.listed,
        "unlisted": registers.unlisted,
        "approval": registers.approval,
        "failed": registers.failed,
        "rolled_back": registers.rolled_back,
    }
    stored = {
        **_written(single),
        **({"claims": _list(registers.claims)} if registers.claims else {}),
        **({"failures": registers.failures} if registers.failures else {}),
        **({"polled_failures": registers.polled_failures} if registers.polled_failures else {}),
    }
    return to_json(stored).decode()


def patch_registers(text: str) -> PatchRegisters:
    """Return the registers that `stored_patch` wrote."""
    stored = from_json(text)
    return PatchRegisters(
        naming=_one(Naming, stored, "naming"),
        first_listed=_one(Mark, stored, "first_listed"),
        listed=_one(Mark, stored, "listed"),
        unlisted=_one(Mark, stored, "unlisted"),
        approval=_one(Approval, stored, "approval"),
        claims=_many(Claim, stored, "claims"),
        failed=_one(Failure, stored, "failed"),
        failures=stored.get("failures", 0),
        polled_failures=stored.get("polled_failures", 0),
        rolled_back=_one(Mark, stored, "rolled_back"),
    )


def stored_device(registers: DeviceRegisters) -> str:
    """Return what is stored of a device; registers that hold nothing are left out."""
    single = {
        "tenant": registers.tenant,
        "asset": registers.asset,
        "scanned": registers.scanned,
        "polled": registers.polled,
        "pending": registers.pending,
    }
    stored = {
        **_written(single),
        **({"boots": _list(registers.boots)} if registers.boots else {}),
        **({"readings": _list(registers.readings)} if registers.readings else {}),
    }
    return to_json(stored).decode()


def device_registers(text: str) -> DeviceRegisters:
    """Return the registers that `stored_device` wrote."""
    stored = from_json(text)
    return DeviceRegisters(
        tenant=_one(Belonging, stored, "tenant"),
        asset=_one(Belonging, stored, "asset"),
        scanned=_one(Mark, stored, "scanned"),
        polled=_one(Mark, stored, "polled"),
        boots=_many(Mark, stored, "boots"),
        readings=_many(Reading, stored, "readings"),
        pending=_one(Mark, stored, "pending"),
    )


def _written(single: Mapping[str, Sequence[Any] | None]) -> Json:
    return {name: [mark[0].isoformat(), *mark[1:]] for name, mark in single.items() if mark is not None}


def _list(marks: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [[mark[0].isoformat(), *mark[1:]] for mark in marks]


def _one(kind: type[M], stored: Mapping[str, Any], name: str) -> M | None:
    found = stored.get(name)
    return None if found is None else kind(datetime.fromisoformat(found[0]), *found[1:])


def _many(kind: type[M], stored: Mapping[str, Any], name: str) -> tuple[M, ...]:
    return tuple(kind(datetime.fromisoformat(each[0]), *each[1:]) for each in stored.get(name, ()))
