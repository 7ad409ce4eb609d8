"""Everything that is sent, in the order in which it is sent: what happened on the day, and the ordinary dirt."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from simulators import dirt, ninjaone_webhooks, own_webhooks, stories
from simulators.datto_webhooks import Monitors
from simulators.day import Day
from simulators.deliveries import Delivery, Nature
from simulators.fleet import DATTO_CLINIC, NINJAONE_MAIN, PATCHLINE_SCRIPTS, Client, Device, Source
from simulators.releases import SERVER_2022, WINDOWS_11_24H2, FixLine, Release
from simulators.script import NIGHT, Happening, Script, What

REPEATED: Final = 0.07
"""Share of the webhooks that a vendor sends again, because an answer was lost or late."""

OUT_OF_ORDER: Final = 0.2
"""Share of the webhooks that overtake others, or are overtaken."""

MENDED_LATER: Final = 300
"""How many deliveries at least come between a failure and what mends it."""

FIRST_ACTIVITY: Final = 9_004_000
UNKNOWN_CODES: Final = ("PATCH_MANAGEMENT_USER_DEFERRED", "NODE_WARRANTY_LOOKED_UP", "VULNERABILITY_SCAN_GROUP_SYNCED")
STRANGER: Final = Client(
    name="(in no mapping)",
    zone="UTC",
    contact="",
    organisation=99,
    site="Elsewhere",
    prefix="XXX",
)
NOBODY: Final = Source(vendor="ninjaone", name="nobody", polls=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The day and the deliveries that tell of it, in the order in which they are sent."""

    day: Day
    deliveries: tuple[Delivery, ...]

    def count(self, *natures: Nature) -> int:
        """Return how many deliveries are of these natures."""
        return sum(delivery.nature in natures for delivery in self.deliveries)


def plan(day: Day) -> Plan:
    """Return what is sent on `day`, the same for the same day."""
    rng = random.Random(f"plan/{day.seed}")
    writer = _Writer(day)
    true = [writer.told(each) for each in day.happenings if each.told]
    order = _failures_first([(_position(position, rng), delivery) for position, delivery in enumerate(true)])
    order += [(_later(place, rng), _repeat(each)) for place, each in order if rng.random() < REPEATED]
    rest = [*_ugly(writer), *_unknown(writer, rng), *_unmapped(writer, rng), *_forged(writer)]
    order += [(rng.uniform(0, len(true)), delivery) for delivery in rest]
    return Plan(day=day, deliveries=tuple(delivery for _, delivery in sorted(order, key=lambda each: each[0])))


def delivery_of(day: Day, happening: Happening, number: int) -> Delivery:
    """Return the delivery that tells of `happening`, as the one of its source after so many."""
    return _Writer(day, Counter({happening.device.source: number})).told(happening)


class _Writer:
    """Writes deliveries of one day, numbered for each source."""

    def __init__(self, day: Day, numbers: Counter[Source] | None = None) -> None:
        """Number each source's first delivery by the first number, or after those that are counted already."""
        self.day = day
        self._monitors = Monitors(day)
        self._numbers = Counter[Source]() if numbers is None else numbers

    def told(self, happening: Happening) -> Delivery:
        """Return the delivery that tells of `happening`, with the next number of its source."""
        source = happening.device.source
        self._numbers[source] += 1
        number = FIRST_ACTIVITY + self._numbers[source]
        return Delivery(
            nature=Nature.TRUE,
            name=happening.what.value,
            source=source,
            body=self._body(happening, number),
            delivery_id=f"msg_{source.name}_{number}",
            happening=happening,
            content_type=None if source is PATCHLINE_SCRIPTS and number % 10 == 0 else "application/json",
        )

    def of(self, source: Source, what: What) -> list[Happening]:
        """Return what a source told: this, or anything where this was not told in so small a fleet."""
        own = [each for each in self.day.happenings if each.device.source == source and each.told]
        return [each for each in own if each.what is what] or own

    def _body(self, happening: Happening, number: int) -> bytes:
        match happening.device.source.vendor:
            case "ninjaone":
                return _written(ninjaone_webhooks.activity(happening, number))
            case "datto":
                body = self._monitors.message(happening, number)
                if body is None:
                    raise ValueError("no monitor tells of it")
                return body
            case _:
                return _written(own_webhooks.message(happening))


def _position(position: int, rng: random.Random) -> float:
    return position + rng.uniform(-80, 80) if rng.random() < OUT_OF_ORDER else float(position)


class _Matter(NamedTuple):
    """What failures share a ticket: whose they are, and the fix line, or the program that no catalog knows."""

    client: str
    subject: FixLine | str


def _failures_first(order: list[tuple[float, Delivery]]) -> list[tuple[float, Delivery]]:
    """Let all failures that share a ticket arrive well before the first of them is mended.

    Tickets follow the order of acceptance: a failure that arrives after its own mending opens none, and one that
    arrives when all others are mended opens another. Accepted deliveries may still overtake each other on their way,
    so without a distance nothing would be certain.
    """
    failed = {_case(each.happening) for _, each in order if each.happening and each.happening.what is What.FAILED}
    mended: dict[_Matter, float] = {}
    for place, each in order:
        told = each.happening
        if told is not None and told.what is What.INSTALLED and _case(told) in failed:
            mended[_matter(told)] = min(place, mended.get(_matter(told), place))
    return [(_before(mended, place, each.happening), each) for place, each in order]


def _before(mended: Mapping[_Matter, float], place: float, told: Happening | None) -> float:
    if told is None or told.what is not What.FAILED:
        return place
    return min(place, mended.get(_matter(told), place + MENDED_LATER) - MENDED_LATER)


def _matter(told: Happening) -> _Matter:
    release = told.release
    subject = "" if release is None else release.fix_line or release.title
    return _Matter(told.device.client.name, subject)


def _case(told: Happening) -> tuple[Device, Release | None]:
    return told.device, told.release


def _later(place: float, rng: random.Random) -> float:
    return place + rng.uniform(0.1, 120)


def _repeat(delivery: Delivery) -> Delivery:
    return replace(delivery, nature=Nature.REPEATED)


def _ugly(writer: _Writer) -> Iterator[Delivery]:
    """Yield bodies that nobody can understand, for one source of each format."""
    fields = ((NINJAONE_MAIN, "activityTime", "statusCode"), (PATCHLINE_SCRIPTS, "timestamp", "type"))
    for source, moment_field, kind_field in fields:
        for happening in writer.of(source, What.SCANNED)[:1]:
            good = writer.told(happening)
            bodies = dirt.ugly_bodies(json.loads(good.body), moment_field=moment_field, kind_field=kind_field)
            yield from _made_ugly(good, bodies)
    for happening in writer.of(DATTO_CLINIC, What.FAILED)[:1]:
        good = writer.told(happening)
        yield from _made_ugly(good, dirt.ugly_templates(good.body))


def _made_ugly(good: Delivery, bodies: Sequence[dirt.Ugly]) -> Iterator[Delivery]:
    for number, ugly in enumerate(bodies):
        yield Delivery(
            nature=Nature.UGLY,
            name=ugly.name,
            source=good.source,
            body=ugly.body,
            delivery_id=f"{good.delivery_id}_ugly_{number}",
            content_type=ugly.content_type,
        )


def _unknown(writer: _Writer, rng: random.Random) -> Iterator[Delivery]:
    """Yield activities whose code nobody has told us of."""
    updates = writer.of(NINJAONE_MAIN, What.UPDATED)
    for code in UNKNOWN_CODES * 3:
        told = writer.told(rng.choice(updates))
        body = json.loads(told.body) | {"statusCode": code, "status": code.replace("_", " ").lower()}
        yield replace(told, nature=Nature.UNKNOWN_CODE, name=code, body=_written(body), happening=None)


def _unmapped(writer: _Writer, rng: random.Random) -> Iterator[Delivery]:
    """Yield failures on devices of an organisation that belongs to no client yet."""
    for number, system in enumerate((WINDOWS_11_24H2, SERVER_2022), start=1):
        device = Device(
            source=NINJAONE_MAIN,
            number=9000 + number,
            client=STRANGER,
            hostname=f"{STRANGER.prefix}-WS-{number:03}",
            system=system,
            tier="workstation" if system is WINDOWS_11_24H2 else "server",
            serial=f"X{number:07}",
            booted_at=NIGHT - timedelta(days=3),
        )
        script = Script(device, rng)
        script.go_to(NIGHT)
        for _ in range(3):
            stories.fails(script, system.update)
        for happening in script.happenings:
            yield replace(writer.told(happening), nature=Nature.UNMAPPED, name="of an organisation in no mapping")


def _forged(writer: _Writer) -> Iterator[Delivery]:
    """Yield deliveries that are nobody's: a wrong secret, a wrong signature, one too old, a source that is unknown."""
    for source in (NINJAONE_MAIN, DATTO_CLINIC, PATCHLINE_SCRIPTS):
        for happening in writer.of(source, What.FAILED)[:1]:
            told = replace(writer.told(happening), nature=Nature.FORGED)
            yield replace(told, name="with a wrong secret", with_secret=False)
            if source is NINJAONE_MAIN:
                yield replace(told, name="for an unknown source", source=NOBODY, with_secret=False)
            elif source is PATCHLINE_SCRIPTS:
                yield replace(told, name="signed an hour ago", age=timedelta(hours=1))


def _written(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
