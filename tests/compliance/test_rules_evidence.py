"""Which evidence counts where, how many sources must agree, and what a person's word is worth."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from uuid import UUID

import pytest

from contracts.envelope import Envelope
from contracts.events.event import OsFamily
from contracts.events.obligation import State
from services.compliance.policy import ALL_PROOFS, DEFAULT_1, EvidenceRule, ProofClass
from services.compliance.rules import Decision
from services.compliance.rules_case import Basis
from services.compliance.rules_views import Saying
from tests.compliance.stories import (
    DEC_BUILD,
    JAN,
    JAN_BUILD,
    JANUARY,
    B,
    Story,
    booted,
    failed,
    gone,
    hour,
    judged_by,
    listed,
    needed,
    read,
    reported,
    scanned,
    taken_off,
)

ONE = needed(JANUARY)
BUILD, BOOT, SECOND, WORD = (
    ProofClass.BUILD,
    ProofClass.BOOT,
    ProofClass.SECOND_SOURCE,
    ProofClass.ATTESTED,
)


def word(at: float, by: str = "Dana Fox") -> Saying:
    return Saying(hour(at), str(UUID(int=round(at * 10))), by, "attested", f"attested {JAN}")


def decided(
    *events: Envelope,
    accepts: frozenset[ProofClass] = ALL_PROOFS,
    quorum: int = 1,
    words: Sequence[Saying] = (),
    on: OsFamily = OsFamily.WINDOWS,
    at: float = 20,
) -> Decision:
    by = replace(DEFAULT_1, evidence={on: EvidenceRule(accepts=accepts, quorum=quorum)})
    return judged_by(*events, basis=Basis(by, UTC, attested={JAN: words}), at=hour(at), of=ONE)


BY_BUILD: Story = [listed(0), reported(1), read(2, JAN_BUILD), gone(3)]
BY_BOOT: Story = [listed(0), reported(1), booted(2), gone(3)]
BY_SECOND: Story = [listed(0), listed(0, source=B), reported(1), gone(3, source=B)]

KINDS: dict[str, tuple[Story, ProofClass]] = {
    "a scan without it and its build, through the deployer's own agent": (BY_BUILD, BUILD),
    "a boot and a scan that no longer lists it": (BY_BOOT, BOOT),
    "another source saw it gone": (BY_SECOND, SECOND),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_kind_of_evidence_verified_it_is_kept(name: str) -> None:
    story, kind = KINDS[name]

    found = decided(*story)

    assert (found.state, found.proof) == (State.VERIFIED, kind)


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_that_the_policy_does_not_accept_proves_nothing(name: str) -> None:
    story, kind = KINDS[name]

    found = decided(*story, accepts=ALL_PROOFS - {kind})

    assert (found.state is State.VERIFIED, found.proof) == (False, None)


def test_the_table_is_per_operating_system() -> None:
    assert decided(*BY_BOOT, accepts=frozenset({BUILD}), on=OsFamily.LINUX).state is State.VERIFIED


def test_the_deployers_own_word_never_counts_whatever_is_accepted() -> None:
    assert decided(listed(0), reported(1), reported(2), reported(3)).state is State.PENDING_REBOOT


def test_where_two_sources_must_agree_the_second_completes_the_proof() -> None:
    one = decided(*BY_BUILD, quorum=2)
    both = decided(*BY_BUILD, gone(7, source=B), quorum=2)

    assert one.state is not State.VERIFIED
    assert (both.state, both.verified_at) == (State.VERIFIED, hour(7))
    assert {each.source for each in both.witnesses} == {listed(0).source, B}


def test_one_source_that_looked_twice_is_one_source() -> None:
    assert decided(*BY_BUILD, booted(5, JAN_BUILD), scanned(6), gone(7), quorum=2).state is not State.VERIFIED


def test_what_supersedes_is_proven_by_both_and_so_is_what_it_superseded() -> None:
    older = replace(JANUARY, name="5048654", supersedes=frozenset(), fixed=(20348, 2966))
    newer = replace(JANUARY, supersedes=frozenset({older.name}))
    both = needed(older, newer)
    story = [*BY_BUILD, read(8, JAN_BUILD, source=B), scanned(9, source=B)]
    by = replace(DEFAULT_1, evidence={OsFamily.WINDOWS: EvidenceRule(quorum=2)})

    found = judged_by(*story, basis=Basis(by, UTC), at=hour(20), of=both)

    assert (found.state, found.verified_at) == (State.VERIFIED, hour(8))


WORDS: dict[str, tuple[Story, float, State, ProofClass | None]] = {
    "nothing else is known": ([], 5, State.VERIFIED, WORD),
    "it was listed before": ([listed(0)], 5, State.VERIFIED, WORD),
    "it had failed before": ([listed(0), failed(1)], 5, State.VERIFIED, WORD),
    "readings prove it too, later": (BY_BUILD, 1.5, State.VERIFIED, BUILD),
    "a list of later on has it": ([listed(0), listed(6)], 5, State.CONTRADICTED, None),
    "a build of later on is below": ([scanned(1), read(6, DEC_BUILD)], 5, State.CONTRADICTED, None),
    "it failed later": ([listed(0), failed(6)], 5, State.FAILED, None),
    "it was taken off later": ([listed(0), reported(1), taken_off(6)], 5, State.MISSING_IN_SLA, None),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_persons_word_where(name: str) -> None:
    story, at, state, kind = WORDS[name]

    found = decided(*story, words=[word(at)])

    assert (found.state, found.proof) == (state, kind)


def test_a_word_against_a_list_names_both_witnesses() -> None:
    found = decided(listed(0), listed(6), words=[word(5)])

    assert [each.source for each in found.witnesses] == ["Dana Fox", listed(0).source]
    assert "attested 5049983" in found.why
    assert "listed 5049983" in found.why


def test_a_word_counts_only_where_the_policy_accepts_words() -> None:
    assert decided(listed(0), words=[word(5)], accepts=ALL_PROOFS - {WORD}).state is State.MISSING_IN_SLA


def test_two_people_are_two_sources_and_one_who_looks_twice_is_one() -> None:
    two = decided(listed(0), words=[word(5), word(6, "Kim Roe")], quorum=2)
    one = decided(listed(0), words=[word(5), word(6)], quorum=2)

    assert (two.state, two.proof, two.verified_at) == (State.VERIFIED, WORD, hour(6))
    assert one.state is State.MISSING_IN_SLA


def test_a_proof_that_needs_a_word_beside_a_reading_is_called_attested() -> None:
    found = decided(*BY_BUILD, words=[word(8)], quorum=2)

    assert (found.state, found.proof) == (State.VERIFIED, WORD)


def test_the_moment_of_the_word_is_kept() -> None:
    found = decided(listed(0), words=[word(5)])

    assert (found.moments["attested_at"], found.verified_at) == (hour(5), hour(5))
