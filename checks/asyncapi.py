"""Validates contracts/asyncapi.json with the JSON Schema that the specification's authors publish on npm.

Their file is not ours to commit: `npm pack` fetches it once into the cache, and its checksum is pinned here. Exit code
1 for a document that breaks the specification. Without npm, or without its registry, that is said loudly and is no
failure: `python -m contracts.schemas check` has compared the document with the topics by then.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator

from contracts import asyncapi

PACKAGE: Final = "@asyncapi/specs@6.11.1"
SHA512: Final = "A3WBLqAKGoJ2+6FWFtpjBlCQ1oFCcs4GxF7zsIGvNqp/klGUHjlA3aAcZ9XMMpLGE8zPeYDz2x9FmO6DSuKraQ=="
MEMBER: Final = "package/schemas/3.0.0-without-$id.json"
TIMEOUT_SECONDS: Final = 120
BROKEN: Final = 1


class NotFetched(Exception):
    """The published schema cannot be had here, or is not the one that was pinned."""


def published_schema() -> dict[str, Any]:
    """Return the schema of AsyncAPI 3.0.0, from the cache or fetched into it.

    Raises:
        NotFetched: it cannot be had here; the text says why.
    """
    package = _cache() / f"asyncapi-specs-{hashlib.sha256(SHA512.encode()).hexdigest()[:12]}.tgz"
    if not package.exists():
        _fetch(package)
    if _sha512(package) != SHA512:
        package.unlink()
        raise NotFetched(f"{PACKAGE}: not the file that was pinned; it was removed from the cache")
    with tarfile.open(package) as archive:
        member = archive.extractfile(MEMBER)
        if member is None:
            raise NotFetched(f"{PACKAGE}: {MEMBER} is not in it")
        schema: dict[str, Any] = json.load(member)
    return schema


def violations(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Return each place where `document` breaks `schema`, with what is wrong there."""
    errors = sorted(Draft7Validator(schema).iter_errors(document), key=lambda error: list(map(str, error.path)))
    return [f"{'/'.join(map(str, error.path)) or 'document'}: {error.message[:200]}" for error in errors]


def main() -> int:
    """Validate the committed document and return the exit code."""
    try:
        schema = published_schema()
    except NotFetched as error:
        sys.stdout.write(f"asyncapi: NOT VALIDATED, the published schema cannot be had here: {error}\n")
        return 0
    found = violations(json.loads(asyncapi.FILE.read_text()), schema)
    sys.stdout.write("".join(f"asyncapi: {each}\n" for each in found) or "asyncapi: valid by the published schema\n")
    return BROKEN if found else 0


def _cache() -> Path:
    own = os.environ.get("XDG_CACHE_HOME")
    return (Path(own) if own else Path.home() / ".cache") / "patchline"


def _fetch(package: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotFetched("npm is not installed")
    package.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=package.parent, prefix="fetching-") as scratch:
        command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", scratch]
        try:
            subprocess.run(  # noqa: S603 - npm, with words of ours
                command, cwd=scratch, capture_output=True, text=True, check=True, timeout=TIMEOUT_SECONDS
            )
        except subprocess.CalledProcessError as error:
            raise NotFetched((error.stderr or error.stdout).strip()[:300]) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotFetched(str(error)) from error
        [fetched] = Path(scratch).glob("*.tgz")
        fetched.rename(package)


def _sha512(file: Path) -> str:
    return base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()


if __name__ == "__main__":
    sys.exit(main())
