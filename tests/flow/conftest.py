"""One running product for all flow tests: real processes, real Kafka, real PostgreSQL, a real Roundup."""

import os
import sys
from collections.abc import Generator, Iterator
from datetime import UTC, datetime

import pytest

from patchline.local import place
from patchline.local.parts import PartSettings
from patchline.stack.stack import StackSettings, started
from simulators.script import NOW
from tests.flow.world import SOURCE, World, last_words, run_cli


def _say(line: str) -> None:
    sys.stderr.write(f"[stack] {line}\n")


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    offset = NOW - datetime.now(UTC)
    with place.throwaway_home() as home:
        cache = place.cache(os.environ)
        parts = PartSettings(home=home, cache=cache, kafka_port=0, postgres_port=0, psa_port=0, mail_port=0)
        settings = StackSettings(
            parts=parts,
            gateway_port=0,
            health_port=0,
            simulator_port=0,
            clock_offset_seconds=offset.total_seconds(),
        )
        with started(settings, _say) as stack:
            secret = home / "scripts.secret"
            for command in (
                ("source", "add", "patchline", "scripts", "--secret-file", str(secret)),
                ("client", "add", "Acme", "--zone", "America/New_York", "--psa-company", "ACME"),
                ("client", "add", "Globex", "--zone", "Europe/Berlin", "--psa-company", "GLOBEX"),
                ("client", "map", "Acme", SOURCE.removeprefix("rmm/"), "Acme"),
                ("client", "map", "Globex", SOURCE.removeprefix("rmm/"), "Globex"),
                ("catalog", "load"),
            ):
                done = run_cli(home, *command)
                assert done.returncode == 0, f"{command}: {done.stderr}"
            yield World(stack, secret.read_text().strip(), offset)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show beside a failed test what the services said last."""
    report = yield
    world = getattr(item, "funcargs", {}).get("world")
    if report.failed and isinstance(world, World):
        report.sections.extend(last_words(world.stack.home / "logs"))
    return report
