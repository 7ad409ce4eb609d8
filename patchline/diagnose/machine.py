"""What this machine says: versions, settings by name, disk, the ends of the processes' logs."""

import json
import platform
import shutil
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from patchline.diagnose import scrub
from patchline.diagnose.bundle import Files, as_json

LINES: Final = 2000
PACKAGES: Final = (
    "patchline",
    "aiokafka",
    "asyncpg",
    "cryptography",
    "faststream",
    "httpx",
    "pydantic",
    "stamina",
    "uvicorn",
    "uvloop",
)
_SMALL_BYTES: Final = 16_384
"""Of a key file or a service account's; what is larger is no secret."""

_WORDS: Final = ("PASSWORD", "PASSPHRASE", "SECRET", "TOKEN", "KEY")


def settings_of(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a command line here would see: the local stack's file, then the environment."""
    file = home / "env"
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line) | dict(environ)


def secrets_of(home: Path, settings: Mapping[str, str]) -> set[str]:
    """Return every secret value that this machine knows: they are searched for, and never shown.

    In files of ours, in those that settings name, and in folders of them, such as that of the directories' secrets.
    """
    named = [Path(value) for name, value in settings.items() if name.endswith("_FILE") or _names_a_secret(name)]
    folders = [Path(value) for name, value in settings.items() if name.endswith("_SECRETS_DIR") and value]
    inside = [path for folder in (home / "secrets", *folders) for path in folder.rglob("*")]
    kept = [*inside, *home.glob("*/*.password"), *home.glob("*/password"), *home.glob("*.secret")]
    values: set[str] = set()
    for path in (*named, *kept):
        values |= _values_in(path)
    for name, value in settings.items():
        password = value.rpartition("@")[0].rpartition(":")[2] if name.endswith("_URL") and "@" in value else ""
        if password and not password.startswith("//"):
            values.add(password)
        if _names_a_secret(name):
            values.add(value)
    return {value for value in values if len(value) >= scrub.SHORTEST_SECRET}


def _names_a_secret(setting: str) -> bool:
    return any(word in setting for word in _WORDS) and not setting.endswith(("_FILE", "_DIR"))


def _values_in(path: Path) -> set[str]:
    """Return a file's text, its words, and, of JSON such as a service account's key, each text in it."""
    try:
        if not path.is_file() or path.stat().st_size > _SMALL_BYTES:
            return set()
        text = path.read_text(errors="replace").strip()
    except OSError:
        return set()  # what we may not read, no text of ours can hold
    try:
        held = list(_texts(json.loads(text)))
    except ValueError:
        held = []
    return {text, *(word for each in (text, *held) for word in (each, *each.split()))}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


async def versions() -> Files:
    """Return what runs here."""
    found = {"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine()}
    return {"versions.json": as_json(found | {"packages": dict(_installed())})}


def _installed() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, "not installed"


def settings(values: Mapping[str, str]) -> Files:
    """Return the settings, redacted."""
    return {"settings.json": as_json(scrub.settings(values))}


def disk(home: Path) -> Files:
    """Return how full the disk is and what our folders take.

    Raises:
        OSError: the folder is not there.
    """
    usage = shutil.disk_usage(home)
    sizes = {each.name: _size(each) for each in sorted(home.iterdir()) if each.is_dir()}
    return {
        "disk.json": as_json({"total": usage.total, "used": usage.used, "free": usage.free, "bytes_by_folder": sizes})
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def logs(home: Path, secrets: Collection[str]) -> Files:
    """Return the end of every process's log, each line scrubbed; the parts' own logs stay here.

    Raises:
        OSError: one cannot be read.
    """
    files = [*(home / "logs").glob("*.log"), *home.glob("up.log")]
    return {f"logs/{file.name}": "\n".join(_tail(file, secrets)) + "\n" for file in sorted(files)}


def _tail(file: Path, secrets: Collection[str]) -> list[str]:
    with file.open(errors="replace") as lines:
        return [scrub.log_line(line, secrets) for line in deque(lines, LINES)]
