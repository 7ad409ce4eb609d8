"""Where the local parts keep their files: the project's state directory, the cache, and files only we may read."""

import hashlib
import os
import pwd
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable
from patchline.local.child import Account

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SHARED_STATE: Final = Path("/var/tmp")  # noqa: S108 - kept over a reboot; `shared_place` checks who owns ours


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


def shared_place(project_home: Path) -> Path:
    """Make and return a directory that other accounts can reach, named after `project_home`.

    Raises: PartUnavailable when someone else owns that name.
    """
    digest = hashlib.sha256(str(project_home.resolve()).encode()).hexdigest()[:8]
    path = _SHARED_STATE / f"patchline-{os.getuid()}-{digest}"
    path.mkdir(mode=0o711, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise PartUnavailable(f"{path} belongs to someone else; remove it, or set PATCHLINE_HOME to another directory")
    path.chmod(0o711)
    return path


def kept_secret(path: Path) -> str:
    """Return the secret in `path`; the first call makes one and writes it readable by us alone."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(18))
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write `text` whole or not at all, readable by us alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
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
