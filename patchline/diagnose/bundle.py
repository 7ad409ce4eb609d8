"""The bundle: each part is collected alone, what fails is noted, and no file is packed before it was searched."""

import asyncio
import io
import json
import tarfile
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import asyncpg
import httpx
from aiokafka.errors import KafkaError

from chassis.errors import MayWorkLater, NeverWorks
from patchline.diagnose import scrub

Files = Mapping[str, str]
"""Text by file name."""

Part = Callable[[], Awaitable[Files]]

PART_SECONDS: Final = 30
UNREACHABLE: Final = (
    OSError,
    TimeoutError,
    KafkaError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    httpx.HTTPError,
    NeverWorks,
    MayWorkLater,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One part of a bundle: what it brought, or why not."""

    part: str
    ok: bool
    files: tuple[str, ...]
    seconds: float
    note: str = ""


async def collected(parts: Mapping[str, Part], secrets: Collection[str]) -> tuple[dict[str, str], list[Entry]]:
    """Return the files of all parts, scrubbed, and what became of each part; one that cannot be had stops no other."""
    files: dict[str, str] = {}
    entries: list[Entry] = []
    for name, part in parts.items():
        started = time.monotonic()
        note, own = "", {}
        try:
            async with asyncio.timeout(PART_SECONDS):
                own = {file: scrub.text(text, secrets) for file, text in (await part()).items()}
        except UNREACHABLE as error:
            note = f"{type(error).__name__}: {scrub.sentence(str(error), secrets)}"
        files |= own
        took = round(time.monotonic() - started, 3)
        entries.append(Entry(part=name, ok=not note, files=tuple(sorted(own)), seconds=took, note=note))
    return files, entries


def as_json(value: object) -> str:
    """Return `value` as the text of a file."""
    return json.dumps(value, default=str, indent=2, ensure_ascii=False) + "\n"


def manifest(entries: Collection[Entry], files: Files, at: datetime) -> str:
    """Return what the bundle holds, for whoever opens it."""
    sizes = {name: len(text.encode()) for name, text in sorted(files.items())}
    return as_json({"made_at": at, "parts": [asdict(each) for each in entries], "bytes_by_file": sizes})


def write(path: Path, files: Files, at: datetime) -> None:
    """Write the bundle, readable by its owner alone.

    Raises:
        OSError: the file cannot be written.
    """
    path.touch(mode=0o600)
    with tarfile.open(path, "w:gz") as archive:
        for name, text in sorted(files.items()):
            content = text.encode()
            member = tarfile.TarInfo(f"patchline-diagnose/{name}")
            member.size, member.mode, member.mtime = len(content), 0o600, int(at.timestamp())
            archive.addfile(member, io.BytesIO(content))
