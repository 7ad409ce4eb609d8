"""The whole day of the whole fleet, the same for the same seed: devices, what happened to them, what scans found."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from simulators import datto_day, releases, stories
from simulators.fleet import CLIENTS, DATTO_CLINIC, NINJAONE_MAIN, Device, fleet
from simulators.releases import PATCH_TUESDAY, Release
from simulators.script import EVENING, Happening, Scan, Script, What, window_of
from simulators.stories import Story

LOST: Final = 0.006
"""Share of the webhooks that a vendor loses on its own side: nobody ever sends them."""

_UNCATALOGUED_ON: Final = (3, 1, 0)
"""On how many devices of each client the program that no catalog knows cannot be updated."""

_FORGOTTEN: Final = 3
"""How many devices are scanned no more."""

_UNBOXED: Final = 2
"""How many devices are new, and were never scanned."""

_CURED: Final = (CLIENTS[1], releases.SERVER_2019)
"""The client and the system whose only failing device is cured before the evening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Everything that is true of the day. `happenings` and `scans` are in the order of time."""

    seed: int
    devices: tuple[Device, ...]
    happenings: tuple[Happening, ...]
    scans: tuple[Scan, ...]


@dataclass(slots=True)
class _Part:
    """What one device is to play: the story of its system's update, and of the uncatalogued program if it has it."""

    device: Device
    story: Story
    uncatalogued: Story | None = None


def day(*, seed: int, devices: int) -> Day:
    """Return the day that `seed` makes of so many devices."""
    machines = fleet(seed=seed, count=devices)
    rng = random.Random(f"day/{seed}")
    scripts = [_written(part, random.Random(f"{seed}/{part.device.number}")) for part in _cast(machines, rng)]
    happenings = [happening for script in scripts for happening in script.happenings]
    scans = [scan for script in scripts for scan in script.scans]
    return Day(
        seed=seed,
        devices=machines,
        happenings=_with_losses(sorted(happenings, key=lambda each: (each.at, each.device.number)), rng),
        scans=tuple(sorted(scans, key=lambda each: (each.at, each.device.number))),
    )


def _cast(machines: Sequence[Device], rng: random.Random) -> list[_Part]:
    """Give each device its story; the rarest have a device each, however small the fleet."""
    weights, usual = zip(*stories.USUAL, strict=True)
    parts = [
        _Part(device, story)
        for device, story in zip(machines, rng.choices(usual, weights, k=len(machines)), strict=True)
    ]
    polled = [part for part in parts if part.device.source is NINJAONE_MAIN and part.device.system.superseded]
    for part in [each for each in polled if each.device.lacks_month_before][:_FORGOTTEN]:
        part.story = stories.scans_no_more
    others = [part for part in polled if not part.device.lacks_month_before]
    for part in rng.sample(others, min(_UNBOXED, len(others))):
        part.story = stories.unboxed
    awake = [part for part in polled if part.story not in {stories.scans_no_more, stories.unboxed}]
    certain = (stories.fails_nine_times, stories.lies, stories.waits_for_restart, stories.rolled_back)
    for part, story in zip(rng.sample(awake, min(len(certain), len(awake))), certain, strict=False):
        part.story = story
    _cure([part for part in awake if (part.device.client, part.device.system) == _CURED])
    alerting = [part for part in parts if part.device.source is DATTO_CLINIC]
    for part, fate in zip(alerting, datto_day.chosen(len(alerting), rng), strict=True):
        part.story = fate
    for client, wanted in zip(CLIENTS, _UNCATALOGUED_ON, strict=True):
        theirs = [part for part in awake if part.device.client is client]
        for number, part in enumerate(rng.sample(theirs, min(wanted, len(theirs)))):
            part.uncatalogued = stories.fails_then_installs if number == 1 else stories.fails
    return parts


def _cure(parts: Sequence[_Part]) -> None:
    """Let one of these devices fail and be cured, and no other fail: so their ticket is resolved in the end."""
    for part in parts:
        if part.story in stories.FAILING:
            part.story = stories.proven
    for part in parts[:1]:
        part.story = stories.fails_then_proven


def _written(part: _Part, rng: random.Random) -> Script:
    """Write one device's day: its scans, the usual noise, and what becomes of each update that it lacks."""
    script = Script(part.device, rng)
    if part.device.source is DATTO_CLINIC:
        datto_day.write(script, part.story)
        return script
    if part.story is stories.scans_no_more:
        return _forgotten(script)
    if part.story is stories.unboxed:
        script.go_to(window_of(part.device))
        stories.unboxed(script, part.device.system.update)
        return script
    _before_the_release(script)
    _night(script, with_uncatalogued=part.uncatalogued is not None)
    script.go_to(window_of(part.device) + timedelta(minutes=rng.uniform(0, 75)))
    for release in list(script.missing):
        _chosen(part, release, rng)(script, release)
    if script.at < EVENING:
        script.go_to(EVENING - timedelta(minutes=rng.uniform(1, 30)))
        script.scan()
    return script


def _forgotten(script: Script) -> Script:
    """Write the day of a device that is scanned no more: all that is known of it is an old scan."""
    script.at -= timedelta(days=21)
    script.missing += [each for each in (script.device.system.superseded,) if each is not None]
    script.scan()
    stories.scans_no_more(script, script.device.system.update)
    return script


def _chosen(part: _Part, release: Release, rng: random.Random) -> Story:
    if release is releases.LINE_OF_BUSINESS and part.uncatalogued is not None:
        return part.uncatalogued
    if not release.is_software:
        return part.story
    weights, usual = zip(*stories.USUAL_OF_SOFTWARE, strict=True)
    story: Story = rng.choices(usual, weights)[0]
    return story


def _before_the_release(script: Script) -> None:
    """Scan in the morning: what the device lacked before the new updates were out."""
    device = script.device
    if not device.source.polls:
        script.tell(What.ENROLLED)
    if device.system.family == "windows" and script.rng.random() < 0.25:
        script.missing.append(releases.FIREFOX)
    if device.lacks_month_before and device.system.superseded is not None:
        script.missing.append(device.system.superseded)
    if device.system.update.released_at < script.at:
        script.missing.append(device.system.update)
    script.scan()


def _night(script: Script, *, with_uncatalogued: bool) -> None:
    """After the release: some noise, then the scan that lists the new updates, and a policy approves them."""
    device = script.device
    script.go_to(PATCH_TUESDAY + timedelta(minutes=script.rng.uniform(5, 120)))
    _noise(script)
    script.go_to(releases.CHROME.released_at + timedelta(minutes=script.rng.uniform(10, 110)))
    if with_uncatalogued:
        script.missing.insert(0, releases.LINE_OF_BUSINESS)
    if device.system.family == "windows" and script.rng.random() < 0.3:
        script.missing.insert(0, releases.CHROME)
    if device.system.superseded in script.missing:
        script.missing.remove(device.system.superseded)
    if device.system.update not in script.missing:
        script.missing.append(device.system.update)
    script.scan()
    for release in script.missing:
        script.wait(0.5, 2)
        script.tell(What.APPROVED, release)


def _noise(script: Script) -> None:
    """Tell what else a day brings: a new device, a full disk, one that is gone for a while, a changed part."""
    chance = script.rng.random()
    if chance < 0.06:
        script.tell(What.ENROLLED)
    elif chance < 0.18:
        script.tell(What.ALERT)
        script.wait(5, 45)
        script.tell(What.ALERT_OVER)
    elif chance < 0.26:
        script.tell(What.OFFLINE)
        script.wait(10, 40)
        script.tell(What.ONLINE)
    elif chance < 0.4:
        script.tell(What.UPDATED)


def _with_losses(happenings: Sequence[Happening], rng: random.Random) -> tuple[Happening, ...]:
    """Lose a few webhooks of a source that can be asked later."""
    return tuple(
        replace(each, told=False) if each.device.source is NINJAONE_MAIN and rng.random() < LOST else each
        for each in datto_day.with_losses(happenings)
    )
