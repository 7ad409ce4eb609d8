"""Where this service keeps its tables."""

from pathlib import Path
from typing import Final

from chassis.migrate import Schema

SCHEMA: Final = Schema("credentials", Path(__file__).parent / "migrations")
