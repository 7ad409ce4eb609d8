"""What an asset is folded from: the fields, each of which keeps the newest word on it."""

from datetime import datetime
from typing import Final, Literal, TypedDict, get_args
from uuid import UUID

Field = Literal[
    "tenant_id",
    "hostname",
    "os_family",
    "os_name",
    "os_version",
    "os_build",
    "tier",
    "owner",
    "location",
    "serial",
    "tags",
    "ephi",
    "online",
    "last_boot_at",
    "removed_at",
]
"""Stamps are stored by position in this list: only ever append."""

FIELDS: Final[tuple[Field, ...]] = get_args(Field)


class Said(TypedDict):
    """The newest word on each field; `None` where nobody said anything."""

    tenant_id: UUID
    hostname: str | None
    os_family: str | None
    os_name: str | None
    os_version: str | None
    os_build: str | None
    tier: str | None
    owner: str | None
    location: str | None
    serial: str | None
    tags: tuple[str, ...]
    ephi: bool | None
    online: bool | None
    last_boot_at: datetime | None
    removed_at: datetime | None
