"""What wraps data keys: a key from a file, or a key management system. A data key is stored wrapped only."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from chassis.errors import MayWorkLater
from services.gateway.keys.sealing import Purpose, SealBroken, SealingKey, opened, sealed

FILE: Final = "file"
VAULT: Final = "vault"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A data key as it stands in the database. `wrapped` is `None` once it is destroyed."""

    key_id: str
    source_id: str
    sealer: str
    wrapped: bytes | None


class KeyUnavailable(MayWorkLater):
    """A data key cannot be had now: it is not known yet, or what wraps it is away or was set up with another key."""


class KeySealer(Protocol):
    """Wraps and unwraps data keys. What it wrapped for one source and key id unwraps for no other."""

    name: str

    async def wrap(self, key: bytes, *, source_id: str, key_id: str) -> bytes:
        """Return `key` wrapped.

        Raises:
            KeyUnavailable: it cannot be wrapped now.
        """
        ...

    async def unwrap(self, box: bytes, *, source_id: str, key_id: str) -> bytes:
        """Return the key in `box`.

        Raises:
            KeyUnavailable: it cannot be unwrapped now.
        """
        ...

    async def forget(self, source_id: str) -> None:
        """Destroy whatever is kept outside our database that unwraps keys of this source alone; again is a no-op.

        Raises:
            KeyUnavailable: it cannot be done now.
        """
        ...


KeySealers = Mapping[str, KeySealer]
"""By name: a key is unwrapped by what wrapped it, whatever wraps new ones now."""


class FileSealer:
    """Wraps with the sealing key of a file: the one that seals webhook secrets, bound to another purpose."""

    name = FILE

    def __init__(self, sealing_key: SealingKey, *older: SealingKey) -> None:
        """Wrap with `sealing_key`; unwrap also what one of `older` wrapped before the file was exchanged."""
        self._sealing_key = sealing_key
        self._all = (sealing_key, *older)

    async def wrap(self, key: bytes, *, source_id: str, key_id: str) -> bytes:
        """Return `key` wrapped; nothing is waited for."""
        return sealed(self._sealing_key, key, source_id=f"{source_id}#{key_id}", purpose=Purpose.DATA_KEY)

    async def unwrap(self, box: bytes, *, source_id: str, key_id: str) -> bytes:
        """Return the key in `box`; nothing is waited for.

        Raises:
            KeyUnavailable: another sealing key wrapped it. With the right file it opens, so it may work later.
        """
        for sealing_key in self._all:
            with contextlib.suppress(SealBroken):
                return opened(sealing_key, box, source_id=f"{source_id}#{key_id}", purpose=Purpose.DATA_KEY)
        raise KeyUnavailable(
            f"{source_id}: its data key was wrapped with another sealing key than those in PATCHLINE_SEALING_KEY_FILE "
            "and PATCHLINE_OLD_SEALING_KEY_FILES"
        )

    async def forget(self, source_id: str) -> None:
        """Do nothing: the file's key opens other sources too, and the wrapped keys are in our database alone."""
