"""What a run's figures depend on: cores, memory and versions, beside them in `build/reports/bench-environment.json`."""

import importlib.metadata
import json
import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.load import generator
from bench.measured import connected
from bench.pinned import CORES
from patchline.local import jars, java

FILE: Final = Path("build/reports/bench-environment.json")
LIBRARIES: Final = ("aiokafka", "asyncpg", "pydantic-core", "uvloop", "httptools")
BROKER: Final = re.compile(r"\bkafka-server-([\d.]+)\.jar")


async def noted(database: str, command: str) -> None:
    """Write the file; `database` is where the PostgreSQL of this run answers, `command` what was typed."""
    async with connected(database) as connection:
        version = str(await connection.fetchval("SHOW server_version"))
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps({"command": command, **environment(version)}, indent=2) + "\n")


def environment(postgres: str) -> dict[str, Any]:
    """Return the machine by its cores and memory only, and the versions of whatever takes part in the run."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory_gib": round(memory_gib, 1),
        "pinned": str(CORES),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {
            "Kafka": kafka_version((Path(jars.__file__).parent / "kafka-jars.sha256").read_text()),
            "PostgreSQL": postgres,
            "Java": java.find().build.splitlines()[0],
            "Python": platform.python_version(),
            "kernel": platform.release(),
            "load generator": generator(),
        }
        | {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def kafka_version(listed: str) -> str:
    """Return which Kafka the local broker is, by the jars that it is made of.

    Raises:
        ValueError: there is no broker among them.
    """
    if (found := BROKER.search(listed)) is None:
        raise ValueError("no kafka-server jar is listed")
    return found[1]
