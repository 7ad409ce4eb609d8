"""What is read out of a ticket's notes."""

import pytest

from patchline.demo.tracker import introduced

OPENED = """Windows 11 24H2 x64 cumulative: update fails at Hudson Dental Group.

Devices (2):
- HDG-WS-001 (windows, workstation): failed once, code 0x80070643. rmm/ninjaone/main, device 1, asset a
- HDG-KSK-002 (windows, kiosk): failed 2 times. rmm/ninjaone/main, device 2, asset b

Already cleared (1):
- HDG-WS-003: proven installed

What to do:
1. Read the error code."""
APPENDED = """Failing too (1):
- HDG-WS-009 (windows, workstation): failed once. rmm/ninjaone/main, device 9, asset c

Still failing (1):
- HDG-WS-001 (windows, workstation): failed 9 times. rmm/ninjaone/main, device 1, asset a

Failing on this ticket now: 3."""


RESOLVED = """No device on this ticket is failing any more.

Cleared (2):
- HDG-WS-001: proven installed
- HDG-KSK-002: proven installed"""
AT_FIRST = {"HDG-WS-001": 1, "HDG-KSK-002": 1, "HDG-WS-003": 1}


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        pytest.param([], {}, id="no notes"),
        pytest.param([OPENED], AT_FIRST, id="the devices it was opened with, one of them cleared by then"),
        pytest.param([APPENDED], {"HDG-WS-009": 1}, id="a repeat introduces nobody"),
        pytest.param([OPENED, OPENED], AT_FIRST | {"HDG-WS-001": 2, "HDG-KSK-002": 2}, id="a note that is there twice"),
        pytest.param([OPENED, RESOLVED], AT_FIRST, id="who is cleared later was introduced before"),
        pytest.param([OPENED.replace("\n", "\r\n")], AT_FIRST, id="lines as the web ends them"),
        pytest.param(
            ["Devices (1):\n- device 4021 (windows, server): failed once."], {"4021": 1}, id="no hostname yet"
        ),
        pytest.param(["A person wrote: Devices (2) are on my desk"], {}, id="a person's words"),
    ],
)
def test_devices_are_counted_where_notes_introduce_them(notes: list[str], expected: dict[str, int]) -> None:
    assert introduced(notes) == expected
