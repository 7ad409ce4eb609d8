"""A pooled connection goes back as it is: no statement leaves a setting, a lock or a listener behind on one."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAVES_SOMETHING = re.compile(
    r"pg_(try_)?advisory_lock(_shared)?\("
    r"|set_config\('\w+', \$\d, false\)"
    r"|\A\s*(SET (?!LOCAL)\w+ ?(=|TO) |LISTEN \w|DECLARE \w)"
)
OWN_CONNECTION = {
    "chassis/migrate.py": "a migration's",
    "chassis/relay_rows.py": "a relay's",
    "patchline/rebuild/sessions.py": "a rebuild's",
    "patchline/rebuild/shadow.py": "a rebuild's",
    "patchline/watermark.py": "a command's",
    "services/gateway/door/store_spool.py": "the drainer's",
    "services/credentials/reset/alone.py": "unlocks, or ends the connection",
}
"""Whose connection each is on that leaves something behind on purpose."""

FILES = sorted(
    file
    for folder in ("chassis", "services", "patchline", "contracts")
    for file in (ROOT / folder).rglob("*.py")
    if str(file.relative_to(ROOT)) not in OWN_CONNECTION
)


def _texts(file: Path) -> list[str]:
    tree = ast.parse(file.read_text())
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize("file", [pytest.param(each, id=str(each.relative_to(ROOT))) for each in FILES])
def test_no_statement_outlives_its_transaction(file: Path) -> None:
    found = [text.strip()[:80] for text in _texts(file) if LEAVES_SOMETHING.search(text)]

    assert found == []


@pytest.mark.parametrize("name", OWN_CONNECTION)
def test_what_is_excepted_needs_it(name: str) -> None:
    assert any(LEAVES_SOMETHING.search(text) for text in _texts(ROOT / name))
