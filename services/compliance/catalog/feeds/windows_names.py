"""What a Windows is called: vendors' lists spell one product in several ways, the catalog in one. Pure."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from contracts.events.event import OsFamily
from services.compliance.catalog.entries import ProductEntry, SelectorEntry, TrainEntry
from services.compliance.catalog.model import Reads

SYSTEMS: Final = Path(__file__).parent / "windows_systems.json"
NAME: Final = re.compile(
    r"(?:microsoft )?windows (?P<what>server )?(?P<number>[0-9][0-9.]*(?: r2)?)"
    r"(?:,? version (?P<version>[0-9]{2}h[12]|[0-9]{4}))?"
    r"(?: for (?P<kind>x64|arm64|arm|32-bit|x86)(?:-based)? systems)?(?: \(server core installation\))?"
)
KINDS: Final = {"x64": "x64", "arm64": "arm64", "arm": "arm64", "32-bit": "x86", "x86": "x86"}


class System(BaseModel):
    """How a device shows that it is one Windows: by its build, and where systems share one, by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    product: str
    for_servers: bool
    builds: tuple[str, ...]
    line: str | None = None
    name_has: str | None = None
    name_lacks: str | None = None

    def entry(self, name: str, trains: tuple[TrainEntry, ...]) -> ProductEntry:
        """Return the product as the catalog has it."""
        return ProductEntry(
            product=name,
            os_family=OsFamily.WINDOWS,
            for_servers=self.for_servers,
            reads=Reads.BUILD,
            line=self.line,
            select=tuple(
                SelectorEntry(build=build, name_has=self.name_has, name_lacks=self.name_lacks) for build in self.builds
            ),
            trains=trains,
        )


@cache
def systems() -> dict[str, System]:
    """Return every Windows whose build is known, by its name without the kind of processor."""
    found = TypeAdapter(tuple[System, ...]).validate_json(SYSTEMS.read_text(encoding="utf-8"))
    return {each.product: each for each in found}


def normal_name(spelled: str) -> str | None:
    """Return a product's name as the catalog spells it; `None`: it is no Windows that has a name of that form.

    `Windows 11 version 26H1 for ARM systems` is `Windows 11 26H1 arm64`. Server Core is patched as the whole server is.
    """
    match = NAME.fullmatch(" ".join(spelled.split()).casefold())
    if match is None:
        return None
    number = match["number"].replace("r2", "R2")
    words = ["Windows", "Server" if match["what"] else "", number, (match["version"] or "").upper()]
    kind = KINDS[match["kind"]] if match["kind"] else ""
    return " ".join(word for word in (*words, "" if match["what"] and kind == "x64" else kind) if word)


def system_of(name: str) -> System | None:
    """Return how devices show that they are the product of that normal name; `None`: it is not known.

    Kinds of processor read alike, so only the 64-bit one, which nearly all are, selects devices.
    """
    return systems().get(name.removesuffix(" x64")) if not name.endswith((" arm64", " x86")) else None
