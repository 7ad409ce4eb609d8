"""The house rules that no linter has: sizes, names, one place for broad excepts, documents that name real files."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bench", "chassis", "checks", "contracts", "faults", "patchline", "services", "simulators")
FILES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
FUNCTION_LINES = 40
FILE_LINES = 300
CHASSIS_CODE_LINES = 2400  # ADR 0025
BANNED = {"utils", "helpers", "common", "base", "manager", "service", "process", "data", "info", "obj"}
DOMAIN_WORDS = ("patch_", "asset", "obligation", "ticket", "rmm", "psa", "windows", "ninja", "datto", "requirement")


def _id(file: Path) -> str:
    return str(file.relative_to(ROOT))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("file", FILES, ids=_id)
def test_files_and_functions_are_short(file: Path) -> None:
    text = file.read_text()

    assert len(text.splitlines()) <= FILE_LINES
    long = {f.name: f.end_lineno - f.lineno + 1 for f in _functions(ast.parse(text)) if f.end_lineno is not None}
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES} == {}


@pytest.mark.parametrize("file", FILES, ids=_id)
def test_no_name_refuses_nothing(file: Path) -> None:
    tree = ast.parse(file.read_text())
    names = {file.stem, *(node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef))}
    last_words = {name: re.split(r"_|(?<=[a-z])(?=[A-Z])", name)[-1].lower() for name in names}

    assert {name for name, word in last_words.items() if word in BANNED} == set()


@pytest.mark.parametrize("file", FILES, ids=_id)
def test_every_module_says_what_it_is_for(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text()))


@pytest.mark.parametrize("file", FILES, ids=_id)
def test_only_the_chassis_catches_everything(file: Path) -> None:
    handlers = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ExceptHandler)]
    broad = [h.lineno for h in handlers if isinstance(h.type, ast.Name) and h.type.id in {"Exception", "BaseException"}]
    reraised = {
        h.lineno for h in handlers if isinstance(h.body[-1], ast.Raise) and h.body[-1].exc is None
    }  # tidying up before raising again swallows nothing

    assert file.is_relative_to(ROOT / "chassis") or set(broad) <= reraised


def test_every_module_of_rules_is_under_the_contract_that_keeps_it_pure() -> None:
    rules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in (ROOT / "services").rglob("*.py")
        if file.stem.startswith("rules") or (file.parent.name == "vendors" and file.stem != "__init__")
    }
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [pure] = [each for each in contracts if each["name"].startswith("Rules are pure")]

    assert rules - set(pure["source_modules"]) == set()


def _docstring_lines(text: str) -> set[int]:
    """Return the numbers of the lines that only explain: docstrings of modules, classes, functions and constants."""
    texts = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    )
    return {line for node in texts for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def test_the_chassis_stays_small() -> None:
    code = [
        line
        for text in (file.read_text() for file in (ROOT / "chassis").rglob("*.py"))
        for explained in [_docstring_lines(text)]
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.strip().startswith("#") and number not in explained
    ]

    assert len(code) <= CHASSIS_CODE_LINES


@pytest.mark.parametrize("file", sorted((ROOT / "chassis").rglob("*.py")), ids=_id)
def test_the_chassis_knows_no_domain_word(file: Path) -> None:
    names = {node.id.lower() for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}

    assert [name for name in sorted(names) if any(word in name for word in DOMAIN_WORDS)] == []


@pytest.mark.parametrize("document", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=_id)
def test_a_document_links_to_files_that_exist(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []
