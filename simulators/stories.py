"""What can become of one update on one device. Each story writes the device's day from its window to the evening."""

from collections.abc import Callable
from typing import Final

from simulators.releases import Release
from simulators.script import EVENING, Script, What

Story = Callable[[Script, Release], None]

CODES: Final = ("0x800f0922", "0x80070643", "0x8024200b", "0x800f081f", "0x80070070", "0x80073712")
"""Result codes of failed Windows updates that every technician has seen. Source: Windows Update error reference."""


def proven(script: Script, release: Release) -> None:
    """It installs, the device restarts, and the evening's scan no longer lists it."""
    script.install(release)
    _restart(script)


def waits_for_restart(script: Script, release: Release) -> None:
    """It installs, and nobody lets the device restart."""
    script.install(release)
    script.wait(1, 5)
    script.tell(What.RESTART_PENDING)


def fails(script: Script, release: Release) -> None:
    """It fails, and later again or not."""
    for _ in range(script.rng.choice((1, 1, 2))):
        _fail(script, release)


def fails_nine_times(script: Script, release: Release) -> None:
    """It fails, and every retry too."""
    code = script.rng.choice(CODES)
    for _ in range(9):
        script.tell(What.FAILED, release, code)
        script.wait(4, 9)


def fails_then_proven(script: Script, release: Release) -> None:
    """It fails first; a second run is proven."""
    _fail(script, release)
    proven(script, release)


def lies(script: Script, release: Release) -> None:
    """The deployer says that it installed; the device restarts; the evening's scan lists it still."""
    script.install(release, truly=False)
    _restart(script)


def goes_silent(script: Script, release: Release) -> None:
    """It installs; then the device is switched off, and no scan of the evening sees it."""
    script.install(release)
    script.wait(10, 30)
    script.tell(What.OFFLINE)
    script.go_to(EVENING)


def installs(script: Script, release: Release) -> None:
    """It installs, without a restart of its own."""
    script.install(release)
    script.wait(1, 4)


def fails_then_installs(script: Script, release: Release) -> None:
    """It fails first; a second run installs it, without a restart of its own."""
    _fail(script, release)
    installs(script, release)


def untouched(script: Script, release: Release) -> None:
    """Nobody installs it on this day."""
    _ = release
    script.wait(1, 5)


def scans_no_more(script: Script, release: Release) -> None:
    """Its agent answers, but has not looked for updates for weeks."""
    _ = release
    script.go_to(EVENING)


def unboxed(script: Script, release: Release) -> None:
    """It is new: enrolled on this day, and its agent has not looked for updates yet."""
    _ = release
    script.tell(What.ENROLLED)
    script.go_to(EVENING)


def rejected(script: Script, release: Release) -> None:
    """A technician declines it."""
    script.tell(What.REJECTED, release)


def rolled_back(script: Script, release: Release) -> None:
    """It installs, the device restarts, and the user's complaint takes it off again."""
    proven(script, release)
    script.wait(10, 20)
    script.missing.append(release)
    script.tell(What.ROLLED_BACK, release)


def _fail(script: Script, release: Release) -> None:
    script.tell(What.FAILED, release, script.rng.choice(CODES))
    script.wait(10, 25)


def _restart(script: Script) -> None:
    script.wait(1, 4)
    if script.rng.random() < 0.6:
        script.tell(What.RESTART_PENDING)
    script.wait(3, 15)
    script.restart()


USUAL: Final[tuple[tuple[int, Story], ...]] = (
    (56, proven),
    (9, waits_for_restart),
    (7, fails),
    (5, fails_then_proven),
    (3, lies),
    (4, goes_silent),
    (2, rejected),
    (1, rolled_back),
    (13, untouched),
)
"""How often each becomes of the month's update of an operating system."""

USUAL_OF_SOFTWARE: Final[tuple[tuple[int, Story], ...]] = ((70, installs), (6, fails), (24, untouched))

FAILING: Final = frozenset({fails, fails_nine_times, fails_then_proven})
"""The stories in which the update of a system fails."""
