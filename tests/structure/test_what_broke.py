"""A test run that breaks says why at its very end."""

import subprocess
import sys
from pathlib import Path

BREAKS = """
from tests.what_broke import WhatBroke
import os, pytest

def pytest_configure(config):
    config.pluginmanager.register(WhatBroke(lambda line: os.write(2, f"[broken] {line}\\n".encode())))

@pytest.hookimpl(trylast=True)
def pytest_runtest_logstart(nodeid):
    if "second" in nodeid:
        raise OSError("no space left")
"""
TESTS = "def test_first(): assert True\ndef test_second(): assert True\ndef test_third(): assert True\n"


def _ended(folder: Path, *arguments: str) -> list[str]:
    """Run the three tests in `folder` and return the last lines of what was said."""
    Path(folder, "conftest.py").write_text(BREAKS)
    Path(folder, "test_three.py").write_text(TESTS)
    Path(folder, "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    return ended.stderr.splitlines()


def test_what_broke_a_process_of_tests_stands_last(tmp_path: Path) -> None:
    said = _ended(tmp_path, "-n", "2")

    assert said[-1].startswith("[broken]")
    assert any("OSError: no space left" in line for line in said if line.startswith("[broken]"))


def test_a_run_in_one_process_says_it_too(tmp_path: Path) -> None:
    assert _ended(tmp_path)[-1] == "[broken] OSError: no space left"
