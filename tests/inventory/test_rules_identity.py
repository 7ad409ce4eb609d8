"""Which serial numbers may tell a machine, and what they suggest."""

from dataclasses import replace
from itertools import combinations
from uuid import UUID

import pytest

from contracts.events.event import OsFamily
from services.inventory import rules_identity as rules
from services.inventory.rules_identity import Candidate
from services.inventory.rules_labels import Basis
from services.inventory.rules_merges import Membership
from tests.builders import ACME, BIRCH, NOON

RMM = Candidate(
    asset_id=UUID(int=1),
    tenant_id=ACME,
    serial="c02xk1abjg5h",
    source="rmm/ninjaone/main",
    device="4821",
    hostname="acme-dc01",
    os_family=OsFamily.WINDOWS,
    os_family_from=Basis.STATED,
)
AGENT = replace(RMM, asset_id=UUID(int=2), source="rmm/glpi-agent/acme", device="acme-dc01-2026")


def membership(asset: int, surviving: int) -> Membership:
    return Membership(asset_id=UUID(int=asset), tenant_id=ACME, surviving_id=UUID(int=surviving), since_at=NOON)


@pytest.mark.parametrize(
    "serial",
    [
        "to be filled by o.e.m.", "default string", "0", "00000000", "xxxxxxx", "none", "system serial number",
        "not specified", "123456789", "n/a", "a1", "-----", "0000-0000", "........", "unknown", "1.1.1.1",
    ],
)  # fmt: skip
def test_what_makers_leave_blank_tells_nothing(serial: str) -> None:
    assert not rules.is_telling(serial)
    assert rules.suggestions([replace(each, serial=serial) for each in (RMM, AGENT)], {}, ()) == []


@pytest.mark.parametrize("serial", ["c02xk1abjg5h", "vmware-56 4d 1c", "5cg1234xyz", "mj0a1b2c", "pf-1234"])
def test_a_makers_own_number_tells(serial: str) -> None:
    assert rules.is_telling(serial)


def test_one_serial_number_at_two_sources_is_suggested() -> None:
    [found] = rules.suggestions([AGENT, RMM], {}, ())

    assert (found.serial, found.assets) == ("c02xk1abjg5h", (RMM, AGENT))


@pytest.mark.parametrize(
    ("other", "memberships", "apart"),
    [
        (replace(AGENT, source=RMM.source), [], set()),
        (replace(AGENT, tenant_id=BIRCH), [], set()),
        (replace(AGENT, serial="another-1"), [], set()),
        (replace(AGENT, os_family=OsFamily.LINUX), [], set()),
        (AGENT, [membership(1, 1), membership(2, 1)], set()),
        (AGENT, [], {(RMM.asset_id, AGENT.asset_id)}),
    ],
    ids=["one source", "two clients", "two numbers", "two systems", "one already", "taken apart by a person"],
)
def test_nothing_is_suggested(other: Candidate, memberships: list[Membership], apart: set[tuple[UUID, UUID]]) -> None:
    assert rules.suggestions([RMM, other], {each.asset_id: each for each in memberships}, apart) == []


def test_a_system_that_is_not_known_contradicts_nothing() -> None:
    unknown = replace(AGENT, os_family=OsFamily.OTHER, os_family_from=Basis.DEFAULT)

    assert len(rules.suggestions([RMM, unknown], {}, ())) == 1


def test_of_three_the_pair_that_was_taken_apart_keeps_all_of_them_apart() -> None:
    third = replace(AGENT, asset_id=UUID(int=3), source="rmm/datto/main")
    alike = [RMM, AGENT, third]

    for one, other in combinations(alike, 2):
        assert rules.suggestions(alike, {}, {(one.asset_id, other.asset_id)}) == []


def test_a_third_witness_of_a_machine_that_is_one_already_is_suggested() -> None:
    third = replace(AGENT, asset_id=UUID(int=3), source="rmm/datto/main")
    one = {each.asset_id: each for each in (membership(1, 1), membership(2, 1))}

    [found] = rules.suggestions([RMM, AGENT, third], one, ())

    assert len(found.assets) == 3
