"""The chain: whatever is changed, left out, put in or moved is named, and what is whole is not."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from services.credentials.audit.chain import Broken, Head, Whole, chained, content_of, digest_of, exported, verify
from tests.builders import ACME, BIRCH
from tests.credentials.audit.facts import fact


def lines_of(count: int) -> list[str]:
    return [exported(link.line, link.hash) for link in chained(Head(), [content_of(fact(n)) for n in range(count)])]


def test_an_untouched_chain_is_whole() -> None:
    found = verify(lines_of(5))

    assert isinstance(found, Whole)
    assert (found.tenant, found.head.number) == (str(ACME), 5)
    assert found.head.hash == json.loads(lines_of(5)[-1])["hash"]


def test_nothing_is_whole_too() -> None:
    assert verify([]) == Whole(None, Head())


def test_an_entry_says_what_happened_by_whom_and_on_what_evidence() -> None:
    entry = json.loads(lines_of(1)[0])

    assert (entry["type"], entry["by"], entry["number"]) == ("case.approval_asked.v1", "patchline", 1)
    assert entry["event"]["login"] == "anna@acme.example"
    assert entry["evidence"] == [["seen", "reading 0"]]
    assert entry["at"] == "2026-11-10T12:00:00.000000Z"


def test_the_hash_is_what_anybody_can_compute_from_the_line() -> None:
    entry = json.loads(lines_of(1)[0])
    hash_ = entry.pop("hash")

    assert sha256(rfc8785.dumps(entry)).hexdigest() == hash_


def changed(name: str, value: object) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        return [*lines[:2], json.dumps({**json.loads(lines[2]), name: value}), *lines[3:]]

    return change


def resealed(lines: list[str]) -> list[str]:
    """Change an entry and give it the hash that its new content has: what follows it gives it away."""
    entry: dict[str, Any] = {**json.loads(lines[2]), "by": "nobody"}
    entry.pop("hash")
    hash_ = sha256(rfc8785.dumps(entry)).hexdigest()
    return [*lines[:2], rfc8785.dumps({**entry, "hash": hash_}).decode(), *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "line", "why"),
    [
        pytest.param(changed("by", "nobody"), 3, "its content is not what its hash", id="a field changed"),
        pytest.param(changed("evidence", []), 3, "its content is not what its hash", id="the evidence taken out"),
        pytest.param(changed("extra", 1), 3, "its content is not what its hash", id="a field added"),
        pytest.param(changed("hash", "0" * 64), 3, "its content is not what its hash", id="the hash changed"),
        pytest.param(changed("v", 2), 3, "not an entry of this audit", id="of another version"),
        pytest.param(resealed, 4, "it does not follow the entry before it", id="changed and sealed anew"),
        pytest.param(lambda lines: lines[:2] + lines[3:], 3, "number 3 belongs here", id="one left out"),
        pytest.param(lambda lines: lines[1:], 1, "number 1 belongs here", id="the first left out"),
        pytest.param(lambda lines: [*lines[:3], lines[2], *lines[3:]], 4, "number 4 belongs here", id="one twice"),
        pytest.param(
            lambda lines: [*lines[:2], lines[3], lines[2], lines[4]], 3, "number 3 belongs here", id="two swapped"
        ),
        pytest.param(lambda lines: [*lines[:2], "{", *lines[3:]], 3, "not a JSON object", id="no JSON"),
        pytest.param(lambda lines: [*lines[:2], "[]", *lines[3:]], 3, "not a JSON object", id="no object"),
        pytest.param(
            lambda lines: [*lines[:2], lines[2].replace("{", '{"by":"nobody",', 1), *lines[3:]],
            3,
            "not a JSON object with each name once",
            id="a name twice",
        ),
        pytest.param(
            lambda lines: [*lines[:2], lines[2].replace('"number":3', '"number":1e999'), *lines[3:]],
            3,
            "cannot be written in canonical form",
            id="a number that is none",
        ),
        pytest.param(lambda lines: [*lines, ""], 6, "not a JSON object", id="an empty line behind"),
    ],
)
def test_the_first_broken_entry_is_named(tamper: Callable[[list[str]], list[str]], line: int, why: str) -> None:
    found = verify(tamper(lines_of(5)))

    assert isinstance(found, Broken)
    assert found.line == line
    assert found.why.startswith(why)


def test_an_entry_of_another_client_is_named() -> None:
    mine = chained(Head(), [content_of(fact(0))])
    theirs = chained(Head(1, mine[0].hash), [content_of(fact(1, tenant=BIRCH))])

    found = verify([exported(link.line, link.hash) for link in (*mine, *theirs)])

    assert found == Broken(2, 2, "of another client")


class TestANotedHead:
    def test_is_reached(self) -> None:
        noted = json.loads(lines_of(5)[3])["hash"]

        assert isinstance(verify(lines_of(5), head=Head(4, noted)), Whole)

    def test_proves_that_the_newest_are_missing(self) -> None:
        noted = json.loads(lines_of(5)[4])["hash"]

        found = verify(lines_of(5)[:3], head=Head(5, noted))

        assert isinstance(found, Broken)
        assert (found.line, found.why) == (4, "the newest are missing: 3 entries are here, 5 were noted")

    def test_proves_that_the_whole_chain_was_made_anew(self) -> None:
        noted = json.loads(lines_of(5)[4])["hash"]
        anew = chained(Head(), [content_of(fact(n, why="rewritten")) for n in range(5)])

        found = verify([exported(link.line, link.hash) for link in anew], head=Head(5, noted))

        assert found == Broken(5, 5, "another entry was here when the head was noted")


@given(place=st.integers(0, 3), position=st.integers(0, 10_000), replacement=st.characters(codec="ascii"))
def test_no_single_changed_character_goes_unseen(place: int, position: int, replacement: str) -> None:
    lines = lines_of(4)
    at = position % len(lines[place])
    lines[place] = lines[place][:at] + replacement + lines[place][at + 1 :]
    means_the_same = _read(lines[place]) == _read(lines_of(4)[place])

    assert isinstance(verify(lines), Whole if means_the_same else Broken)


def _read(line: str) -> object:
    try:
        return json.loads(line, object_pairs_hook=lambda pairs: sorted(pairs, key=lambda pair: pair[0]))
    except ValueError:
        return line


def test_the_same_fact_is_recognised_wherever_it_would_stand() -> None:
    assert digest_of(content_of(fact(1))) == digest_of(content_of(fact(1)))
    assert digest_of(content_of(fact(1))) != digest_of(content_of(fact(1, why="another")))
    assert chained(Head(), [content_of(fact(1))])[0].content == digest_of(content_of(fact(1)))
