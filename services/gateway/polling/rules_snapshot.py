"""What is kept of one reading until the next. Pure."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Facts = dict[str, Any]
Key = tuple[str, str]
"""The kind of a snapshot, and the device."""

NEVER_EQUAL: Final = b""
"""The digest of what must be looked at again, whatever the next reading says."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a snapshot without its facts. `scanned_at` is the last scan of a list."""

    digest: bytes
    scanned_at: datetime | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is kept of one kind of facts of one device."""

    kind: str
    device: str
    digest: bytes
    scanned_at: datetime | None
    facts: Facts


def digest_of(facts: Facts) -> bytes:
    """Return what tells these facts from others."""
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).digest()
