"""The decision tables that come along, each a file of facts with its authority and version."""

from functools import cache
from pathlib import Path
from typing import Final

import yaml

from services.compliance.priority.rules_trees import Tree, tree

DEPLOYER: Final = "ssvc-deployer-1.0.0"
COORDINATOR: Final = "cisa-coordinator-2.0.3"
BOD_26_04: Final = "cisa-bod-26-04-1.0.0"
IDS: Final = (DEPLOYER, COORDINATOR, BOD_26_04)

_FOLDER: Final = Path(__file__).parent


@cache
def trees() -> dict[str, Tree]:
    """Return every table by its id, read once."""
    return {id_: tree(yaml.safe_load((_FOLDER / f"{id_}.yaml").read_text(encoding="utf-8"))) for id_ in IDS}
