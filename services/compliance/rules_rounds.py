"""In how many rounds a batch is decided, so that a failure is not swallowed by what came after it. Pure.

Folding a batch decides where everything stands at its end. A failure that is followed by a success in the same batch
would never be told, though it would have been, had the two come in batches of their own: and how records fall into
batches is chance. So a round ends, for its device, with a failure.
"""

from collections.abc import Sequence
from uuid import UUID

from contracts.events import rmm
from services.compliance.news import FactNews


def rounds(facts: Sequence[FactNews]) -> list[list[FactNews]]:
    """Return the facts, in the order of acceptance, in as few rounds as it takes; at least one, which may be empty."""
    found: list[list[FactNews]] = [[]]
    round_of: dict[UUID, int] = {}
    for fact in facts:
        number = round_of.get(fact.device_id, 0)
        if number == len(found):
            found.append([])
        found[number].append(fact)
        if isinstance(fact.told, rmm.PatchInstallFailed):
            round_of[fact.device_id] = number + 1
    return found
