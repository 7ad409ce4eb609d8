"""Who storms rests between its acts, and nobody else does."""

import time
from pathlib import Path
from uuid import UUID

import pytest

from chassis.cores import LOOK_SECONDS, Cores
from services.ticketing.pace import Pace
from services.ticketing.rules_effects import GIVES_WAY_SECONDS, LIVE_SECONDS, REST_OF_A_CROWD, REST_WHERE_SCARCE

STORMY, OTHER = UUID(int=1), UUID(int=2)
IDLE: dict[UUID, int] = {}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


def _storming(cores: Cores | None = None) -> Pace:
    stormed = Pace(cores or Cores(Path("/nowhere")))
    for tenant in (OTHER, *[STORMY] * 12):
        stormed.began(tenant)
    return stormed


def test_who_storms_beside_others_has_no_act_until_it_has_rested(now: list[float]) -> None:
    stormed = _storming()

    assert stormed.ended(STORMY, 0.25) == 0.25
    assert stormed.resting({STORMY, OTHER}, IDLE) == {STORMY: 0}
    now[0] += 0.3
    assert stormed.resting({STORMY, OTHER}, IDLE) == {}


def _scarce(now: list[float], tmp_path: Path) -> Cores:
    told = tmp_path / "schedstat"
    told.write_text("0 0 0")
    cores = Cores(told)
    told.write_text("10000000 11000000 5")
    now[0] += LOOK_SECONDS
    return cores


def test_who_storms_rests_longer_where_cores_are_scarce(now: list[float], tmp_path: Path) -> None:
    stormed = _storming(_scarce(now, tmp_path))

    assert stormed.ended(STORMY, 0.25) == 0.25 * REST_WHERE_SCARCE


@pytest.mark.usefixtures("now")
def test_who_has_few_waiting_goes_on_without_a_rest() -> None:
    stormed = _storming()
    stormed.ended(STORMY, 0.25)

    assert stormed.resting({OTHER}, IDLE) == {}


@pytest.mark.usefixtures("now")
def test_whoever_calls_seldom_never_rests() -> None:
    stormed = _storming()

    assert stormed.ended(OTHER, 0.25) == 0
    assert stormed.resting({STORMY, OTHER}, IDLE) == {}


def test_who_storms_gives_way_to_an_act_of_somebody_else_for_a_while(now: list[float]) -> None:
    stormed = _storming()
    stormed.ended(STORMY, 0.25)
    now[0] += 0.3

    assert stormed.resting({STORMY, OTHER}, {OTHER: 1}) == {STORMY: 0}
    assert stormed.resting({STORMY, OTHER}, {OTHER: 0, STORMY: 1}) == {}
    now[0] += GIVES_WAY_SECONDS
    assert stormed.resting({STORMY, OTHER}, {OTHER: 1}) == {}


def test_once_nobody_else_had_a_turn_lately_all_acts_are_its_own() -> None:
    stormed = _storming()
    before = stormed.most(4)
    for _ in range(20):
        stormed.began(STORMY)

    assert (before, stormed.most(4), stormed.ended(STORMY, 0.25)) == (1, 4, 0)


def test_for_whom_a_crowd_waits_rests_from_its_first_act_on(now: list[float]) -> None:
    fresh = Pace(Cores(Path("/nowhere")))
    fresh.began(OTHER)
    fresh.began(STORMY)
    before = fresh.ended(STORMY, 0.25)
    fresh.crowded({STORMY})

    assert (before, fresh.ended(STORMY, 0.25), fresh.ended(OTHER, 0.25)) == (0, 0.25, 0)
    assert fresh.resting({STORMY, OTHER}, IDLE) == {STORMY: 0}
    now[0] += 0.3
    assert fresh.resting({STORMY, OTHER}, {OTHER: 1}) == {STORMY: 0}


def test_bulk_rests_beside_live_where_cores_are_scarce_and_then_gives_way_for_a_while(
    now: list[float], tmp_path: Path
) -> None:
    pace = Pace(_scarce(now, tmp_path))
    pace.live_ended()

    assert pace.bulk_ended(0.125) == 0.125 * REST_OF_A_CROWD
    assert pace.bulk_rests(live_under_way=0)
    now[0] += 0.125 * REST_OF_A_CROWD
    assert not pace.bulk_rests(live_under_way=0)
    assert pace.bulk_rests(live_under_way=1)
    now[0] += GIVES_WAY_SECONDS
    assert not pace.bulk_rests(live_under_way=1)


def test_bulk_does_not_rest_where_nothing_live_had_an_act_lately(now: list[float], tmp_path: Path) -> None:
    pace = Pace(_scarce(now, tmp_path))
    never = pace.bulk_ended(0.125)
    pace.live_ended()
    now[0] += LIVE_SECONDS + 0.1

    assert (never, pace.bulk_ended(0.125)) == (0.0, 0.0)
    assert not pace.bulk_rests(live_under_way=1)


@pytest.mark.usefixtures("now")
def test_bulk_does_not_rest_where_cores_are_free() -> None:
    pace = Pace(Cores(Path("/nowhere")))
    pace.live_ended()

    assert pace.bulk_ended(0.125) == 0.0
    assert not pace.bulk_rests(live_under_way=1)
