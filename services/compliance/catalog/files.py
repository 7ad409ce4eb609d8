"""Files of feeds as bytes: read from a disk, unpacked within a limit, told apart by their digest."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from services.compliance.catalog.feeds.found import FeedRefused, File

MOST_BYTES: Final = 256 * 1024 * 1024
"""What one file may have, unpacked: the largest public list has a tenth of it."""

GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Source:
    """One file's bytes and where they come from. `fetched_at`: when we fetched it; `None`: somebody else did."""

    name: str
    origin: str
    content: bytes
    fetched_at: datetime | None = None

    @property
    def file(self) -> File:
        """Return the file as text.

        Raises:
            FeedRefused: it is not UTF-8, or too large.
        """
        try:
            return File(self.name, _unpacked(self.content, self.name).decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise FeedRefused(f"{self.name}: is not UTF-8") from error


def digest(sources: Sequence[Source]) -> str:
    """Return the SHA-256 of the bytes: of one file its own, of several that of all of theirs in the order of names."""
    each = [hashlib.sha256(source.content).hexdigest() for source in sorted(sources, key=lambda source: source.name)]
    return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()


def read_files(paths: Sequence[Path]) -> list[Source]:
    """Return files; a folder stands for its JSON files, however deep.

    Raises:
        FeedRefused: nothing is there, or a file is too large.
    """
    files = [file for path in paths for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise FeedRefused(f"{', '.join(str(path) for path in paths)}: no JSON file is in there")
    found = []
    for file in files:
        try:
            if file.stat().st_size > MOST_BYTES:
                raise FeedRefused(f"{file}: has more than {MOST_BYTES} bytes")
            found.append(Source(file.name, file.name, file.read_bytes()))
        except OSError as error:
            raise FeedRefused(f"{file} cannot be read: {error.strerror}") from error
    return found


def _unpacked(content: bytes, name: str) -> bytes:
    if not content.startswith(GZIP):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            found = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FeedRefused(f"{name}: is packed, and broken: {error}") from error
    if len(found) > MOST_BYTES:
        raise FeedRefused(f"{name}: unpacks to more than {MOST_BYTES} bytes")
    return found
