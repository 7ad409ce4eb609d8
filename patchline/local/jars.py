"""Kafka's jars, fetched once from Maven Central: by Maven where it is installed, else by jgo in pure Python.

`kafka-pom.xml` names them, `kafka-jars.sha256` (the output of `sha256sum *.jar`) says what they must be.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable, Say
from patchline.local.java import Java

POM: Final = Path(__file__).with_name("kafka-pom.xml")
CHECKSUMS: Final = Path(__file__).with_name("kafka-jars.sha256")
_TIMEOUT_SECONDS: Final = 600
_AT_ONCE: Final = 8

Fetch = Callable[[Path], None]
"""Puts all jars that the pom asks for into a directory."""


class JarsMissing(PartUnavailable):
    """The jars could not be fetched, or are not what they should be."""


def kafka_jars(cache: Path, *, java: Java, say: Say) -> Path:
    """Return the directory of Kafka's jars below `cache`, fetched and checked if they are not there yet.

    Raises: JarsMissing.
    """
    wanted = cache / f"kafka-{hashlib.sha256(CHECKSUMS.read_bytes()).hexdigest()[:12]}"
    if wanted.is_dir():
        return wanted
    refusals: list[str] = []
    for name, fetch in _fetchers(java):
        say(f"kafka: fetching the jars with {name} (once)")
        try:
            return fetched(wanted, fetch)
        except JarsMissing as error:
            refusals.append(f"{name}: {error}")
    raise JarsMissing(
        f"Kafka's jars could not be fetched ({'; '.join(refusals)}); check that Maven Central can be reached"
    )


def fetched(wanted: Path, fetch: Fetch) -> Path:
    """Return `wanted`, filled by `fetch` whole or not at all, after every jar was checked."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.parent, prefix="fetching-") as scratch:
        jars = Path(scratch) / "jars"
        jars.mkdir()
        fetch(jars)
        check(jars)
        try:
            jars.rename(wanted)
        except OSError:  # another start was faster
            if not wanted.is_dir():
                raise
    return wanted


def check(jars: Path) -> None:
    """Compare the jars with the committed checksums. Raises: JarsMissing."""
    expected = {name: digest for digest, name in (line.split() for line in CHECKSUMS.read_text().splitlines())}
    actual = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in jars.glob("*.jar")}
    wrong = sorted({name for name, _ in expected.items() ^ actual.items()})
    if wrong:
        raise JarsMissing(f"missing, unexpected or altered: {', '.join(wrong)}")


def fetch_with_maven(maven: str, java: Java) -> Fetch:
    """Return how Maven fetches, with the mirrors and proxies of the user's own settings."""

    def fetch(jars: Path) -> None:
        command = [maven, "--batch-mode", "--quiet", f"--file={POM}", "dependency:copy-dependencies"]
        options = [f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
        try:
            subprocess.run(
                [*command, *options],
                env={**os.environ, "JAVA_HOME": str(java.home)},
                cwd=jars,
                capture_output=True,
                text=True,
                check=True,
                timeout=_TIMEOUT_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            raise JarsMissing((error.stdout or error.stderr).strip()[:300]) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise JarsMissing(str(error)) from error

    return fetch


def fetch_with_jgo(jars: Path) -> None:
    """Fetch with jgo's own resolver, into a repository that lives beside `jars` for as long as this takes."""
    try:
        from jgo import maven  # noqa: PLC0415 - in the `local` group, which an image does not have
    except ImportError as error:
        raise JarsMissing("jgo is not installed; run `uv sync`") from error
    context = maven.MavenContext(repo_cache=jars.parent / "repository", timeout=60)
    try:
        inputs, transitive = context.resolver.resolve(context.pom_dependencies(maven.POM(POM)))
        needed = [*inputs, *(each for each in transitive if each.scope in {"compile", "runtime"})]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            paths = list(pool.map(lambda dependency: dependency.artifact.resolve(), needed))
    except (OSError, RuntimeError, ValueError) as error:  # requests' errors are OSErrors
        raise JarsMissing(str(error)[:300]) from error
    for path in paths:
        shutil.move(path, jars / Path(path).name)


def _fetchers(java: Java) -> list[tuple[str, Fetch]]:
    maven = shutil.which("mvn")
    with_maven = [("mvn", fetch_with_maven(maven, java))] if maven else []
    return [*with_maven, ("jgo", fetch_with_jgo)]
