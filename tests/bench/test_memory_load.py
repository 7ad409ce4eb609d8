"""What goes through the product while it is weighed: no event twice, and all kinds of them."""

import json
from datetime import UTC, datetime
from itertools import chain

from bench.memory_load import DEVICES, EXPOSED_EVERY, bodies, exposures

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def test_no_event_is_said_twice_and_all_kinds_are_told() -> None:
    events = list(chain.from_iterable(json.loads(body)["events"] for body in bodies(3 * DEVICES + 50, BEGIN)))

    assert len({json.dumps(each, sort_keys=True) for each in events}) == len(events) == 3 * DEVICES + 50
    assert {each["type"] for each in events} == {
        "device.updated", "device.booted", "patch.detected", "patch.install_failed",
    }  # fmt: skip


def test_logins_are_found_again_in_other_finds() -> None:
    found = [json.loads(each)["data"] for each in exposures(600 * EXPOSED_EVERY, BEGIN)]

    assert (len({each["login"] for each in found}), len({each["breach"] for each in found})) == (500, 600)
