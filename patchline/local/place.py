"""Where the local parts keep their files: the project's state directory, the cache, and files only we may read."""

import hashlib
import os
import pwd
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SHARED_STATE: Final = Path("/var/tmp")  # noqa: S108 - kept over a reboot; `made_shared` checks who owns ours


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that a program runs as."""

    uid: int
    gid: int


def home(environ: Mapping[str, str]) -> Path:
    """Return the state directory: PATCHLINE_HOME, else `.patchline` in the checkout, else in the current directory."""
    if environ.get("PATCHLINE_HOME"):
        return Path(environ["PATCHLINE_HOME"]).expanduser().resolve()
    project = _CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else Path.cwd()
    return project / ".patchline"


def cache(environ: Mapping[str, str]) -> Path:
    """Return where downloads are kept for all projects of this user: PATCHLINE_CACHE, else the user's cache."""
    if environ.get("PATCHLINE_CACHE"):
        return Path(environ["PATCHLINE_CACHE"]).expanduser().resolve()
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "patchline"


def nobody() -> Account:
    """Return the account without rights that servers run as when we are root."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(entry.pw_uid, entry.pw_gid)


def is_reachable(path: Path, account: Account) -> bool:
    """Return whether `account` may pass every directory down to `path`, and read what is there.

    Asks the mode bits only; a `path` that does not exist yet is judged by its nearest existing parent.
    """
    existing = path.resolve()
    while not existing.exists():
        existing = existing.parent
    return all(_allows(part, account) for part in (existing, *existing.parents))


def made(path: Path) -> Path:
    """Return the directory `path`, made with all its parents so that other accounts can pass, whatever the umask."""
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        missing.mkdir(exist_ok=True)
        missing.chmod(0o755)
    return path


def shared(wanted: Path) -> Path:
    """Return the name of a directory that other accounts can reach, in place of `wanted`."""
    digest = hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:8]
    return _SHARED_STATE / f"patchline-{os.getuid()}-{digest}"


def made_shared(wanted: Path) -> Path:
    """Make and return `shared(wanted)`. Raises: PartUnavailable when someone else owns that name."""
    path = made(shared(wanted))
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise PartUnavailable(f"{path} belongs to someone else; remove it, or set PATCHLINE_HOME to another directory")
    return path


@contextmanager
def throwaway_home() -> Iterator[Path]:
    """Make a state directory that other accounts can reach (pytest's own is not), and remove it at the end."""
    path = Path(tempfile.mkdtemp(prefix="patchline-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def kept_secret(path: Path) -> str:
    """Return the secret in `path`; the first call makes one and writes it readable by us alone."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(18))
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write `text` whole or not at all, readable by us alone."""
    made(path.parent)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def _allows(path: Path, account: Account) -> bool:
    status = path.stat()
    shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
    wanted = 0o1 if path.is_dir() else 0o4
    return bool(status.st_mode >> shift & wanted)
