"""The day of a device that Datto RMM looks after: its monitors push alerts, all else is seen by asking, patches never.

A webhook of Datto's has no moment, so it counts from its receipt. As in reality, an alert happens about when its
delivery arrives: in the evening, while the deliveries of the whole day do.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from simulators.fleet import DATTO_CLINIC
from simulators.releases import Release
from simulators.script import NOW, Happening, Script, What, window_of
from simulators.stories import CODES, Story

ALERTS_FROM: Final = NOW + timedelta(seconds=200)
ALERTS_WITHIN: Final = timedelta(seconds=20)
"""Alerts happen within so long. All is sent less than five minutes before or after them, on a slow machine too."""

LAST_LOOK: Final = NOW + timedelta(minutes=5)
"""At this moment the API shows all that the evening came to."""

PUSHED: Final = frozenset({What.ALERT, What.ALERT_OVER, What.OFFLINE, What.ONLINE, What.FAILED})
"""What a monitor raises or resolves. Nothing else is told by any webhook: no installation, no scan, no restart."""


def fails(script: Script, release: Release) -> None:
    """Its update fails; a monitor tells so."""
    script.tell(What.FAILED, release, script.rng.choice(CODES))


def fails_then_installs(script: Script, release: Release) -> None:
    """Its update fails, then installs: Datto resolves the alert, and says nowhere that the update is there."""
    fails(script, release)
    _wait_seconds(script)
    script.install(release)


def fills_its_disk(script: Script, release: Release) -> None:
    """Its disk is full, and then is not."""
    _ = release
    script.tell(What.ALERT)
    _wait_seconds(script)
    script.tell(What.ALERT_OVER)


def goes_away(script: Script, release: Release) -> None:
    """It goes offline, and is back or not."""
    _ = release
    script.tell(What.OFFLINE)
    if script.rng.random() < 0.5:
        _wait_seconds(script)
        script.tell(What.ONLINE)


def stays_quiet(script: Script, release: Release) -> None:
    """No monitor has anything to tell, though its update installed and waits for a restart."""
    script.install(release)
    script.tell(What.RESTART_PENDING)


CERTAIN: Final[tuple[Story, ...]] = (fails, fails, fills_its_disk, fails_then_installs, goes_away)
"""The first devices have these, however small the fleet."""

USUAL: Final[tuple[Story, ...]] = (stays_quiet, stays_quiet, fails, fails_then_installs, fills_its_disk, goes_away)


def chosen(count: int, rng: random.Random) -> list[Story]:
    """Return the stories of so many devices."""
    return [*CERTAIN, *rng.choices(USUAL, k=count)][:count]


def write(script: Script, story: Story) -> None:
    """Write one device's day: it is looked at in the morning, may restart at noon, and has its story in the evening."""
    release = script.device.system.update
    script.scan()
    script.missing.append(release)
    if script.rng.random() < 0.3:
        script.go_to(window_of(script.device))
        script.restart()
    script.go_to(ALERTS_FROM + ALERTS_WITHIN * script.rng.random())
    story(script, release)


def with_losses(happenings: Sequence[Happening]) -> list[Happening]:
    """Let no webhook tell what no monitor pushes, and lose those of every other failure, the first never.

    A device that fails to the end keeps its ticket open until a poll brings the lost ones to it.
    """
    done: list[Happening] = []
    failures = 0
    for each in happenings:
        is_told = each.told
        if each.device.source is DATTO_CLINIC:
            failures += each.what is What.FAILED
            is_told = each.what in PUSHED and not (each.what is What.FAILED and failures % 2 == 0)
        done.append(replace(each, told=is_told))
    return done


def _wait_seconds(script: Script) -> None:
    script.wait(0.05, 0.2)
