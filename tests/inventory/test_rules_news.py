"""What inventory tells the others, when, and as whose consequence."""

from datetime import timedelta

import pytest

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.asset import AssetChanged, AssetRemoved
from contracts.events.event import OsFamily, Tier
from services.inventory import rules
from services.inventory.rules import Kept
from services.inventory.rules_news import news
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON, SOURCE, of_device
from tests.inventory.facts import QUIET, asset_of, kept, patch_detected, removed, seen, updated, usable

ASSET = ids.asset_id(SOURCE, "d1")
LATER = NOON + MINUTE


def told(before: Kept | None, *events: Envelope) -> Envelope | None:
    """Return what is published when `events` arrive."""
    step = rules.step(ASSET, before, [usable(each) for each in events], quiet=QUIET)
    return news(step.after, step.why) if step.why else None


def test_a_new_asset_is_told_whole() -> None:
    event = seen(hostname="pc-1", os_name="Windows Server 2022", os_build="20348.1", tags=("ePHI: yes",), serial="S1")

    published = told(None, event)

    assert published is not None
    assert published.subject == str(ASSET)
    assert published.data == AssetChanged(
        asset=str(ASSET),
        source=SOURCE,
        device="d1",
        hostname="pc-1",
        os_family=OsFamily.WINDOWS,
        os_name="Windows Server 2022",
        os_build="20348.1",
        tier=Tier.SERVER,
        serial="S1",
        ephi=True,
        tags=("ePHI: yes",),
        first_seen_at=NOON,
        last_seen_at=NOON,
    )


def test_news_is_of_the_time_of_its_cause_and_traceable_to_it() -> None:
    cause = updated(hostname="pc-2", at=LATER)

    published = told(kept([seen(hostname="pc-1")]), cause)

    assert published is not None
    assert published.id == ids.fact_id(cause.id, AssetChanged.TYPE, str(ASSET))
    assert (published.time, published.received, published.causation) == (cause.time, cause.received, cause.id)


def test_the_cause_is_the_newest_event_that_changed_something() -> None:
    changed = updated(hostname="pc-2", at=LATER)
    unchanged = updated(owner="ann", at=LATER + MINUTE)

    published = told(kept([seen(hostname="pc-1", owner="ann")]), unchanged, changed, updated(hostname="pc-3"))

    assert published is not None
    assert published.causation == changed.id


def test_news_belongs_to_the_client_of_the_asset_even_if_its_cause_came_late_from_another() -> None:
    before = kept([of_device(rmm.DeviceOnline(device="d1"), at=LATER, tenant=BIRCH)])

    published = told(before, updated(serial="S1"))

    assert published is not None
    assert published.tenant == BIRCH
    assert ACME != BIRCH


def test_a_removed_asset_is_told_once_and_then_no_more() -> None:
    alive = kept([seen()])
    gone = kept([seen(), removed(at=LATER)])

    published = told(alive, removed(at=LATER))

    assert published is not None
    assert published.data == AssetRemoved()
    assert told(gone, removed(at=LATER + MINUTE)) is None
    assert told(gone, updated(hostname="ghost", at=LATER + MINUTE)) is None
    assert told(gone, patch_detected(at=LATER + 5 * HOUR)) is None


def test_an_asset_that_comes_back_is_told_whole_again() -> None:
    published = told(kept([seen(hostname="pc-1"), removed(at=LATER)]), seen(at=LATER + MINUTE))

    assert published is not None
    assert isinstance(published.data, AssetChanged)
    assert published.data.hostname == "pc-1"


@pytest.mark.parametrize(
    ("after", "is_told"),
    [(timedelta(0), False), (QUIET - timedelta(microseconds=1), False), (QUIET, True), (2 * QUIET, True)],
    ids=["again", "just before", "after the quiet", "long after"],
)
def test_being_seen_again_is_news_only_after_a_while(after: timedelta, is_told: bool) -> None:  # noqa: FBT001 - a column
    published = told(kept([seen(hostname="pc-1")]), updated(hostname="pc-1", at=NOON + after))

    assert (published is not None) is is_told


def test_many_small_steps_are_news_once_they_add_up() -> None:
    asset = asset_of([seen(), patch_detected(at=NOON + 50 * MINUTE)])
    before = Kept(asset, announced_seen_at=NOON, revision=2)

    assert told(before, patch_detected(at=NOON + 59 * MINUTE)) is None
    assert told(before, patch_detected(at=NOON + 60 * MINUTE)) is not None


def test_an_earlier_first_sight_is_news() -> None:
    published = told(kept([seen(at=LATER)]), patch_detected(at=NOON))

    assert published is not None
    assert isinstance(published.data, AssetChanged)
    assert published.data.first_seen_at == NOON


def test_a_repeat_is_no_news_and_the_smallest_write() -> None:
    event = seen(hostname="pc-1")

    step = rules.step(ASSET, kept([event]), [usable(event), usable(event)], quiet=QUIET)

    assert step.why is None
    assert step.is_repeat


@pytest.mark.parametrize(
    ("event", "is_small"),
    [
        pytest.param(updated(os_build="2", at=LATER), True, id="build"),
        pytest.param(of_device(rmm.DeviceOffline(device="d1"), at=LATER), True, id="offline"),
        pytest.param(of_device(rmm.DeviceBooted(device="d1", booted_at=LATER), at=LATER), True, id="boot"),
        pytest.param(patch_detected(at=LATER), True, id="seen"),
        pytest.param(updated(hostname="pc-2", at=LATER), False, id="hostname"),
        pytest.param(updated(os_build="2", os_name="Ubuntu", at=LATER), False, id="build with another OS"),
        pytest.param(removed(at=LATER), False, id="removed"),
        pytest.param(patch_detected(at=NOON - MINUTE), False, id="seen earlier than ever"),
    ],
)
def test_what_moves_every_day_is_a_small_step(event: Envelope, is_small: bool) -> None:  # noqa: FBT001 - a column
    before = kept([seen(hostname="pc-1", os_build="1", os_name="Windows 11")])

    assert rules.step(ASSET, before, [usable(event)], quiet=QUIET).is_small is is_small
