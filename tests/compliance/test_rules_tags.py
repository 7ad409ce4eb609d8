"""Tags in any order and case, and the more careful word where two contradict."""

import pytest

from services.compliance.policy import Level, TagWords
from services.compliance.rules_tags import UNTAGGED, Tagged, tagged

WORDS = TagWords()

TABLE: dict[str, tuple[list[str], Tagged]] = {
    "none": ([], UNTAGGED),
    "words of the client's own that mean nothing here": (["managed", "accounting"], UNTAGGED),
    "reachable from the internet": (["DMZ"], Tagged(exposed=True)),
    "internal": (["Internal"], Tagged(exposed=False)),
    "both: it is exposed": (["internal", "internet-facing"], Tagged(exposed=True)),
    "kept apart": (["isolated"], Tagged(isolated=True)),
    "an impact": (["impact:very-high"], Tagged(business=Level.VERY_HIGH)),
    "two impacts: the higher": (["impact:high", "impact:low"], Tagged(business=Level.HIGH)),
    "a ring": (["ring:canary"], Tagged(ring="canary")),
    "two rings: the later": (["ring:production", "ring:canary"], Tagged(ring="production")),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_tags_say(name: str) -> None:
    tags, said = TABLE[name]

    assert tagged(tags, WORDS) == said
    assert tagged([*reversed(tags)], WORDS) == said


def test_a_client_may_have_words_of_its_own() -> None:
    words = TagWords(exposed=WORDS.exposed | {"Edge"}, rings={"first wave": "canary"})

    assert tagged(["edge", "First Wave"], words) == Tagged(exposed=True, ring="canary")
