"""A machine that a person retired: outside of every figure with the reason, and as it was if it speaks again."""

from contracts import ids
from contracts.events.asset import AssetRemoved
from tests.builders import ACME, event
from tests.compliance.house import asset_changed
from tests.compliance.monitors.room import Room
from tests.compliance.stories import A, hour, listed, scanned

ASSET = str(ids.asset_id(A, "dc01"))


async def owed(room: Room) -> list[tuple[str, str, object]]:
    rows = await room.house.rows("SELECT state, why, due_at FROM obligation WHERE train = 'cumulative'")
    return [(row["state"], row["why"], row["due_at"]) for row in rows]


async def test_what_a_retired_machine_owes_is_listed_with_the_reason_and_comes_back_as_it_was(room: Room) -> None:
    await room.house.hear(scanned(9), listed(9))
    [(state, _, due_at)] = await owed(room)

    gone = event(
        AssetRemoved(reason="sold in March"),
        subject=ASSET,
        at=hour(10),
        source="patchline/inventory",
        tenant=ACME,
        sequence=2,
    )
    await room.house.hear(gone)
    await room.house.hear(gone)
    [(retired, why, _)] = await owed(room)
    await room.house.hear(asset_changed(sequence=3))

    assert (retired, why) == ("RETIRED", "retired: sold in March")
    [(again, _, due_again)] = await owed(room)
    assert (again, due_again) == (state, due_at)
