"""The fold in SQL over history alone says the same as the fold in Python over the events, in any order of arrival."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.order import effective_at
from services.inventory.rules_fields import FIELDS
from tests.builders import MINUTE, NOON, SOURCE, of_device
from tests.inventory.conftest import EMPTY, Inventory
from tests.inventory.facts import ABOUT_DEVICE_TYPES, asset_of, deliveries, histories, seen
from tests.inventory.test_order_on_the_database import ON_REAL_DATABASE

WORDS = "SELECT field, word FROM words_as_of($1, $2, $3)"
TO_THE_END = datetime(9999, 1, 1, tzinfo=NOON.tzinfo)


async def in_sql(inventory: Inventory, device: str, as_of: datetime) -> dict[str, object]:
    rows = await inventory.pool.fetch(WORDS, SOURCE, device, as_of)
    return {row["field"]: row["word"] for row in rows if row["word"] not in (None, [])}


def in_python(events: Sequence[Envelope]) -> dict[str, object]:
    if not events:
        return {}
    said: Mapping[str, object] = asset_of(events).said
    words = {field: said[field] for field in FIELDS if field != "tenant_id" and said[field] not in (None, ())}
    return {field: as_json(word) for field, word in words.items()}


def as_json(word: object) -> object:
    match word:
        case datetime():
            return word.isoformat(timespec="microseconds").replace("+00:00", "Z")
        case tuple():
            return list(word)
        case _:
            return word


def of(events: Sequence[Envelope], device: str, as_of: datetime) -> list[Envelope]:
    return [
        each
        for each in events
        if isinstance(each.data, rmm.RmmEvent)
        and isinstance(each.data, ABOUT_DEVICE_TYPES)
        and each.data.device == device
        and effective_at(each.time, each.received) <= as_of
    ]


@ON_REAL_DATABASE
@given(st.data())
async def test_both_folds_say_the_same_as_of_any_moment(inventory: Inventory, data: st.DataObject) -> None:
    await inventory.pool.execute(EMPTY)
    events = data.draw(histories(("d1", "d2")))
    moment = data.draw(st.sampled_from([NOON, NOON + MINUTE, NOON + 6 * MINUTE, TO_THE_END]))

    for batch in data.draw(deliveries(events)):
        await inventory.hears(*batch)

    for device in ("d1", "d2"):
        assert await in_sql(inventory, device, moment) == in_python(of(events, device, moment))


@ON_REAL_DATABASE
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12),
    st.lists(st.text("aZ é\u00a0\u2003\x1f\x85\u200bß", min_size=1, max_size=4), max_size=4),
)
async def test_both_folds_spell_alike(inventory: Inventory, owner: str, tags: list[str]) -> None:
    await inventory.pool.execute(EMPTY)
    facts = rmm.DeviceFacts.model_construct(owner=owner, tags=tuple(tags))
    event = of_device(rmm.DeviceSeen(device="d1", facts=facts))

    await inventory.hears(event)

    assert await in_sql(inventory, "d1", TO_THE_END) == in_python([event])


async def test_a_later_word_is_not_yet_said_at_an_earlier_moment(inventory: Inventory) -> None:
    await inventory.hears(seen(owner="Ann"), seen(at=NOON + 3 * MINUTE, owner="Bob"))

    assert await in_sql(inventory, "d1", NOON + MINUTE) == {"owner": "Ann"}
    assert await in_sql(inventory, "d1", NOON + 3 * MINUTE) == {"owner": "Bob"}
