"""The sources as the database last told them, sealed on disk: what `accept` starts from while PostgreSQL is away.

The file is written when the sources change, and its age is set back whenever they are read and have not changed. What
is secret in it is sealed or hashed as in the database, and the whole is sealed again: who reads or changes the file
without the sealing key learns nothing and is not believed.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from chassis.errors import NeverWorks
from services.gateway.keys.sealing import Purpose, SealBroken, SealingKey, opened, sealed
from services.gateway.registry.sources import StoredSource

_OWNER: Final = "accept"
"""What the seal is bound to besides its purpose."""


class SnapshotBroken(NeverWorks):
    """The file is not there, or is not what was written."""


@dataclass(frozen=True, slots=True)
class _Content:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    sources: list[StoredSource]


_CONTENT: Final = TypeAdapter(_Content)


class SnapshotFile:
    """One sealed file. Its calls block for as long as the disk takes: call them in a thread."""

    def __init__(self, path: Path, sealing_key: SealingKey) -> None:
        """Keep the sources in `path`."""
        self._path = path
        self._sealing_key = sealing_key

    def read(self) -> list[StoredSource]:
        """Return the sources as they were read last.

        Raises:
            SnapshotBroken: there is no such file, it cannot be read, or does not open.
        """
        try:
            box = self._path.read_bytes()
            content = opened(self._sealing_key, box, source_id=_OWNER, purpose=Purpose.SNAPSHOT)
            return _CONTENT.validate_json(content).sources
        except FileNotFoundError as error:
            raise SnapshotBroken(f"{self._path}: there is none") from error
        except OSError as error:
            raise SnapshotBroken(f"{self._path}: {error.strerror}") from error
        except SealBroken as error:
            raise SnapshotBroken(f"{self._path}: sealed with another key, or changed") from error
        except ValidationError as error:
            reason = f"of another release: {error.error_count()} fields do not fit"
            raise SnapshotBroken(f"{self._path}: {reason}") from error

    def write(self, stored: Sequence[StoredSource]) -> None:
        """Replace the file as a whole; who reads it meanwhile reads the old one. Only its owner may.

        Raises:
            OSError: it cannot be written; the old one stays.
        """
        content = _CONTENT.dump_json(_Content(list(stored)))
        box = sealed(self._sealing_key, content, source_id=_OWNER, purpose=Purpose.SNAPSHOT)
        partial = self._path.with_name(f"{self._path.name}.{os.getpid()}.partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(box)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)

    def confirm(self) -> None:
        """Note that what the file holds is what the database says at this moment.

        Raises:
            OSError: the file is gone.
        """
        os.utime(self._path)

    def age_seconds(self) -> float:
        """Return how long ago the file was known to be true.

        Raises:
            OSError: there is no file.
        """
        return max(0.0, time.time() - self._path.stat().st_mtime)
